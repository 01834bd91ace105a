"""The files by which services know each other, read anew when they are renewed: nobody restarts for that."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import grpc

from schemas.access.tier import TierAccess
from schemas.errors import OperatorError

log = logging.getLogger(__name__)

LOOK_S = 10.0

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """What the files held, and when they were last written."""

    ca: bytes
    certificate: bytes
    key: bytes
    stamp: _Stamp


class Certificates:
    """Authority, certificate and key of one process. Any thread; `look_s`: files are looked at so often at most.

    Files that do not fit together, as in the middle of a renewal, are left alone and looked at again.
    """

    def __init__(self, tier: TierAccess, look_s: float = LOOK_S) -> None:
        """Raises `OperatorError` for files that cannot be read or used, or where some are not named."""
        named = {"grpc_tls_ca": tier.ca, "grpc_tls_certificate": tier.certificate, "grpc_tls_key": tier.key}
        if missing := [name for name, path in named.items() if not path]:
            raise OperatorError(f"{', '.join(named)} belong together: set {' and '.join(missing)} too, or none")
        self._files = tuple(Path(path) for path in named.values())
        self._look_s = look_s
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        try:
            self._held = self._read()
        except OSError as error:
            raise OperatorError(
                f"{error.filename} cannot be read ({error.strerror}); mend it, or grpc_tls_*"
            ) from error
        self._version = 0

    @property
    def version(self) -> int:
        """How often the files were renewed; looks whether they were again, now and then."""
        if time.monotonic() - self._looked >= self._look_s and self._lock.acquire(blocking=False):
            try:
                self._looked = time.monotonic()
                self._look()
            finally:
                self._lock.release()
        return self._version

    def for_client(self) -> grpc.ChannelCredentials:
        """As of now, for channels that are made now."""
        held = self._held
        return grpc.ssl_channel_credentials(held.ca, held.key, held.certificate)

    def for_server(self) -> grpc.ServerCredentials:
        """For a server, which then answers nobody without a certificate; a handshake takes what there is by then."""

        def now() -> grpc.ServerCertificateConfiguration:
            _ = self.version  # looks
            return self._configuration()

        return grpc.dynamic_ssl_server_credentials(self._configuration(), now, require_client_authentication=True)

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        held = self._held
        return grpc.ssl_server_certificate_configuration([(held.key, held.certificate)], root_certificates=held.ca)

    def _look(self) -> None:
        try:
            if self._stamp() == self._held.stamp:
                return
            # On trial first: who took a certificate and the key of another would speak with nobody.
            _check(*self._files)
            self._held = self._read()
            self._version += 1
        except (OSError, ssl.SSLError) as error:
            log.error("event=certificate_not_renewed file=%s problem=%s", self._files[1], error)
        else:
            log.info("event=certificate_renewed file=%s", self._files[1])

    def _read(self) -> _Held:
        stamp = self._stamp()
        ca, certificate, key = (file.read_bytes() for file in self._files)
        return _Held(ca, certificate, key, stamp)

    def _stamp(self) -> _Stamp:
        statuses = [file.stat() for file in self._files]
        return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in statuses)


def certificates(tier: TierAccess) -> Certificates | None:
    """None: no file is named, everything is open."""
    return Certificates(tier) if tier.ca or tier.certificate or tier.key else None


def _check(ca: Path, certificate: Path, key: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
    # Without a password OpenSSL would ask for one at the terminal.
    context.load_cert_chain(certificate, key, password="")

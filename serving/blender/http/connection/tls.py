"""TLS of the HTTP server, from two files that may be renewed while it runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from schemas.errors import OperatorError
from schemas.settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 10.0


class ServerTls:
    """`context` is what the server shakes hands with; `follow` keeps it at what the files hold.

    New connections get a renewed certificate, others keep theirs. Files that
    do not fit together, as in the middle of a renewal, are left alone and
    looked at again.
    """

    def __init__(self, certificate: Path, key: Path, look_s: float = LOOK_S) -> None:
        """Raises `OperatorError` when the files are no certificate and its key."""
        self._certificate = certificate
        self._key = key
        self._look_s = look_s
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._stamp = self._now_stamp()
            self._load(self.context)
        except (OSError, ssl.SSLError) as error:
            raise OperatorError(
                f"tls_certificate {certificate} and tls_key {key} cannot be used ({error}); "
                "name a PEM chain and its key, not encrypted"
            ) from error

    async def follow(self) -> None:
        """For ever: loads the files when they have changed."""
        while True:
            await asyncio.sleep(self._look_s)
            try:
                stamp = self._now_stamp()
                if stamp == self._stamp:
                    continue
                # On trial first: a context that took the certificate, and not the key, would answer nobody.
                self._load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
                self._load(self.context)
                self._stamp = stamp
            except (OSError, ssl.SSLError) as error:
                log.error("event=certificate_not_renewed file=%s problem=%s", self._certificate, error)
            else:
                log.info("event=certificate_renewed file=%s", self._certificate)

    def _load(self, context: ssl.SSLContext) -> None:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(self._certificate, self._key, password="")

    def _now_stamp(self) -> tuple[tuple[int, int, int], ...]:
        statuses = [file.stat() for file in (self._certificate, self._key)]
        return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in statuses)


def server_tls(settings: Settings) -> ServerTls | None:
    """None: plain HTTP. Raises `OperatorError`, also when only one of the files is named."""
    if not settings.tls_certificate and not settings.tls_key:
        return None
    if not (settings.tls_certificate and settings.tls_key):
        raise OperatorError("tls_certificate and tls_key go together; set both, or neither")
    return ServerTls(Path(settings.tls_certificate), Path(settings.tls_key))

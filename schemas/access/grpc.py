"""Who may speak gRPC with whom: with `grpc_tls_*` set, only those whose certificate our authority signed.

Blender, broker, searchers and the command line are each other's clients and
servers, so one authority, and one certificate or one for each machine, serves
them all. Certificates name the address (`subjectAltName`) that others connect
to. Without the settings everything is open, on the loopback address.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc

from schemas.access.tier import TierAccess
from schemas.errors import OperatorError

Options = Sequence[tuple[str, int]]


def channel(tier: TierAccess, address: str, options: Options = ()) -> grpc.Channel:
    """A synchronous channel to `address` (host:port). Raises `OperatorError` for files that cannot be read."""
    credentials = channel_credentials(tier)
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


def channel_credentials(tier: TierAccess) -> grpc.ChannelCredentials | None:
    """For a client; None: open."""
    files = _files(tier)
    if files is None:
        return None
    ca, certificate, key = files
    return grpc.ssl_channel_credentials(ca, key, certificate)


def server_credentials(tier: TierAccess) -> grpc.ServerCredentials | None:
    """For a server, which then answers nobody without a certificate; None: open."""
    files = _files(tier)
    if files is None:
        return None
    ca, certificate, key = files
    return grpc.ssl_server_credentials([(key, certificate)], root_certificates=ca, require_client_auth=True)


def _files(tier: TierAccess) -> tuple[bytes, bytes, bytes] | None:
    """Authority, certificate, key."""
    paths = {"grpc_tls_ca": tier.ca, "grpc_tls_certificate": tier.certificate, "grpc_tls_key": tier.key}
    missing = [name for name, path in paths.items() if not path]
    if len(missing) == len(paths):
        return None
    if missing:
        raise OperatorError(f"{', '.join(paths)} belong together: set {' and '.join(missing)} too, or none")
    try:
        ca, certificate, key = (Path(path).read_bytes() for path in paths.values())
    except OSError as error:
        raise OperatorError(f"{error.filename} cannot be read ({error.strerror}); mend it, or grpc_tls_*") from error
    return ca, certificate, key

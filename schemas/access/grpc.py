"""Who may speak gRPC with whom: with `grpc_tls_*` set, only those whose certificate our authority signed.

Blender, broker, searchers and the command line are each other's clients and
servers, so one authority, and one certificate or one for each machine, serves
them all. Certificates name the address (`subjectAltName`) that others connect
to. Without the settings everything is open, on the loopback address.
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from schemas.access.certificates import certificates
from schemas.access.tier import TierAccess

Options = Sequence[tuple[str, int]]


def channel(tier: TierAccess, address: str, options: Options = ()) -> grpc.Channel:
    """A synchronous channel to `address` (host:port). Raises `OperatorError` for files that cannot be read."""
    held = certificates(tier)
    if held is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, held.for_client(), options=options)

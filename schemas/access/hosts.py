"""Who reaches a server by the address that it is bound to."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server bound to `host`. A name other than localhost is taken for public."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def near_host(host: str) -> str:
    """The address by which this machine itself reaches a server of ours that is bound to `host`."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host

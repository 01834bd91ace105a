"""Where the processes of a Flink over several machines find each other, and how they keep others out.

Whoever reaches one of their ports can have it run code. So they speak with
nobody who does not hold the key of `keystore`, one file that all of them have
(Flink's `security.ssl.internal`). The REST interface stays on the loopback
address of the job manager's machine, where the watchdog asks it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.access.hosts import is_loopback
from schemas.access.kafka import secret_text
from schemas.errors import OperatorError

DEFAULT_PORT = 6123
"""Flink's own."""

_ADDRESS = re.compile(r"([\w.-]+)(?::(\d{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class FlinkNetwork:
    """`manager`, `port`: of the job manager; `own`: this machine's address, at which the others reach it."""

    manager: str
    port: int
    own: str
    keystore: str = ""
    password_file: str = ""

    def password(self) -> str:
        """Read now; the newline at the end of the file is not part of it."""
        password = secret_text(self.password_file, "flink_tls_password_file").rstrip("\r\n")
        if not password:
            raise OperatorError(f"{self.password_file} is empty; write the keystore's password into it")
        return password


def flink_network(address: str, own: str, *, keystore: str, password_file: str) -> FlinkNetwork | None:
    """None: Flink has one machine. Raises `OperatorError` for settings that contradict each other."""
    if not address:
        if keystore or password_file:
            raise OperatorError(
                "flink_tls_keystore_file and flink_tls_password_file are for a Flink over several machines: name its "
                "job manager in flink_address"
            )
        return None
    found = _ADDRESS.fullmatch(address)
    port = DEFAULT_PORT if found is None or found[2] is None else int(found[2])
    if found is None or not 0 < port < 65536:
        raise OperatorError(
            f"setting flink_address: {address!r} is no host[:port]; write it like stream-0.example:6123"
        )
    if own in ("", "0.0.0.0", "::") or (is_loopback(own) and not is_loopback(found[1])):
        raise OperatorError(
            f"Flink's other machines cannot reach this one at {own or 'any address'}: set VITRINE_HOST to the address "
            "at which they do"
        )
    if bool(keystore) != bool(password_file):
        raise OperatorError("flink_tls_keystore_file and flink_tls_password_file belong together: set both, or neither")
    return FlinkNetwork(found[1], port, own, keystore, password_file)

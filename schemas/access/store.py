"""Where the stores' server is, and how one gets in: the settings `store*` as one value.

It names a file and holds no secret, so that it may be logged, pickled into a
job and shown; whoever connects reads the password at that moment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from schemas.access.kafka import secret_text
from schemas.errors import OperatorError

LOCAL = "rocksdb"
"""The setting `store` of a system whose stores lie in its home."""

_WANTED = "wanted is rocksdb, or redis://[user@]host[:port][/database], or the same with rediss:// for TLS"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class StoreServer:
    """A server that speaks the Redis protocol. `name`: with it begins every key of this system."""

    host: str
    port: int
    database: int = 0
    username: str = ""
    password_file: str = ""
    encrypted: bool = False
    ca: str = ""
    name: str = "vitrine"

    def password(self) -> str | None:
        """Read now; None where no file is named. The newline at the end of the file is not part of it."""
        if not self.password_file:
            return None
        password = secret_text(self.password_file, "store_password_file").rstrip("\r\n")
        if not password:
            raise OperatorError(f"{self.password_file} is empty; write the store server's password into it")
        return password

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def store_server(store: str, *, password_file: str, ca: str, name: str) -> StoreServer | None:
    """None: the stores lie in the home. Raises `OperatorError` for what is neither, without repeating it."""
    if store == LOCAL:
        if password_file or ca:
            raise OperatorError("store_password_file and store_tls_ca are for a server: set store to redis://host:port")
        return None
    try:
        parts = urlsplit(store)
        port = 6379 if parts.port is None else parts.port
        database = int(parts.path.removeprefix("/") or 0)
    except ValueError as error:
        raise OperatorError(f"the setting store is not usable; {_WANTED}") from error
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or parts.query or parts.fragment or database < 0:
        raise OperatorError(f"the setting store is not usable; {_WANTED}")
    if parts.password is not None:
        raise OperatorError(
            "the setting store has a password in it, which logs and listings would show: write the password into a "
            "file that Vitrine's user alone can read, name it in store_password_file and take it out of store"
        )
    if ca and parts.scheme != "rediss":
        raise OperatorError("store_tls_ca is set but not used: begin store with rediss://")
    if not _NAME.fullmatch(name):
        raise OperatorError(f"store_name {name!r} is not usable; wanted are 1 to 64 letters, digits, '.', '_' and '-'")
    return StoreServer(
        parts.hostname, port, database, parts.username or "", password_file, parts.scheme == "rediss", ca, name
    )

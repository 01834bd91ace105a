"""API keys: the file that they are kept in, and what a key looks like.

A key is `vtr_<id>_<secret>`. The secret is 32 random bytes, so a salted
SHA-256 is all that keeping it safe takes: there is nothing to guess, and slow
hashes are for passwords. The file holds hashes, never keys; whoever reads it
can use none. It is replaced as a whole, by a rename, and readable by its owner.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from disk.locks import locked
from schemas.errors import CorruptError, OperatorError

VERSION = 1
_KEY = re.compile(r"vtr_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Role(StrEnum):
    """What a key is for. `schemas` knows the names; which route needs which is told where the routes are."""

    SEARCH = "search"
    """Ask: searches, receipts, pictures."""
    OPERATE = "operate"
    """Look into the machinery: the index's state, metrics."""
    ERASE = "erase"
    """Have a product's data destroyed."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key as it is kept. Limits of 0 are none."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    roles: Annotated[tuple[Role, ...], Meta(min_length=1)]
    salt: str
    hash: str
    """SHA-256 over salt and secret, in hex, as the salt is."""
    created: str
    requests_per_s: Annotated[float, Meta(ge=0)] = 0.0
    photo_bytes_per_minute: Annotated[int, Meta(ge=0)] = 0

    def opens_with(self, secret: str) -> bool:
        """Takes the same time whether or not it does."""
        return hmac.compare_digest(self.hash, _hash(self.salt, secret))


class ApiKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    version: int = VERSION
    keys: tuple[ApiKey, ...] = ()

    def find(self, text: str) -> ApiKey | None:
        """The key that `text` is; None when it is none of these."""
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        found = next((key for key in self.keys if key.id == match[1]), None)
        return found if found is not None and found.opens_with(match[2]) else None


_decoder = msgspec.json.Decoder(ApiKeys)


def new_key(
    name: str, roles: tuple[Role, ...], requests_per_s: float = 0.0, photo_bytes_per_minute: int = 0
) -> tuple[ApiKey, str]:
    """The key to be kept, and its text, which is nowhere else. Raises `OperatorError` for an unusable name or limit."""
    secret, salt, key_id = secrets.token_urlsafe(32), secrets.token_hex(16), secrets.token_hex(6)
    key = ApiKey(
        id=key_id,
        name=name,
        roles=roles,
        salt=salt,
        hash=_hash(salt, secret),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        requests_per_s=requests_per_s,
        photo_bytes_per_minute=photo_bytes_per_minute,
    )
    try:
        msgspec.json.decode(msgspec.json.encode(key), type=ApiKey)
    except msgspec.ValidationError as error:
        raise OperatorError(f"not usable as a key: {error}; see vitrine keys add --help") from error
    return key, f"vtr_{key_id}_{secret}"


def read_keys(file: Path) -> ApiKeys:
    """Raises `FileNotFoundError`, `OSError`, or `CorruptError` when the file is no such file."""
    try:
        found = _decoder.decode(file.read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # msgspec names a field or a place, never a value.
        raise CorruptError(f"{file} holds no API keys: {error}; restore it, or remove it and make new keys") from error
    if found.version != VERSION:
        raise CorruptError(f"{file} is of version {found.version}, this program reads {VERSION}; update the program")
    return found


def change_keys(file: Path, change: Callable[[ApiKeys], ApiKeys]) -> None:
    """Reads, changes and replaces the file, which need not be there, one process at a time. Raises as `read_keys`."""
    with locked(file.with_name(f".{file.name}.lock")):
        try:
            before = read_keys(file)
        except FileNotFoundError:
            before = ApiKeys()
        data = msgspec.json.format(msgspec.json.encode(change(before)), indent=1)
        descriptor, part = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # readable by its owner alone
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(part).replace(file)
        except OSError:
            Path(part).unlink(missing_ok=True)
            raise


def _hash(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}{secret}".encode()).hexdigest()

"""Small JSON documents that carry a checksum of their own: `{"checksum": ..., NAME: {...}}`.

A manifest or an alias that was cut off or edited is noticed before anything is read from it.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from schemas.errors import CorruptError


def wrap(name: str, body: bytes) -> bytes:
    """`body`, an encoded JSON value, under `name` and beside its BLAKE2b-128."""
    return msgspec.json.encode({"checksum": _checksum(body), name: msgspec.Raw(body)})


def unwrap(name: str, data: bytes) -> bytes:
    """The body that `wrap` took. Raises `CorruptError`."""
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        body = bytes(parts[name])
        checksum = msgspec.json.decode(parts["checksum"], type=str)
    except KeyError as error:
        raise CorruptError(f"{name} lacks {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptError(f"{name} does not decode: {error}") from error
    if _checksum(body) != checksum:
        raise CorruptError(f"{name} does not match its checksum")
    return body


def _checksum(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()

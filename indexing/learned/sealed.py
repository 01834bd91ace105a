"""The bytes of a learned part: what it is, its fields as MessagePack, and their BLAKE2b-128 at the end."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

from schemas.errors import CorruptError

S = TypeVar("S", bound=msgspec.Struct)
R = TypeVar("R")

_DIGEST = 16


class Sealed(Generic[S]):
    """One kind of part. `magic` begins its bytes and names their version; `stored`: its fields; `name` and `remedy`
    are what an error calls it and advises."""

    def __init__(self, magic: bytes, stored: type[S], name: str, remedy: str) -> None:
        self._magic = magic
        self._decoder = msgspec.msgpack.Decoder(stored)
        self._name = name
        self._remedy = remedy

    def write(self, stored: S) -> bytes:
        """The same fields give the same bytes."""
        body = self._magic + msgspec.msgpack.encode(stored)
        return body + blake2b(body, digest_size=_DIGEST).digest()

    def read(self, data: bytes, made: Callable[[S], R]) -> R:
        """What `made` makes of the fields; it may raise `ValueError`.

        Raises `CorruptError` for bytes that were not written so, and for fields that nothing can be made of.
        """
        body = data[:-_DIGEST]
        if not body.startswith(self._magic) or blake2b(body, digest_size=_DIGEST).digest() != data[-_DIGEST:]:
            raise CorruptError(f"{self._name} is not what was written: {self._remedy}")
        try:
            return made(self._decoder.decode(body[len(self._magic) :]))
        except (msgspec.MsgspecError, ValueError) as error:
            raise CorruptError(f"{self._name} does not decode ({error}): {self._remedy}") from error


def digest_of(data: bytes) -> str:
    """The digest at the end of a part's bytes, hex."""
    return data[-_DIGEST:].hex()


BUILD_ANEW = "build the full index anew (vitrine build)"
"""The remedy for what a build has learned."""

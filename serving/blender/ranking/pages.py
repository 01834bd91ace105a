"""Cursors: which products a client has seen, so that the next page is the best of what it has not.

A cursor carries the hashes of the products shown, not a place in an order:
while the index changes, a page neither repeats a product nor passes one by.
Nothing is kept for it here, and it proves nothing: a forged one hides products
from whoever forged it.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from schemas.errors import RejectedError
from schemas.query.question import DIGEST_BYTES

INVALID_CURSOR = "invalid_cursor"
VERSION = 1
MAX_SHOWN = 1000
"""Products that pages show, one after the other; then there is no further one."""
HASH_BYTES = 8
MAX_CURSOR_CHARACTERS = 4 * (MAX_SHOWN * HASH_BYTES + 64) // 3
"""Longer than any cursor; one that is longer is refused before it is looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`shown`: hashes of the products that pages had; `named`: how many of them had no place of their own there."""

    shown: frozenset[bytes] = frozenset()
    named: int = 0

    @property
    def places(self) -> int:
        """Places of all pages before: a product's position counts on from there."""
        return len(self.shown) - self.named


class _Cursor(msgspec.Struct, array_like=True, frozen=True):
    """`shown`: hashes, one after the other, in ascending order; `named`: see `Seen`."""

    version: int
    digest: bytes
    shown: bytes
    named: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Cursor)


def encode(shown: Collection[bytes], digest: bytes, named: int = 0) -> str:
    """The cursor of the page after these products (`schemas.ids.product_hash`), of the question with that digest.

    `named`: how many of them were named under another only.

    "" once `MAX_SHOWN` were shown: there is no further page.
    """
    if len(shown) >= MAX_SHOWN:
        return ""
    body = _encoder.encode(_Cursor(VERSION, digest, b"".join(sorted(shown)), named))
    return urlsafe_b64encode(body).rstrip(b"=").decode()


def decode(text: str, digest: bytes) -> Seen:
    """The products shown so far; none for "", the first page.

    Raises `RejectedError('invalid_cursor', ...)` for a cursor that is damaged, of another version, or of a question
    with another digest.
    """
    if not text:
        return Seen()
    if len(text) > MAX_CURSOR_CHARACTERS:
        raise _invalid(f"{len(text)} characters; a cursor has up to {MAX_CURSOR_CHARACTERS}")
    try:
        body = b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = _decoder.decode(body)
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError) as error:
        raise _invalid(f"damaged ({error})") from error
    if cursor.version != VERSION:
        raise _invalid(f"of version {cursor.version}, this is {VERSION}")
    count, rest = divmod(len(cursor.shown), HASH_BYTES)
    if len(cursor.digest) != DIGEST_BYTES or rest or not 0 <= cursor.named <= count:
        raise _invalid("damaged")
    if cursor.digest != digest:
        raise _invalid("of another question; only limit, facets and explain may differ from page to page")
    shown = cursor.shown
    hashes = frozenset(shown[start : start + HASH_BYTES] for start in range(0, len(shown), HASH_BYTES))
    return Seen(hashes, min(cursor.named, len(hashes)))


def _invalid(problem: str) -> RejectedError:
    return RejectedError(INVALID_CURSOR, f"cursor: {problem}; ask for the first page again, without a cursor")

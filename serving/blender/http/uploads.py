"""Reading request bodies within limits, while they arrive: nothing beyond the limit is ever held."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec
import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from schemas.errors import RejectedError, TransientError
from schemas.query.body import MAX_IMAGES, MAX_LIMIT
from serving.backend import OVERLOADED
from serving.blender.asking.likeness import vector_of
from serving.blender.embedding.memory import FreedMemory
from serving.blender.http.allowance import ALLOWANCE, Allowance

MULTIPART_OVERHEAD_BYTES = 64 * 1024
"""Boundaries, part headers and small fields around a photo."""
VECTOR_BODY_BYTES = 1_000_000
PHOTOS_TOGETHER = 2
"""Photos of one request may have as many times the bytes of the largest one allowed."""
TOTAL_BYTES = 64_000_000
SMALL_BYTES = 1_000_000


class VectorQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON body of POST /v1/search/vector. Without a `limit` the URL's counts, where all other options are."""

    vector: list[float]
    limit: int | None = None


_Hold = Callable[[int], None]
"""Told of bytes before they are kept; raises `TransientError` when there is no room for them."""

_query_decoder = msgspec.json.Decoder(VectorQuery)


class Uploads:
    """Bodies that are received or worked with, and how much memory they may take together. Lives on one event loop.

    `photo_max_bytes`: of one photo; `total_bytes`: of all bodies; what is more
    is answered `overloaded`. A quarter is for bodies of up to `SMALL_BYTES`
    alone: a few enormous or slow uploads leave room for ordinary ones.
    """

    def __init__(self, photo_max_bytes: int, total_bytes: int = TOTAL_BYTES, memory: FreedMemory | None = None) -> None:
        self.photo_max_bytes = photo_max_bytes
        self._total_bytes = total_bytes
        self._memory = memory or FreedMemory()
        self.held_bytes = 0

    @asynccontextmanager
    async def photos(self, request: Request) -> AsyncGenerator[tuple[list[bytes], str], None]:
        """The multipart fields `image`, and the field `text`, held until the block ends.

        Raises `RejectedError` (`media_type`, `too_large`, `malformed_body`, `field_missing` or `image_empty`), or
        `TransientError('overloaded', ...)`, or `TooManyError` when it is more than the caller's key allows.
        """
        with self._hold() as hold:
            yield await _photos_of(request, self.photo_max_bytes, _charged(request, hold))

    @asynccontextmanager
    async def json(self, request: Request, most: int | None = None) -> AsyncGenerator[bytes, None]:
        """A body of JSON of up to `most` bytes, held until the block ends; None: it may have photos in it.

        Raises as `photos` does.
        """
        media_type = _media_type(request)
        if media_type != "application/json":
            raise RejectedError("media_type", f"found {media_type or 'no content type'}; send application/json")
        most = PHOTOS_TOGETHER * self.photo_max_bytes * 4 // 3 + VECTOR_BODY_BYTES if most is None else most
        with self._hold() as hold:
            # Photos are charged as such: more than a question without any could have.
            hold = _charged(request, hold) if _announced(request) > VECTOR_BODY_BYTES else hold
            yield b"".join([chunk async for chunk in _limited(request, most, most, hold)])

    @asynccontextmanager
    async def vector(self, request: Request, query_limit: int) -> AsyncGenerator[tuple[NDArray[np.float32], int], None]:
        """Vector and limit of either form of the body; `query_limit` is the URL's, the raw form has no other.

        Raises `RejectedError` (`media_type`, `too_large`, `malformed_body` or `invalid_query`), or
        `TransientError('overloaded', ...)`.
        """
        with self._hold() as hold:
            yield await _vector_of(request, query_limit, hold)

    @contextmanager
    def _hold(self) -> Iterator[_Hold]:
        held = 0

        def more(received: int) -> None:
            nonlocal held
            most = self._total_bytes if held + received <= SMALL_BYTES else self._total_bytes * 3 // 4
            if self.held_bytes + received > most:
                raise TransientError(OVERLOADED, "other uploads take all the room there is; try again in a second")
            held += received
            self.held_bytes += received

        try:
            yield more
        finally:
            self.held_bytes -= held
            if held > SMALL_BYTES:
                self._memory.note(held)


class _PhotoParser(MultiPartParser):
    """Keeps a photo in memory: its size is bounded, and a temporary file would cost more than it saves."""

    spool_max_size = 64 * 1024 * 1024


async def _photos_of(request: Request, max_bytes: int, hold: _Hold) -> tuple[list[bytes], str]:
    media_type = _media_type(request)
    if media_type != "multipart/form-data":
        raise RejectedError(
            "media_type", f"found {media_type or 'no content type'}; send multipart/form-data with a file field `image`"
        )
    body = _limited(request, PHOTOS_TOGETHER * max_bytes + MULTIPART_OVERHEAD_BYTES, max_bytes, hold)
    try:
        form = await _PhotoParser(request.headers, body, max_files=MAX_IMAGES, max_fields=16).parse()
    except MultiPartException as error:
        raise RejectedError(
            "malformed_body", f"{error.message}; send up to {MAX_IMAGES} file fields `image`"
        ) from error
    except KeyError as error:
        raise RejectedError("malformed_body", "the content type has no boundary; let the client write it") from error
    try:
        fields = form.getlist("image")
        if not fields or not all(isinstance(field, UploadFile) for field in fields):
            raise RejectedError("field_missing", "the form has no file field `image`; put the photo there")
        photos = [await field.read() for field in fields if isinstance(field, UploadFile)]
        text = form.get("text") or ""
        if not isinstance(text, str):
            raise RejectedError("malformed_body", "the field `text` is a file; send it as text")
    finally:
        await form.close()
    if not all(photos):
        raise RejectedError("image_empty", "a field `image` has no bytes; choose the photo again")
    if max(map(len, photos)) > max_bytes:
        raise _too_large(max_bytes)
    return photos, text.strip()


async def _vector_of(request: Request, query_limit: int, hold: _Hold) -> tuple[NDArray[np.float32], int]:
    media_type = _media_type(request)
    if media_type not in ("application/json", "application/octet-stream"):
        raise RejectedError(
            "media_type",
            f"found {media_type or 'no content type'}; send application/json or application/octet-stream "
            "(little-endian float32)",
        )
    body = b"".join([chunk async for chunk in _limited(request, VECTOR_BODY_BYTES, VECTOR_BODY_BYTES, hold)])
    if media_type == "application/octet-stream":
        if len(body) % 4:
            raise RejectedError(
                "malformed_body",
                f"{len(body)} bytes are no whole float32 numbers; send 4 bytes a number, little-endian",
            )
        return np.frombuffer(body, dtype="<f4"), query_limit
    try:
        query = _query_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RejectedError(
            "invalid_query", f'{error}; send {{"vector": [...], "limit": 10}}, and all other options in the URL'
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError("malformed_body", f"not JSON: {error}") from error
    limit = query_limit if query.limit is None else query.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise RejectedError("invalid_query", f"limit {limit}; ask for 1 to {MAX_LIMIT} products")
    return vector_of(query.vector), limit


def _charged(request: Request, hold: _Hold) -> _Hold:
    """Charges the caller's key, if it has one: the announced length at once, else what comes as it comes."""
    allowance: Allowance | None = request.scope.get(ALLOWANCE)
    if allowance is None:
        return hold
    if announced := _announced(request):
        allowance.photo(announced)
        return hold

    def charged(received: int) -> None:
        allowance.photo(received)
        hold(received)

    return charged


def _announced(request: Request) -> int:
    """Length of the body, as its header says; 0 where none does."""
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else 0


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _limited(request: Request, limit: int, told: int, hold: _Hold) -> AsyncGenerator[bytes, None]:
    """The body's chunks, each held; stops with `too_large` at the announced length, or once more than `limit` came."""
    if _announced(request) > limit:
        raise _too_large(told)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise _too_large(told)
        hold(len(chunk))
        yield chunk


def _too_large(max_bytes: int) -> RejectedError:
    return RejectedError("too_large", f"at most {max_bytes} bytes are taken; send a smaller one")

"""Pictures that lie in files or in an object store, for browsers: what the fetch policy allows, and what is a picture.

Who may see one is decided before: a catalogue picture is shown while the index
lists a product with it (`BlenderService.shows`), an example while the sample
names it. A refusal never tells where a file lies, or whether one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

from fastapi import Response

from schemas.errors import RejectedError, TransientError

Fetch = Callable[[str], bytes]
"""URL to bytes under the policy of the catalogue's own fetches. Blocks; raises `RejectedError` or `TransientError`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as HTTP shows it."""

    data: bytes
    media_type: str
    etag: str


class Pictures:
    """`fetch` should know file and s3 URLs alone: browsers open others, and a blender that did would be a proxy."""

    def __init__(self, fetch: Fetch, threads: int = 4) -> None:
        self._fetch = fetch
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="picture")

    async def answer(self, url: str, if_none_match: str | None) -> Response:
        """The picture, or 304 when the client has it still.

        It is never to be shown again without asking: a removed product's picture is gone from caches as well.
        Raises `RejectedError` or `TransientError`.
        """
        found = await asyncio.get_running_loop().run_in_executor(self._executor, self._load, url)
        headers = {
            "Cache-Control": "private, no-cache",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "ETag": found.etag,
            "X-Content-Type-Options": "nosniff",
        }
        if if_none_match is not None and found.etag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(found.data, media_type=found.media_type, headers=headers)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _load(self, url: str) -> Picture:
        try:
            data = self._fetch(url)
        except RejectedError as error:
            raise RejectedError(error.reason, _TOLD.get(error.reason, "this picture cannot be shown")) from error
        except TransientError as error:
            raise TransientError(error.reason, "the picture cannot be read at present; try again later") from error
        return Picture(data, media_type_of(data), f'"{blake2b(data, digest_size=12).hexdigest()}"')


_TOLD = {
    "image_missing": "the picture's file is not there any more",
    "folder_not_allowed": "the picture lies outside the folders that pictures may be read from",
    "bucket_not_allowed": "the picture lies outside the buckets that pictures may be read from",
    "url_scheme": "only pictures in files are shown here; others are where their address says",
    "image_too_large": "the picture's file is larger than pictures may be",
}
"""The fetch's own words name paths of this machine; they are for the dead letters."""


def media_type_of(data: bytes) -> str:
    """By the first bytes, never by the name. Raises `RejectedError('image_format', ...)`: no other file is shown."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise RejectedError("image_format", "the file is neither JPEG, PNG, GIF nor WebP, and nothing else is shown")

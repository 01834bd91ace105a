"""Catalogue pictures that lie in files, for browsers: what the fetch policy allows, and what is a picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

from schemas.errors import RejectedError

Fetch = Callable[[str], bytes]
"""URL to bytes under the policy of the catalogue's own fetches. Blocks; raises `RejectedError` or `TransientError`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as HTTP shows it."""

    data: bytes
    media_type: str
    etag: str


class Pictures:
    """`fetch` should know file URLs only: browsers open others themselves, and a blender that did would be a proxy."""

    def __init__(self, fetch: Fetch, threads: int = 4) -> None:
        self._fetch = fetch
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="picture")

    async def load(self, url: str) -> Picture:
        """Raises `RejectedError('image_format', ...)` or what `fetch` does."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._load, url)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _load(self, url: str) -> Picture:
        data = self._fetch(url)
        return Picture(data, media_type_of(data), f'"{blake2b(data, digest_size=12).hexdigest()}"')


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

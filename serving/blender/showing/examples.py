"""Photos to try the search with: the query photos of the sample catalogue, where it was made."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec

from schemas.errors import RejectedError

log = logging.getLogger(__name__)

MAX_EXAMPLES = 24
_LARGEST_FILE_BYTES = 1_000_000


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A shopper's photo of a product; `image_url` is relative to the blender's address."""

    product_id: str
    category: str | None
    image_url: str


class ExamplesAnswer(msgspec.Struct, frozen=True):
    """None where the catalogue is somebody's own: nobody has photographed it for us."""

    examples: list[Example]


class _Query(msgspec.Struct, frozen=True):
    """A line of `queries.jsonl`; `image` is a path below the catalogue's folder."""

    image: str
    product_id: str
    category: str | None = None


_decoder = msgspec.json.Decoder(_Query)


class Examples:
    """Reads `folder`/queries.jsonl anew whenever it has changed: the sample may be made while the blender runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: tuple[int, int] | None = None
        self._examples: list[Example] = []
        self._files: list[str] = []

    async def all(self) -> ExamplesAnswer:
        """At most `MAX_EXAMPLES`, in the order of the file."""
        return ExamplesAnswer(await asyncio.to_thread(self._current))

    async def file_url(self, number: int) -> str:
        """Of the photo of one of them, by its place. Raises `RejectedError('not_found', ...)`."""
        await asyncio.to_thread(self._current)
        if not 0 <= number < len(self._files):
            raise RejectedError("not_found", f"there is no example {number}; GET /v1/examples lists them")
        return self._files[number]

    def _current(self) -> list[Example]:
        file = self._folder / "queries.jsonl"
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                with file.open("rb") as opened:
                    data = opened.read(_LARGEST_FILE_BYTES)
                self._examples, self._files = self._read(data)
                self._stamp = stamp
        except FileNotFoundError:
            self._stamp, self._examples, self._files = None, [], []
        except (OSError, msgspec.MsgspecError) as error:
            # The page works without examples; the log says why there are none.
            log.warning("event=examples_unreadable file=%s error=%s", file, error)
            return []
        return self._examples

    def _read(self, data: bytes) -> tuple[list[Example], list[str]]:
        """Examples, and the file URLs of their photos."""
        queries = [_decoder.decode(line) for line in data.splitlines()[:MAX_EXAMPLES] if line.strip()]
        root = self._folder.resolve()
        examples = [
            Example(product_id=query.product_id, category=query.category, image_url=f"v1/examples/{number}/photo")
            for number, query in enumerate(queries)
        ]
        return examples, [(root / query.image).as_uri() for query in queries]

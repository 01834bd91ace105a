"""What lies in one place of an object store: reading, writing, writing on a condition, listing, removing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objects.client import ChangedError, s3_client, worded
from schemas.access.objects import ObjectPlace

PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Listed:
    """An object. `path`: relative to the place; `changed_s`: Unix time at which it was written, by the server."""

    path: str
    size: int
    changed_s: float


class Objects:
    """All paths are relative to `place`. Any thread.

    Every method raises `ObjectsError`, which is an `OSError`, where the store
    does not answer or refuses, and those that read `FileNotFoundError`.
    """

    def __init__(self, place: ObjectPlace) -> None:
        """Raises `OperatorError` where boto3 is not installed."""
        self.place = place
        self._client: Any = s3_client()

    def read(self, path: str) -> bytes:
        return self.tagged(path)[0]

    def tagged(self, path: str) -> tuple[bytes, str]:
        """The object and its tag, which another content does not have."""
        with worded(self._shown(path)):
            answer = self._client.get_object(**self._at(path))
            with closing(answer["Body"]) as body:
                return body.read(), answer["ETag"]

    def pieces(self, path: str) -> Iterator[bytes]:
        """The object in pieces of `PIECE` bytes at most."""
        with worded(self._shown(path)), closing(self._client.get_object(**self._at(path))["Body"]) as body:
            yield from body.iter_chunks(PIECE)

    def write(self, path: str, data: bytes) -> None:
        """Replaced at once: a reader sees the old or the new bytes."""
        with worded(self._shown(path)):
            self._client.put_object(**self._at(path), Body=data)

    def replace(self, path: str, data: bytes, tag: str | None) -> None:
        """As `write`, but only over what has that tag; None: only where nothing is. Raises `ChangedError` else."""
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            with worded(self._shown(path)):
                self._client.put_object(**self._at(path), Body=data, **condition)
        except FileNotFoundError as error:
            raise ChangedError(self._shown(path)) from error  # it was removed
        except ChangedError:
            # The library asks again where an answer was lost: then it is this very write that is there already.
            if not self._holds(path, data):
                raise

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self.read(path) == data
        except FileNotFoundError:
            return False

    def upload(self, path: str, file: Path) -> None:
        """A file of any size, in parts; it is there when all of it is."""
        with worded(self._shown(path)):
            self._client.upload_file(str(file), self.place.bucket, self.place.key(path))

    def folders(self) -> list[str]:
        """Names directly below the place that have something below them."""
        top = self.place.key("")
        return [
            each["Prefix"][len(top) : -1] for page in self._pages(top, "/") for each in page.get("CommonPrefixes", ())
        ]

    def list(self, folder: str) -> list[Listed]:
        """Everything below `folder`."""
        start = len(self.place.key(""))
        return [
            Listed(each["Key"][start:], each["Size"], each["LastModified"].timestamp())
            for page in self._pages(self.place.key(f"{folder}/"))
            for each in page.get("Contents", ())
        ]

    def remove(self, paths: Iterable[str]) -> None:
        """One by one: of many at once servers want checksums of different kinds. What is not there is removed."""
        for path in paths:
            with suppress(FileNotFoundError), worded(self._shown(path)):
                self._client.delete_object(**self._at(path))

    def _pages(self, prefix: str, delimiter: str = "") -> Iterator[Any]:
        with worded(str(self.place)):
            pages = self._client.get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self.place.bucket, Prefix=prefix, Delimiter=delimiter)

    def _at(self, path: str) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self.place.key(path)}

    def _shown(self, path: str) -> str:
        return f"{self.place}/{path}"

"""Places in an object store that speaks S3, written s3://bucket/prefix.

Which server that is and how one gets in says the environment of the client
library (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ...): no setting holds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import OperatorError

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}")
_SCHEME = "s3://"
_URL = re.compile(r"s3:|.*://")
"""With a stroke less it is a slip of the pen; a folder of such a name can be written ./s3:..."""


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """What lies below a prefix of a bucket, as below a folder."""

    bucket: str
    prefix: str = ""

    def key(self, path: str) -> str:
        """The key of the object at `path`, which is relative to the place."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class CopiedPlace:
    """An object place of which copies are kept on this machine, in the folder `copies`."""

    place: ObjectPlace
    copies: Path

    def __str__(self) -> str:
        return str(self.place)


FullIndexes = Path | CopiedPlace
"""Where the full indexes of a system lie: a folder, or an object store."""


def object_place(text: str, setting: str) -> ObjectPlace | None:
    """None: `text` is no URL, but a folder. Raises `OperatorError` for a URL that is none of a place."""
    if not _URL.match(text):
        return None
    bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
    prefix = prefix.strip("/")
    if not text.startswith(_SCHEME) or not _BUCKET.fullmatch(bucket) or not is_path(prefix):
        raise OperatorError(f"{setting}={text!r} is not usable; wanted is a folder, or s3://bucket/prefix")
    return ObjectPlace(bucket, prefix)


def is_path(text: str) -> bool:
    """Whether it can stand between slashes of a key without leading elsewhere; the empty one is the place itself."""
    return not text or not ({"", ".", ".."} & {*text.split("/")} or any(ord(each) < 32 for each in text))

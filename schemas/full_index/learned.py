"""What a full index learned from the shop's own data beside its shards: a map, a projection, a ranking model.

Each is one file of the generation, `learned/<kind>`, that its own module encodes and decodes; this says what it
is of, what it measured on data that it was not learned from, and whether it is used. Fields are only ever added,
with a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

FOLDER = "learned"
"""Beside the shards' folders; a file in it for each part, named by its kind."""


class LearnedPart(msgspec.Struct, frozen=True, kw_only=True):
    """One learned part.

    `kind`: `meaning`, ... `inputs`: the ids of what it takes and gives, such as
    `extractor_id` and `text_encoder_id`; one that does not fit what serves is
    left alone. `size`, `checksum`: of its file, BLAKE2b-128, hex. `held`: what it
    measured on data held back, `by_chance`: the same of one that could learn
    nothing, `settings`: how it was learned, with its seed. `used`: it is worth
    its while by its module's rule; if not, `why` says what it lacked, and its file is kept for whoever looks.
    """

    kind: str
    inputs: dict[str, str]
    size: int
    checksum: str
    used: bool
    why: str = ""
    held: dict[str, float] = {}
    by_chance: dict[str, float] = {}
    settings: dict[str, Any] = {}


class Worth(Protocol):
    """What learning says of what it learned, besides the part itself; see `LearnedPart`."""

    @property
    def used(self) -> bool: ...
    @property
    def why(self) -> str: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...


def checksum_of(data: bytes) -> str:
    """BLAKE2b-128, hex."""
    return blake2b(data, digest_size=16).hexdigest()


def entry_of(
    kind: str, data: bytes, inputs: dict[str, str], worth: Worth, held: dict[str, float], by_chance: dict[str, float]
) -> LearnedPart:
    """What a generation says of the part whose file holds `data`."""
    return LearnedPart(
        kind=kind,
        inputs=inputs,
        size=len(data),
        checksum=checksum_of(data),
        used=worth.used,
        why=worth.why,
        held=held,
        by_chance=by_chance,
        settings=dict(worth.settings),
    )

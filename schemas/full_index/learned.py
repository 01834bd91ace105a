"""What a full index learned from the shop's own data beside its shards: a map, a projection, a ranking model.

Each is one file of the generation, `learned/<kind>`, that its own module encodes and decodes; this says what it
is of, what it measured on data that it was not learned from, and whether it is used. Fields are only ever added,
with a default.
"""

from __future__ import annotations

from typing import Any

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

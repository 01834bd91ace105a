"""A generation: one whole full index, and the alias that says which of them serves (JSON, both checksummed).

    generations/<name>/generation.json      `Generation`, written last
    generations/<name>/shard-<s>/           a shard's files, see schemas.full_index.manifest
    generations/<name>/learned/<kind>       what was learned beside them, see schemas.full_index.learned
    generations/alias.json                  `Alias`, replaced atomically

Names sort in the order of their making. Fields are only ever added, with a
default.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from schemas.checked_json import unwrap, wrap
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.learned import LearnedPart

FORMAT = 1

LIVE = "live"
"""Stands for a generation's name where there is no full index: the index that grew from `index-deltas` alone."""

_NAME = re.compile(r"g\d{8}T\d{6}-[0-9a-f]{6}")


class GenerationShard(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of a generation. `manifest`: BLAKE2b-128 of its manifest.json, which names all other files' checksums.

    `bytes`: of all its files. `digest`: of its valid images, hex. `recall`: measured @10 at build time.
    """

    manifest: str
    bytes: int
    images: int
    valid: int
    searchable: int
    digest: str
    kind: str
    lists: int
    nprobe: int
    recall: float
    training: dict[str, Any] = {}


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What a full index stands for.

    `encoder`, `weights`: what a blender loads to embed photos for it.
    `delta_offsets[p]`: the next offset of partition p of `index-deltas` to
    apply over it. `catalogue_valid`: valid images of the catalogue copy it was
    built from, and `catalogue_digests` their digest per shard, both from a
    pass of their own over that copy. `settings`: how it was built.
    `took_s`: seconds by phase. `learned`: what was learned from it, one of a kind.
    """

    format: int = FORMAT
    name: str
    created_ms: int
    extractor_id: str
    encoder: str
    weights: str
    dimension: int
    delta_partitions: int
    delta_offsets: list[int]
    shards: list[GenerationShard]
    catalogue_valid: int
    catalogue_digests: list[str]
    settings: dict[str, Any] = {}
    took_s: dict[str, float] = {}
    learned: list[LearnedPart] = []

    @property
    def images(self) -> int:
        return sum(shard.images for shard in self.shards)

    @property
    def searchable(self) -> int:
        return sum(shard.searchable for shard in self.shards)

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards) + sum(part.size for part in self.learned)


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """Which generation serves.

    `version` grows by one with every move. `previous`: those that served
    before, latest first, that `--rollback` goes back to. `beside`: generations
    that searchers hold as well, asked by name only. `why`: publish, rollback,
    chosen, beside, taken back. `serving` is "live" where a first publication
    was taken back.
    """

    version: int
    serving: str
    previous: list[str] = []
    beside: list[str] = []
    moved_ms: int = 0
    why: str = ""

    @property
    def held(self) -> list[str]:
        """All that searchers should hold, the serving one first."""
        return [self.serving, *self.beside]


def check_name(name: str) -> str:
    """`name`, if it is one of a generation. Raises `OperatorError`."""
    if not _NAME.fullmatch(name):
        raise OperatorError(f"{name!r} is no generation's name; vitrine alias lists them")
    return name


def encode_generation(generation: Generation) -> bytes:
    return wrap("generation", msgspec.json.encode(generation))


def decode_generation(data: bytes) -> Generation:
    """Raises `CorruptError`."""
    return _decode("generation", data, _generation_decoder)


def encode_alias(alias: Alias) -> bytes:
    return wrap("alias", msgspec.json.encode(alias))


def decode_alias(data: bytes) -> Alias:
    """Raises `CorruptError`."""
    return _decode("alias", data, _alias_decoder)


_Document = TypeVar("_Document", Generation, Alias)


def _decode(name: str, data: bytes, decoder: msgspec.json.Decoder[_Document]) -> _Document:
    try:
        found = decoder.decode(unwrap(name, data))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptError(f"{name} does not decode: {error}") from error
    if isinstance(found, Generation) and found.format != FORMAT:
        raise CorruptError(f"{name} format {found.format}; this version reads {FORMAT}: upgrade it")
    return found


_generation_decoder = msgspec.json.Decoder(Generation)
_alias_decoder = msgspec.json.Decoder(Alias)

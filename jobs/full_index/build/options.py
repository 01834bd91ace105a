"""What a build is asked for, and what it comes to once the settings and the serving generation are known."""

from __future__ import annotations

from dataclasses import dataclass

from indexing.build.builder import BuildSettings
from indexing.lists.codec import code_bytes
from indexing.lists.kinds import IndexKind
from jobs.full_index.build.look.choosing import ChosenLook
from jobs.pipeline.extraction.extractors import ExtractorSpec, configured
from schemas.errors import OperatorError
from schemas.features.ids import dimension_of, features_of
from schemas.full_index.generation import Generation
from schemas.settings import Settings
from vision.extractor import extractor_id

MAX_SHARDS = 4096


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """None: as the serving generation (shards, encoder) or the settings (all else) have it.

    `lists` 0: from a shard's images. `extract`: ask for missing vectors first,
    also of the main extractor, whose missing ones the stream asks for by
    itself. `wait_s`: how long extraction may stand still before the build goes
    on without the rest.
    """

    shards: int | None = None
    kind: str | None = None
    lists: int | None = None
    recall: float | None = None
    headroom: float | None = None
    seed: int | None = None
    encoder: str | None = None
    weights: str | None = None
    extract: bool = False
    wait_s: float = 120.0


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """The index to build: whose features, how many shards, each made how. `settings.threads` is set by the job.

    `look`: by what its vectors are made, once it was chosen; None: they are features as they are.
    """

    extractor: ExtractorSpec
    shards: int
    settings: BuildSettings
    look: ChosenLook | None = None

    @property
    def searched(self) -> str:
        """The id of the vectors that are made of the extractor's features."""
        return self.extractor.extractor_id if self.look is None else self.look.extractor_id

    @property
    def dimension(self) -> int:
        return dimension_of(self.searched)


def build_target(settings: Settings, options: BuildOptions, serving: Generation | None) -> BuildTarget:
    """Raises `OperatorError` for what no index can have: before anything is copied, not after a day's extraction."""
    shards = options.shards
    if shards is None:
        shards = settings.shards if serving is None else len(serving.shards)
    if not 1 <= shards <= MAX_SHARDS:
        raise OperatorError(f"{shards} shards: give a number from 1 to {MAX_SHARDS}")
    chosen = settings.index_kind if options.kind is None else options.kind
    try:
        kind = IndexKind(chosen) if chosen else None
    except ValueError as error:
        raise OperatorError(f"index kind {chosen!r}: there are {', '.join(IndexKind)}") from error
    lists = settings.index_lists if options.lists is None else options.lists
    target = BuildTarget(
        extractor=_extractor(settings, options, serving),
        shards=shards,
        settings=BuildSettings(
            kind=kind,
            nlist=lists or None,
            seed=settings.index_seed if options.seed is None else options.seed,
            recall=settings.index_recall if options.recall is None else options.recall,
            headroom=settings.index_headroom if options.headroom is None else options.headroom,
            device=settings.device,
        ),
    )
    if kind is not None and kind.coded:
        code_bytes(kind, target.dimension)
    return target


def _extractor(settings: Settings, options: BuildOptions, serving: Generation | None) -> ExtractorSpec:
    """The one asked for; else the serving one, as long as the stream keeps it current: a weekly build changes none."""
    specs = configured(settings)
    if options.encoder is None:
        if serving is not None:
            for spec in specs:
                if spec.extractor_id == features_of(serving.extractor_id):
                    return spec
        return specs[0]
    weights = options.weights
    if weights is None:
        weights = next((spec.weights for spec in specs if spec.encoder == options.encoder), "")
    return ExtractorSpec(extractor_id(options.encoder, weights), options.encoder, weights)

"""What the extraction stage must know; travels to the Flink worker by pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.protocol import Configure
from schemas.access.store import StoreServer
from schemas.errors import OperatorError
from schemas.features.blocks import blocks_of
from schemas.settings import Settings
from vision.detector.folder import check_installed
from vision.fetching.policy import FetchPolicy
from vision.words.installed import check_readable

NICENESS = 10
FURTHER_NICENESS = 15
"""A full index for another extractor leaves the main one's new images the processor."""


@dataclass(frozen=True, slots=True)
class ExtractionConfig:
    """`grace_s`: how long a batch waits for fetches after the last of its own that came in; the rest goes round.

    `retry_s`: when such an image is asked for again, at most; sooner as long
    as it has not been under way for that long. `fetch_threads`: how they are
    shared out, see `jobs.pipeline.extraction.rooms`. `backoff_s`: wait after
    the first failure, doubled after each further one. `extractors`: whose
    requests are served, the main one first. `server`: keeps the feature store; the folder is then not used.
    `words`, `objects`: those in pictures are told, by extractors of base features.
    """

    store_folder: str
    feature_partitions: int
    delta_partitions: int
    extractors: tuple[ExtractorSpec, ...]
    device: str = "auto"
    threads: int = 1
    batch: int = 32
    fetch_threads: int = 256
    fetches_per_host: int = 8
    max_attempts: int = 5
    backoff_s: float = 1.0
    grace_s: float = 0.15
    retry_s: float = 1.0
    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    policy: FetchPolicy = field(default_factory=FetchPolicy)
    server: StoreServer | None = None
    words: bool = False
    objects: bool = False

    @classmethod
    def from_settings(cls, settings: Settings, extractors: Sequence[ExtractorSpec]) -> ExtractionConfig:
        """`extractors`: as `jobs.pipeline.extraction.extractors.configured` gives them, the main one first.

        Raises `OperatorError` where words or objects in pictures are asked for and cannot be told.
        """
        for name, wanted, check in (
            ("picture_words", settings.picture_words, check_readable),
            ("picture_objects", settings.picture_objects, check_installed),
        ):
            if not wanted:
                continue
            check()
            if not any(blocks_of(spec.encoder) for spec in extractors):
                raise OperatorError(
                    f"{name} needs base features, and {settings.encoder} gives none: take an encoder that ends "
                    f"in _blocks, or unset {name}"
                )
        return cls(
            store_folder=str(settings.layout.feature_store),
            feature_partitions=settings.feature_partitions,
            delta_partitions=settings.partitions_of_deltas,
            extractors=tuple(extractors),
            device=settings.device,
            threads=settings.extraction_threads,
            batch=settings.extraction_batch,
            max_attempts=settings.fetch_max_attempts,
            backoff_s=settings.fetch_backoff_s,
            max_bytes=settings.image_max_bytes,
            max_pixels=settings.image_max_pixels,
            policy=FetchPolicy.from_settings(settings),
            server=settings.store_server,
            words=settings.picture_words,
            objects=settings.picture_objects,
        )

    @property
    def main(self) -> ExtractorSpec:
        return self.extractors[0]

    def configure(self, spec: ExtractorSpec | None = None) -> Configure:
        """What the child process of an extractor must know; by default that of the main one."""
        spec = self.main if spec is None else spec
        return Configure(
            extractor_id=spec.extractor_id,
            encoder=spec.encoder,
            weights=spec.weights,
            device=self.device,
            threads=self.threads,
            batch=self.batch,
            fetch_threads=self.fetch_threads,
            fetches_per_host=self.fetches_per_host,
            max_bytes=self.max_bytes,
            max_pixels=self.max_pixels,
            policy=self.policy,
            niceness=NICENESS if spec == self.main else FURTHER_NICENESS,
            words=self.words and bool(blocks_of(spec.encoder)),
            objects=self.objects and bool(blocks_of(spec.encoder)),
        )

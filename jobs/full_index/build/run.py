"""The weekly full index: a generation, cut out of the running stream and built from copies of its stores.

Steps: extract what a further extractor lacks (job `vitrine_build_missing`
finds it, the stream's extraction stage extracts it); take the cut; choose what
makes vectors of base features (`look`); build the shards, each a unit of work
(job `vitrine_build`), and compare them with what the catalogue says; learn from
them what words look like (`meaning`), and from clicks an order (`ranking`);
seal, and make it a generation by a rename. A build that was killed at any
moment is simply run again. See docs/adr/0012.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
from pyflink.datastream import StreamExecutionEnvironment

from generations.described import describe_shard
from generations.folder import new_name, write_learned
from jobs.full_index.build.count import refuse_lost_products
from jobs.full_index.build.cut import Cut, take_cut
from jobs.full_index.build.folder import BuildFolder
from jobs.full_index.build.look.choosing import choose_look
from jobs.full_index.build.meaning import with_meaning
from jobs.full_index.build.missing import Extracted, MissingVectors
from jobs.full_index.build.options import BuildOptions, BuildTarget, build_target
from jobs.full_index.build.ranking import with_ranking
from jobs.full_index.build.stages import (
    Answer,
    BuildPlan,
    BuildShard,
    BuildWork,
    Built,
    FindMissing,
    Found,
    Refused,
    Unit,
    missing_features,
)
from jobs.pipeline.flink.bounded import run_units
from schemas.errors import CorruptError, OperatorError, TransientError
from schemas.full_index.generation import Generation
from schemas.settings import Settings

log = logging.getLogger(__name__)

Environments = Callable[[int], StreamExecutionEnvironment]
"""Makes a batch environment of that parallelism; each job gets its own."""

SMALL_BYTES = 64 * 1024 * 1024
"""Stores below it, some 20,000 images', are built by one worker: a second takes longer to start than it saves."""


class Build:
    """One build. `execute` is called once; it takes the folder's lock."""

    def __init__(self, settings: Settings, options: BuildOptions, environments: Environments) -> None:
        self._settings = settings
        self._options = options
        self._environments = environments
        self._folder = BuildFolder(settings.layout)
        self._took_s: dict[str, float] = {}

    def execute(self) -> Generation:
        """Raises `OperatorError` (another build is under way, impossible options), `TransientError`, `CorruptError`."""
        folder = self._folder
        with folder.lock():
            folder.sweep()
            alias = folder.generations.alias()
            serving = None if alias is None else folder.generations.read(alias.serving)
            target = build_target(self._settings, self._options, serving)
            name = new_name()
            log.info("event=build_start generation=%s extractor=%s shards=%d", name, target.extractor.extractor_id,
                     target.shards)  # fmt: skip
            extracted = self._extract(target)
            with self._phase("copy"):
                cut = take_cut(self._settings, folder.work / "cut")
            with self._phase("look"):
                look = choose_look(
                    self._settings, target.extractor, serving, cut, target.settings.seed, folder.work / "look"
                )
            target = replace(target, look=look)
            unfinished = folder.unfinished(name)
            generation = build_generation(name, target, cut, unfinished, folder.work, self._environments)
            if self._settings.meaning:
                generation = with_meaning(unfinished, generation)
            if self._settings.learned_rank:
                generation = with_ranking(unfinished, generation, self._settings)
            generation = msgspec.structs.replace(
                generation,
                settings=generation.settings | ({"extracted": msgspec.to_builtins(extracted)} if extracted else {}),
                took_s={**self._took_s, **generation.took_s},
            )
            folder.finish(generation)
        log.info("event=build_end generation=%s images=%d bytes=%d took_s=%s", name, generation.searchable,
                 generation.bytes, generation.took_s)  # fmt: skip
        return generation

    def _extract(self, target: BuildTarget) -> Extracted | None:
        """Vectors that the copies lack, of an extractor that the stream does not ask for by itself."""
        settings, options, folder = self._settings, self._options, self._folder
        vectors = MissingVectors(settings, target.extractor, options.wait_s)
        if not (options.extract or vectors.of_further_extractor):
            return None
        with self._phase("find_missing"):
            work = folder.work / "missing"
            cut = take_cut(settings, work / "cut")
            plan = BuildPlan(name="", cut=cut, target=target, folder=work, progress=folder.work / "progress",
                             missing=work / "lists")  # fmt: skip
            units = [FindMissing(partition) for partition in range(cut.event_partitions)]
            count = sum(
                answer.missing
                for answer in _run(self._environments, "vitrine_build_missing", plan, units, work / "results")
                if isinstance(answer, Found)
            )
        with self._phase("extract"):
            return vectors.extract(missing_features(work / "lists"), count, folder.work / "progress")

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._took_s[name] = round(time.monotonic() - began, 3)


def build_generation(
    name: str, target: BuildTarget, cut: Cut, folder: Path, work: Path, environments: Environments
) -> Generation:
    """Builds the shards in `folder`, which is not there yet, and says what they are; sealing is the caller's.

    Knows no Kafka and no live store. `work`: for results and progress.
    """
    began = time.monotonic()
    units = [BuildShard(shard) for shard in range(target.shards)]
    plan = BuildPlan(
        name=name,
        cut=cut,
        target=target,
        folder=folder,
        progress=work / "progress",
        threads=max(1, _cores() // _workers(cut, target.shards)),
    )
    folder.mkdir(parents=True)
    built: dict[int, Built] = {}
    for answer in _run(environments, "vitrine_build", plan, units, work / "results"):
        if isinstance(answer, Built):
            built[answer.shard] = answer
    if len(built) != target.shards:
        raise TransientError("build_incomplete", f"{len(built)} shards were answered; run the build again")
    counts = [built[shard].count for shard in range(target.shards)]
    refuse_lost_products(counts)
    ignored = sum(answer.ignored_vectors for answer in built.values())
    if ignored:
        log.warning("event=vectors_ignored count=%d extractor=%s", ignored, target.extractor.extractor_id)
    digests = [count.digest for count in counts]
    shards = [describe_shard(folder / f"shard-{shard}") for shard in range(target.shards)]
    if digests != [shard.digest for shard in shards]:
        # Not raised: the files are there to look into, and the publication refuses them.
        log.error("event=build_differs_from_catalogue generation=%s catalogue=%s", name, digests)
    learned = []
    if target.look is not None:
        write_learned(folder, target.look.entry, target.look.file.read_bytes())
        learned.append(target.look.entry)
    slowest = {phase: max(each.took_s.get(phase, 0.0) for each in built.values()) for phase in _phases(built)}
    return Generation(
        name=name,
        created_ms=time.time_ns() // 1_000_000,
        extractor_id=target.searched,
        encoder=target.extractor.encoder,
        weights=target.extractor.weights,
        dimension=target.dimension,
        delta_partitions=cut.delta_partitions,
        delta_offsets=list(cut.delta_ends),
        shards=shards,
        catalogue_valid=sum(count.valid_images for count in counts),
        catalogue_digests=digests,
        learned=learned,
        settings={
            "kind": None if target.settings.kind is None else target.settings.kind.value,
            "lists": target.settings.nlist,
            "recall": target.settings.recall,
            "headroom": target.settings.headroom,
            "seed": target.settings.seed,
            "threads": plan.threads,
        },
        took_s={
            "build": round(time.monotonic() - began, 3),
            **{f"shard_{phase}": seconds for phase, seconds in slowest.items()},
        },
    )


def _run(
    environments: Environments, job: str, plan: BuildPlan, units: Iterable[Unit], results: Path
) -> Iterator[Answer]:
    """The units' answers; a task that was run again answers twice. Raises what a unit refused."""
    wanted = list(units)
    environment = environments(_workers(plan.cut, len(wanted)))
    answers: Iterator[Answer] = run_units(
        environment, job, wanted, partial(BuildWork, plan), unit=Unit, answer=Answer, results=results
    )
    for answer in answers:
        if isinstance(answer, Refused):
            raise (CorruptError if answer.corrupt else OperatorError)(answer.what)
        yield answer


def _workers(cut: Cut, units: int) -> int:
    """Python workers for so many units."""
    stored = sum(file.stat().st_size for store in (cut.catalogue, cut.features) for file in store.rglob("*.sst"))
    return 1 if stored < SMALL_BYTES else min(units, _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _phases(built: dict[int, Built]) -> list[str]:
    return sorted({phase for each in built.values() for phase in each.took_s})

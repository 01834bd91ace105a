"""The nightly replay: the log's truth, what differs from it, and the deltas that heal it.

Steps, each harmless to do again: copy the stores; apply the range of the log
to the last truth (job `vitrine_replay`); compare with the live catalogue,
features and shards (job `vitrine_replay_audit`); send what shards lack
(job `vitrine_replay_heal`); ask for missing vectors; move the position. See
docs/adr/0011-nightly-replay.md.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pyflink.datastream import StreamExecutionEnvironment

from disk.durable import write_durably
from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductReader
from generations.folder import Generations
from jobs.full_index.replay.erasures import erased_features, send_erasures
from jobs.full_index.replay.index import kept_beside, serving_index
from jobs.full_index.replay.missing import MissingFeatures
from jobs.full_index.replay.position import ReplayFolder, ReplayPosition
from jobs.full_index.replay.range import Base, ReplayRange, choose_range
from jobs.full_index.replay.report import (
    FeatureVerdict,
    ReplayReport,
    SampleResult,
    encode_report,
)
from jobs.full_index.replay.shards import ShardComparison
from jobs.full_index.replay.stages import (
    Audit,
    AuditUnit,
    Heal,
    Healed,
    HealUnit,
    Replayed,
    ReplayLog,
    StoreCopies,
)
from jobs.full_index.truth.audit import CatalogueVerdict, PartitionAudit
from jobs.full_index.truth.copies import (
    complete_catalogue,
    copy_catalogue,
    copy_features,
    copy_store,
    features_from_log,
)
from jobs.full_index.truth.live_log import log_state, wait_for_stream
from jobs.full_index.truth.log_state import LogState
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.flink.bounded import run_over_log, run_units
from jobs.pipeline.log_range import LogRange
from messaging.producer import EventProducer
from schemas.errors import TransientError
from schemas.ids import sequence
from schemas.settings import Settings
from schemas.topics import PRODUCT_EVENTS

log = logging.getLogger(__name__)

BATCH = 1000

Environments = Callable[[], StreamExecutionEnvironment]
"""Makes a batch environment; each job gets its own."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """`begins`, `ends`: offsets per partition, by default from the last replay to the log's end.

    `check_only`: report and change nothing. `sample`: products that the shards
    are asked about one by one. `wait_s`: for the stream to reach the range's
    end, and again for healing and extraction to show.
    """

    from_log: bool = False
    begins: list[int] | None = None
    ends: list[int] | None = None
    check_only: bool = False
    sample: int = 200
    wait_s: float = 60.0


class Replay:
    """One run. `execute` is called once, under the folder's lock."""

    def __init__(
        self, settings: Settings, options: ReplayOptions, extractors: list[ExtractorSpec], environments: Environments
    ) -> None:
        """`extractors`: that the streaming job keeps current, as `extractors.configured` gives them."""
        self._settings = settings
        self._options = options
        self._extractors = extractors
        generations = Generations(settings.layout.generations)
        self._index = index = serving_index(settings.tier, generations, settings.shards, extractors[0])
        self._beside = kept_beside(generations, index, extractors)
        self._environments = environments
        self._folder = ReplayFolder(settings.layout.replay)
        started = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._run_id = f"{started}-{secrets.token_hex(3)}"
        run = self._folder.run(self._run_id)
        self._truth, self._live, self._features = run / "truth", run / "catalogue", run / "features"
        self._report = ReplayReport(
            run=self._run_id,
            started_ms=time.time_ns() // 1_000_000,
            extractor_id=index.extractor_id,
            generation=index.generation,
            checked_only=options.check_only,
            catalogue=CatalogueVerdict(),
            features=FeatureVerdict(),
            sample=SampleResult(),
        )
        self._shards = ShardComparison(settings.tier, settings.kafka, index, self._report, options.wait_s)
        self._missing = MissingFeatures(settings, index, extractors, self._report, options.wait_s)

    def execute(self) -> ReplayReport:
        """Raises what keeps it from knowing the truth; what it finds wrong is in the report."""
        began = time.monotonic()
        settings, report = self._settings, self._report
        self._folder.sweep()
        state = log_state(settings.kafka, settings.layout.log_epoch)
        last = self._folder.position()
        options = self._options
        span = choose_range(state, last, from_log=options.from_log, begins=options.begins, ends=options.ends)
        report.base, report.begins, report.ends = span.base.value, span.begins, span.ends
        index = self._index
        log.info("event=replay_start run=%s base=%s begins=%s ends=%s generation=%s shards=%d extractor=%s",
                 self._run_id, report.base, span.begins, span.ends, index.generation, index.shards,
                 index.extractor_id)  # fmt: skip
        applied, report.settled = wait_for_stream(settings.kafka, span.stands_for, options.wait_s)
        self._copy(span, last)
        self._replay(state, span)
        audits = self._audit(state, span, applied)
        self._shards.judge(state, span, audits)
        if not options.check_only:
            self._heal(state, span)
            self._missing.extract(self._missing.judge(audits))
            self._erase_features(state)
            self._publish(state, span)
        else:
            self._missing.judge(audits)
            self._folder.sweep()
        report.took_s = round(time.monotonic() - began, 2)
        encoded = encode_report(report)
        write_durably(self._folder.reports / f"{self._run_id}.json", encoded)
        write_durably(self._folder.path / "report.json", encoded)
        log.info("event=replay_end run=%s found_nothing=%s left_wrong=%d took_s=%.1f", self._run_id,
                 report.found_nothing, len(report.left_wrong), report.took_s)  # fmt: skip
        return report

    # -- the truth -----------------------------------------------------------------------------

    def _copy(self, span: ReplayRange, last: ReplayPosition | None) -> None:
        settings = self._settings
        copy_catalogue(settings, self._live)
        if span.base is Base.LIVE:
            copy_catalogue(settings, self._truth)
        elif span.base is Base.LAST and last is not None:
            copy_store(self._folder.base(last), self._truth, settings.event_partitions)
        if self._options.from_log:
            rebuilt = features_from_log(settings.kafka, self._features, settings.feature_partitions)
            if rebuilt.refused:
                self._report.problems.append(f"{rebuilt.refused} records of image-features do not decode")
        else:
            copy_features(settings, self._features)
        complete_catalogue(self._truth, settings.event_partitions)

    def _replay(self, state: LogState, span: ReplayRange) -> None:
        settings, report = self._settings, self._report
        # The stream's extractors, whatever serves: by them it judges the vectors that events bring.
        config = CatalogueConfig.from_settings(settings, [spec.extractor_id for spec in self._extractors], state.epoch)
        # An empty feature folder: the truth is made of events; vectors are looked up once, by the audit.
        no_features = str(self._folder.run(self._run_id) / "no-features")
        config = replace(config, store_folder=str(self._truth), feature_folder=no_features, server=None)
        source = LogRange(PRODUCT_EVENTS, settings.kafka, tuple(span.begins), tuple(span.ends))
        stage = partial(ReplayLog, config)
        reached = list(span.begins)
        answers = run_over_log(
            self._environments(),
            "vitrine_replay",
            source,
            stage,
            BATCH,
            answer=Replayed,
            results=self._results("replay"),
        )
        for batch in answers:
            for partition, end in batch.ends.items():
                reached[partition] = max(reached[partition], end)
            for name, count in batch.counts.items():
                report.events[name] = report.events.get(name, 0) + count
        if reached != span.ends:
            raise TransientError(
                "replay_incomplete", f"the log was read to {reached} instead of {span.ends}; run the replay again"
            )
        report.records = source.records

    def _results(self, job: str) -> Path:
        return self._folder.run(self._run_id) / f"results-{job}"

    def _copies(self) -> StoreCopies:
        settings = self._settings
        return StoreCopies(
            truth=str(self._truth),
            live=str(self._live),
            features=str(self._features),
            event_partitions=settings.event_partitions,
            feature_partitions=settings.feature_partitions,
            shards=self._index.shards,
            extractors=(self._index.extractor_id, *self._beside),
            delta_partitions=settings.partitions_of_deltas,
        )

    # -- the comparison ------------------------------------------------------------------------

    def _audit(self, state: LogState, span: ReplayRange, applied: list[int]) -> list[PartitionAudit]:
        salt = secrets.token_hex(8)
        per_partition = -(-self._options.sample // len(span.ends))
        units = [
            AuditUnit(
                partition,
                end_sequence=sequence(state.epoch, end - 1),
                live_sequence=sequence(state.epoch, applied[partition] - 1),
                sample=per_partition,
                salt=salt,
            )
            for partition, end in enumerate(span.stands_for)
        ]
        answers = run_units(
            self._environments(),
            "vitrine_replay_audit",
            units,
            partial(Audit, self._copies()),
            unit=AuditUnit,
            answer=PartitionAudit,
            results=self._results("audit"),
        )
        audits = list({audit.partition: audit for audit in answers}.values())
        for audit in audits:
            self._report.catalogue.add(audit)
        return audits

    # -- the healing ---------------------------------------------------------------------------

    def _heal(self, state: LogState, span: ReplayRange) -> None:
        """A shard that differs gets the whole truth; one that cannot be judged gets what the range touched.

        One that is away gets nothing: it comes back with a snapshot of its own, or says what it needs.
        """
        report = self._report
        whole = sorted({shard.shard for shard in report.shards if shard.verdict == "different"})
        touched = sorted({shard.shard for shard in report.shards if shard.verdict == "moved_on"} - set(whole))
        if not whole and not touched:
            return
        units = [
            HealUnit(partition, whole, touched, sequence(state.epoch, begin - 1))
            for partition, begin in enumerate(span.begins)
        ]
        answers = run_units(
            self._environments(),
            "vitrine_replay_heal",
            units,
            partial(Heal, self._copies(), self._settings.kafka),
            unit=HealUnit,
            answer=Healed,
            results=self._results("heal"),
        )
        for healed in answers:
            report.healed_products += healed.products
            report.healed_rows += healed.rows
        if whole:
            self._shards.await_healing(span)

    def _erase_features(self, state: LogState) -> None:
        """Features of products that were erased while the log goes back, unless another product has the picture."""
        settings = self._settings
        oldest = [sequence(state.epoch, begin) if begin else 0 for begin in state.beginnings]
        products = ProductReader(catalogue_store(self._truth, settings.event_partitions))
        features = feature_store(self._features, settings.feature_partitions).reader()
        try:
            found = erased_features(products, features, oldest)
        finally:
            products.close()
            features.close()
        if found:
            with EventProducer(settings.kafka) as producer:
                send_erasures(found, producer, settings.feature_partitions)
        self._report.features.erased = len(found)

    def _publish(self, state: LogState, span: ReplayRange) -> None:
        position = ReplayPosition(
            topic_id=state.topic_id,
            epoch=state.epoch,
            ends=span.stands_for,
            base=f"base-{self._run_id}",
            at_ms=time.time_ns() // 1_000_000,
        )
        self._folder.publish(self._run_id, self._truth, position)

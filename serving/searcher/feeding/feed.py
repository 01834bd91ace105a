"""The searcher's only writer: takes up an index, follows index-deltas, writes snapshots.

Deltas commute and may come twice, so a restart needs no exactness: any
snapshot or full index, plus every record from its offsets on, gives the
present shard.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from messaging.consumer import Message
from messaging.ranges import LogReader
from schemas.deltas.check import UNDECODABLE, DeltaCheck
from schemas.errors import OperatorError, TransientError, VitrineError
from serving.searcher.feeding.full_index import FullIndex
from serving.searcher.feeding.refusals import Refusals
from serving.searcher.feeding.snapshots import SnapshotKeeper
from serving.searcher.feeding.training import Trainer
from serving.searcher.feeding.warming import warm
from serving.searcher.measured.takedowns import note_takedowns
from serving.searcher.service import SearcherService
from serving.traced.feed import AppliedDeltas

log = logging.getLogger(__name__)

POLL_RECORDS = 500
POLL_TIMEOUT_S = 0.1
"""How long a stop or a due snapshot may wait for the log; new records are handed over at once."""
LOOK_AT_END_S = 1.0
LOOK_AT_REST_S = 5.0
"""The same after a time without a record: then the end is where the feed stands, unless Kafka hands nothing on."""
RETRY_S = 0.5


OpenReader = Callable[[Mapping[int, int | None]], LogReader]
"""From an offset on in each partition; None: from the oldest record."""


class _LostPositionError(OperatorError):
    """The topic does not hold the records from an offset on."""


class DeltaFeed:
    """Feeds one searcher on a thread of its own. `folder` holds the snapshot; nobody else touches it.

    `check` says what may be taken from a record; what may not is counted and logged (`Refusals`).
    `full_index`: taken where there is no snapshot, or its position is lost;
    None: such a shard is built from the oldest record on. `accept_gap`: then
    begin there even when earlier records are gone (what did not change since
    will be missing). `queries`: gives recorded queries to warm an index with.
    `applied`: is told of traced records, but for those that a shard catches up with at its start: their ways are old.
    """

    def __init__(
        self,
        searcher: SearcherService,
        deltas: ShardDeltas,
        open_reader: OpenReader,
        folder: Path,
        snapshot_interval_s: float,
        *,
        check: DeltaCheck,
        full_index: FullIndex | None = None,
        accept_gap: bool = False,
        queries: Callable[[], NDArray[np.float32]] | None = None,
        applied: AppliedDeltas | None = None,
    ) -> None:
        self._searcher = searcher
        self._deltas = deltas
        self._open_reader = open_reader
        self._snapshots = SnapshotKeeper(searcher, deltas, folder, snapshot_interval_s)
        self._trainer = Trainer(searcher)
        self._check = check
        self._refusals = Refusals(searcher)
        self._full_index = full_index
        self._accept_gap = accept_gap
        self._queries = queries
        self._applied = applied
        self._stop = threading.Event()
        self._save = True
        self._thread = threading.Thread(target=self._run, name=f"feed-{searcher.shard}-{searcher.replica}")

    def start(self) -> None:
        self._thread.start()

    def end(self, save: bool = True) -> None:
        """Tells the thread to end, after a last snapshot if `save`; returns at once."""
        self._save = save
        self._stop.set()

    def has_ended(self) -> bool:
        """Whether the thread is gone and with it every use of the folder."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Returns when the thread has ended."""
        if self._thread.is_alive():
            self._thread.join()

    def stop(self, save: bool = True) -> None:
        """`end` and `join`."""
        self.end(save)
        self.join()

    # All below runs on the feed's thread.

    def _run(self) -> None:
        searcher = self._searcher
        try:
            self._feed()
        except VitrineError as error:
            searcher.fail(str(error))
            log.error("event=feed_failed %s problem=%s", searcher.labels, error)
        except Exception as error:
            # Whatever it is, the index no longer follows the log: this replica must stop answering.
            searcher.fail(f"stopped by {type(error).__name__}: {error}; restart it, and report what its log says")
            log.exception("event=feed_failed %s", searcher.labels)
        finally:
            self._snapshots.wait()
            if searcher.has_failed:
                searcher.metrics.failed_generations.inc()

    def _feed(self) -> None:
        began = time.monotonic()
        begun = self._begin()
        if begun is None:
            return
        shard, reader = begun
        try:
            if self._queries is not None:
                warm(shard, self._queries, self._searcher.labels)
            self._follow(shard, reader, began)
        finally:
            reader.close()

    def _begin(self) -> tuple[Shard, LogReader] | None:
        """The shard, its searcher told of it, and a reader behind it; None when told to stop before."""
        searcher = self._searcher
        beginning = self._snapshots.restore()
        if beginning is not None:
            searcher.begin(beginning.shard)
            try:
                return self._opened("the snapshot", beginning.shard, beginning.offsets)
            except _LostPositionError as error:
                if self._full_index is None:
                    raise OperatorError(f"{error}; {self._way_out}") from error
                log.warning("event=position_lost %s next=full_index problem=%s", searcher.labels, error)
                # Its memory goes before the other's is taken.
                beginning = None
                searcher.begin_anew()
        if self._full_index is not None:
            return self._begin_full(self._full_index)
        shard = Shard(searcher.extractor_id, searcher.dimension, searcher.look)
        searcher.begin(shard)
        try:
            return self._opened("the shard", shard, dict.fromkeys(self._deltas.partitions))
        except _LostPositionError as error:
            raise OperatorError(
                f"there is no usable snapshot in {self._snapshots.folder} and {error}: "
                f"the shard would lack products; {self._way_out}"
            ) from error

    def _begin_full(self, full_index: FullIndex) -> tuple[Shard, LogReader] | None:
        searcher = self._searcher
        started = time.perf_counter()
        beginning = full_index.load()
        searcher.begin(beginning.shard)
        seconds = time.perf_counter() - started
        log.info("event=full_index_loaded %s offsets=%s seconds=%.2f", searcher.labels, beginning.offsets, seconds)
        try:
            return self._opened("the full index", beginning.shard, beginning.offsets)
        except _LostPositionError as error:
            raise OperatorError(f"{error}; make a new one with vitrine build") from error

    @property
    def _way_out(self) -> str:
        return (
            f"make a full index with vitrine build, copy the snapshot of another replica of this shard to "
            f"{self._snapshots.folder}, or replay product-events from its beginning, move the snapshot away and start "
            "with --accept-gap"
        )

    def _opened(self, what: str, shard: Shard, offsets: Mapping[int, int | None]) -> tuple[Shard, LogReader] | None:
        """`shard` with a reader at `offsets`, once Kafka answers; None when told to stop before.

        Raises `_LostPositionError` where the topic no longer holds what comes
        behind `what`.
        """
        said = False
        while not self._stop.is_set():
            try:
                reader = self._open_reader(offsets)
                try:
                    self._check_positions(what, offsets, reader)
                except BaseException:
                    reader.close()
                    raise
                return shard, reader
            except TransientError as error:
                if not said:
                    log.warning("event=waiting_for_kafka %s problem=%s", self._searcher.labels, error)
                    said = True
                self._stop.wait(RETRY_S)
        return None

    def _check_positions(self, what: str, offsets: Mapping[int, int | None], reader: LogReader) -> None:
        beginnings, ends = reader.beginning_offsets(), reader.end_offsets()
        for partition, offset in offsets.items():
            where, beginning, end = f"index-deltas/{partition}", beginnings[partition], ends[partition]
            if offset is None:
                if beginning > 0 and not self._accept_gap:
                    raise _LostPositionError(f"{where} no longer holds the records before {beginning}")
            elif offset < beginning:
                raise _LostPositionError(
                    f"{what} stands at offset {offset}, {where} begins at {beginning}: changes between are lost"
                )
            elif offset > end:
                raise _LostPositionError(
                    f"{what} stands at offset {offset}, {where} ends at {end}: the topic was made anew; where that was "
                    f"on purpose, move {self._snapshots.folder} away to rebuild the shard from the new topic"
                )

    def _follow(self, shard: Shard, reader: LogReader, began: float) -> None:
        """Applies until told to stop. Ready once the ends that the topic has now are reached; anew after a pause."""
        searcher, snapshots = self._searcher, self._snapshots
        targets = ends = reader.end_offsets()
        log.info("event=catching_up %s offsets=%s ends=%s", searcher.labels, reader.positions, targets)
        next_look = time.monotonic() + LOOK_AT_END_S
        while not self._stop.is_set():
            searcher.beat()
            if searcher.is_stalled:
                targets = ends = self._look_at_ends(reader, ends)
                behind, began = _behind(reader.positions, targets), time.monotonic()
                log.warning("event=was_stopped %s behind=%d", searcher.labels, behind)
                searcher.resumed(behind > 0)
            searcher.at(dict(reader.positions), _behind(reader.positions, ends))
            if not searcher.is_ready and not _behind(reader.positions, targets):
                self._say_ready(reader, time.monotonic() - began)
            messages = reader.poll(POLL_RECORDS, POLL_TIMEOUT_S)
            for message in messages:
                self._apply(shard, message)
                searcher.beat()
            if messages:
                next_look = min(next_look, time.monotonic() + LOOK_AT_END_S)
            if time.monotonic() >= next_look:
                ends = reader.told_ends()
                if searcher.is_ready:
                    self._trainer.train_when_due(shard)
                behind = _behind(reader.positions, ends) > 0
                next_look = time.monotonic() + (LOOK_AT_END_S if behind or not searcher.is_ready else LOOK_AT_REST_S)
            snapshots.save_when_due(shard, reader.positions)
        searcher.at(dict(reader.positions), _behind(reader.positions, ends))
        if self._save:
            snapshots.save_last(shard, reader.positions)

    def _say_ready(self, reader: LogReader, seconds: float) -> None:
        searcher = self._searcher
        if not searcher.was_ready:
            searcher.metrics.swap_seconds.set(seconds)
        searcher.ready()
        log.info("event=ready %s offsets=%s seconds=%.2f", searcher.labels, reader.positions, seconds)

    def _apply(self, shard: Shard, message: Message) -> None:
        metrics = self._searcher.metrics
        began_ns = time.time_ns() if message.trace else 0
        with metrics.apply_seconds.time():
            taken = self._check.admit(message.value, message.partition)
            batch = self._deltas.of(taken.batch, message.partition)
            gone = shard.takes_down(batch) if self._searcher.is_ready else 0
            shard.apply(batch)
        if taken.refused:
            self._refusals.note(taken, message)
        self._snapshots.note(len(batch))
        if UNDECODABLE not in taken.refused:
            metrics.batches.inc()
        metrics.deltas.inc(len(batch))
        note_takedowns(gone, batch.progress, metrics)
        if message.trace and self._applied is not None and self._searcher.was_ready:
            self._applied.note(message, began_ns, len(batch), self._searcher.generation)

    def _look_at_ends(self, reader: LogReader, known: dict[int, int]) -> dict[int, int]:
        try:
            return reader.end_offsets(1.0)
        except TransientError:
            return known  # Kafka is away: poll waits for it, and the lag is what it was


def _behind(positions: Mapping[int, int], ends: Mapping[int, int]) -> int:
    """Records between the positions and the ends, of all partitions."""
    return sum(max(0, end - positions[partition]) for partition, end in ends.items())

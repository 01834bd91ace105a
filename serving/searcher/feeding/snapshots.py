"""A searcher's own snapshots: restored at start, written beside the feed while it goes on."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from indexing.shard.contents import ShardContents
from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.errors import CorruptError
from schemas.full_index.generation import LIVE
from schemas.full_index.manifest import ShardManifest
from serving.searcher.service import SearcherService

log = logging.getLogger(__name__)

PROGRESS_ONLY_RECORDS = 20_000
"""A quiet shop still writes heartbeats: a snapshot for them alone is worth it only after this many records."""


ERASED_WITHIN_S = 5.0
"""After something was erased the next snapshot is due so soon; more erasures in between go with it."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a feed begins: a shard, and the next offset to apply over it by partition of index-deltas."""

    shard: Shard
    offsets: dict[int, int]


class SnapshotKeeper:
    """Owns `folder`, with one snapshot in it. All methods are called by the feed's thread."""

    def __init__(self, searcher: SearcherService, deltas: ShardDeltas, folder: Path, interval_s: float) -> None:
        self.folder = folder
        self._searcher = searcher
        self._deltas = deltas
        self._interval_s = interval_s
        self._next = time.monotonic() + interval_s
        self._changed_rows = 0
        self._saved_records = 0
        self._failed = False
        self._writing: threading.Thread | None = None

    def restore(self) -> Beginning | None:
        """What the snapshot holds; None when there is none that can be used.

        A snapshot that is corrupt, or of another extractor, shard or generation,
        is kept aside under a name that says so.
        """
        searcher = self._searcher
        if not snapshot.exists(self.folder):
            return None
        began = time.perf_counter()
        try:
            shard, manifest = snapshot.restore(self.folder, searcher.look)
        except CorruptError as error:
            self._set_aside("corrupt", str(error))
            return None
        offsets = self._offsets(manifest)
        if shard.extractor_id != searcher.extractor_id:
            problem = f"it is of {shard.extractor_id}, this searcher of {searcher.extractor_id}"
            self._set_aside("other-extractor", problem)
            return None
        if (manifest.generation or LIVE) != searcher.generation:
            self._set_aside("other-generation", f"it is of {manifest.generation}, not of {searcher.generation}")
            return None
        if sorted(offsets) != self._deltas.partitions or not self._deltas.holds(shard.product_hashes()):
            problem = f"it is not of shard {searcher.shard} of {searcher.shards}"
            self._set_aside("other-shard", problem)
            return None
        self._saved_records = sum(offsets.values())
        seconds = time.perf_counter() - began
        log.info("event=restored %s offsets=%s seconds=%.2f", searcher.labels, offsets, seconds)
        return Beginning(shard, offsets)

    def _offsets(self, manifest: ShardManifest) -> dict[int, int]:
        if manifest.delta_offsets:
            return dict(manifest.delta_offsets)
        # Written before shards could read several partitions: each read the one of its own number.
        return {self._searcher.shard: manifest.delta_offset}

    def note(self, rows: int) -> None:
        """That many deltas were applied."""
        self._changed_rows += rows

    def save_when_due(self, shard: Shard, offsets: dict[int, int]) -> None:
        """Copies the shard's contents (milliseconds) and writes them on another thread, once per interval."""
        if shard.unscrubbed:
            self._next = min(self._next, time.monotonic() + ERASED_WITHIN_S)
        if time.monotonic() < self._next or (self._writing is not None and self._writing.is_alive()):
            return
        self._next = time.monotonic() + self._interval_s
        if self._is_worth_it(offsets):
            self._begin(shard, offsets)

    def save_last(self, shard: Shard, offsets: dict[int, int]) -> None:
        """Waits for the snapshot under way, then writes what has changed since; returns when it is on disk."""
        self.wait()
        if self._is_worth_it(offsets):
            self._begin(shard, offsets)
            self.wait()

    def wait(self) -> None:
        """Returns when no snapshot is being written."""
        if self._writing is not None:
            self._writing.join()

    def _is_worth_it(self, offsets: dict[int, int]) -> bool:
        records = sum(offsets.values()) - self._saved_records
        return self._failed or self._changed_rows > 0 or records >= PROGRESS_ONLY_RECORDS

    def _begin(self, shard: Shard, offsets: dict[int, int]) -> None:
        self._changed_rows, self._failed = 0, False
        shard.scrub()  # no other snapshot is being written
        contents = shard.contents()
        name = f"snapshot-{self._searcher.shard}-{self._searcher.replica}"
        self._writing = threading.Thread(target=self._write, args=(contents, dict(offsets)), name=name)
        self._writing.start()

    def _write(self, contents: ShardContents, offsets: dict[int, int]) -> None:
        searcher = self._searcher
        began = time.perf_counter()
        try:
            snapshot.publish(contents, self.folder, offsets, generation=searcher.generation)
        except OSError as error:
            # A full disk, most likely: queries and deltas go on, and the next interval tries again.
            self._failed = True
            searcher.metrics.failed_snapshots.inc()
            log.error("event=snapshot_failed %s folder=%s problem=%s", searcher.labels, self.folder, error)
            return
        self._saved_records = sum(offsets.values())
        searcher.metrics.snapshots.inc()
        searcher.metrics.snapshot_seconds.set(time.perf_counter() - began)

    def _set_aside(self, word: str, problem: str) -> None:
        aside = self.folder.with_name(f"{self.folder.name}.{word}-{time.strftime('%Y%m%dT%H%M%S')}")
        self.folder.rename(aside)
        labels = self._searcher.labels
        log.warning("event=snapshot_unusable %s kept_at=%s next=rebuild problem=%s", labels, aside, problem)

"""From image to feature record: drives the child process and reuses what is known by content.

Holds what is under way from one batch to the next, so that an image whose
host is slow is fetched once, however often its request goes round.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from feature_store.features import FeatureWriter
from jobs.pipeline.extraction.protocol import Embedded, Failed, Fetched, Held, PutOff
from jobs.pipeline.extraction.supervisor import CRASHES, ChildSupervisor, News
from jobs.pipeline.stage import Metrics
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey

MAX_FAILURES_KEPT = 10_000
"""Of images whose requests are going round, and of contents that kill the process."""
MAX_FETCH_WAIT_S = 1.0
"""A batch waits for fetches so long at most, also while they come in one by one."""
FIRST_ROUND_S = 0.1

Result = FeatureRecord | Failed | PutOff

log = logging.getLogger(__name__)


class ExtractionWorker:
    """The images of one extractor. Owned by one thread. Every record that comes out is in the store already.

    A batch is `begin`, then `advance` while it `waits`, then `end`.
    """

    def __init__(self, child: ChildSupervisor, features: FeatureWriter, extractor_id: str, metrics: Metrics) -> None:
        self._child = child
        self._features = features
        self._extractor_id = extractor_id
        self._metrics = metrics
        self._urls: dict[bytes, str] = {}
        self._hashes: dict[bytes, bytes] = {}
        self._embedding: dict[bytes, list[bytes]] = {}
        self._failures: OrderedDict[bytes, Failed] = OrderedDict()
        self._fetching: set[bytes] = set()
        self._crashing: OrderedDict[bytes, Failed] = OrderedDict()
        self._restarts = child.restarts
        self._wanted: Mapping[bytes, str] = {}
        self._results: dict[bytes, Result] = {}
        self._fresh: set[bytes] = set()
        self._held: set[bytes] = set()
        self._since: dict[bytes, float] = {}
        self._began = 0.0
        self._wanted_progress = 0.0
        self._progress = 0.0

    @property
    def under_way(self) -> int:
        """Images that the child process has."""
        return len(self._urls)

    @property
    def active(self) -> int:
        """Those of them that do not wait for something slow."""
        return len(self._urls) - len(self._held)

    def begin(self, wanted: Mapping[bytes, str], most: int = sys.maxsize) -> None:
        """Begins a batch: takes the wanted images (key to URL) on, `most` in all that are active."""
        self._wanted, self._results, self._fresh = wanted, {}, set()
        self._began = self._wanted_progress = self._progress = time.monotonic()
        for key, url in wanted.items():
            failure = self._failures.pop(key, None)
            if failure is not None:
                self._results[key] = failure
            elif key not in self._urls and self.active < most:
                self._urls[key] = url
                self._since[key] = self._began
                self._fetching.add(key)
                self._child.fetch(key, url)
                self._fresh.add(key)

    def waits(self, grace_s: float) -> bool:
        """Whether the batch should wait for its images.

        For one whose fetch began with this batch and of which the child has not
        said that it will take long, until `grace_s` have passed without progress
        with this batch, and not beyond `MAX_FETCH_WAIT_S`; not for one that is
        fetched since a batch before. So a host that hangs holds one batch up,
        and that for `grace_s`. Images that are decoded or that the network works
        on are waited for, large ones excepted.
        """
        missing = self._wanted.keys() - self._results.keys() - self._held
        if not missing:
            return False
        now = time.monotonic()
        patient = (
            self._fresh & missing
            and now - self._wanted_progress <= grace_s
            and now - self._began <= max(grace_s, MAX_FETCH_WAIT_S)
        )
        return not self._child.ready or not missing <= self._fetching or bool(patient)

    def progresses(self, grace_s: float) -> bool:
        """Whether anything came of any image within `grace_s`, or since the batch began."""
        return self._child.ready and not self._idle_for(grace_s)

    def advance(self, timeout_s: float = 0.0) -> None:
        """Stores what has come in; waits up to `timeout_s` for the first. Also between batches."""
        reports = self._child.reports(timeout_s)
        self._settle(reports)
        if self._notice_restart():
            self._fresh.update(self._wanted)
        if not self._child.ready:
            self._began = self._wanted_progress = self._progress = time.monotonic()
        if any(not isinstance(report, Held) for report in reports):
            self._progress = time.monotonic()
        if any(not isinstance(report, Held) and report.image_key in self._wanted for report in reports):
            self._wanted_progress = time.monotonic()

    def again_s(self, key: bytes, most_s: float) -> float:
        """When to ask for an image that is under way: soon at first, then seldom."""
        age_s = time.monotonic() - self._since.get(key, float("-inf"))
        return min(most_s, max(FIRST_ROUND_S, age_s))

    def end(self) -> dict[bytes, Result]:
        """Ends the batch: what came of its wanted images. One that is missing is under way, or was not taken on."""
        results, self._wanted, self._results = self._results, {}, {}
        return results

    def _idle_for(self, seconds: float) -> bool:
        return time.monotonic() - self._progress > seconds

    def _notice_restart(self) -> bool:
        new = self._child.restarts - self._restarts
        if not new:
            return False
        self._restarts += new
        self._metrics.count("process_restarts", new)
        self._begin_again()
        return True

    def _begin_again(self) -> None:
        """The child lost everything: what was fetched is fetched again."""
        for aliases in self._embedding.values():
            for key in aliases[1:]:
                if not self._child.knows(key):
                    self._child.fetch(key, self._urls[key])
        self._embedding.clear()
        self._hashes.clear()
        self._held.clear()
        self._fetching = set(self._urls)

    def _settle(self, reports: Iterable[News]) -> None:
        fetched: list[Fetched] = []
        put_off: list[PutOff] = []
        records: list[FeatureRecord] = []
        failures: list[Failed] = []
        for report in reports:
            match report:
                case Fetched():
                    fetched.append(report)
                    self._metrics.count("fetch_ms", round(report.fetch_ms))
                case Embedded(key, vector, cnn_ms):
                    digest = self._hashes[key]
                    for alias in self._embedding.pop(digest, [key]):
                        records.append(self._record(alias, digest, vector, cnn_ms))
                    self._metrics.count("extracted")
                    self._metrics.count("cnn_us", round(cnn_ms * 1000))
                case Held(key):
                    self._held.add(key)
                case PutOff():
                    put_off.append(report)
                case Failed(key):
                    digest = self._hashes.get(key, b"")
                    if report.reason == CRASHES and digest:
                        _keep(self._crashing, digest, report)
                    for alias in self._embedding.pop(digest, [key]):
                        failures.append(Failed(alias, report.reason, report.detail, report.transient))
        records += self._by_content(fetched, failures)
        self._features.put_many(records)
        for record in records:
            self._end(record.image_key)
            if record.image_key in self._wanted:
                self._results[record.image_key] = record
        for failure in failures:
            self._end(failure.image_key)
            if failure.image_key in self._wanted:
                self._results[failure.image_key] = failure
            else:
                _keep(self._failures, failure.image_key, failure)

        for each in put_off:
            for alias in self._embedding.pop(self._hashes.get(each.image_key, b""), [each.image_key]):
                self._end(alias)
                if alias in self._wanted:
                    self._results[alias] = PutOff(alias, each.wait_s)

    def _by_content(self, fetched: list[Fetched], failures: list[Failed]) -> list[FeatureRecord]:
        """Records of images whose bytes are known; the others go to the network, equal bytes once.

        Bytes that have killed the process under another URL are not tried again.
        """
        if not fetched:
            return []
        hashes = [report.content_hash for report in fetched]
        records = []
        for report, known in zip(fetched, self._features.find_content(hashes, self._extractor_id), strict=True):
            key, digest = report.image_key, report.content_hash
            self._fetching.discard(key)
            self._held.discard(key)
            if known is not None:
                self._child.forget(key)
                records.append(self._record(key, digest, known.vector, known.cnn_ms))
                self._metrics.count("reused_by_content")
                continue
            crash = self._crashing.get(digest)
            if crash is not None:
                self._child.forget(key)
                failures.append(Failed(key, crash.reason, crash.detail, crash.transient))
                continue
            self._hashes[key] = digest
            if digest in self._embedding:
                if key not in self._embedding[digest]:
                    self._embedding[digest].append(key)
                    self._metrics.count("reused_by_content")
                self._child.forget(key)
            else:
                self._embedding[digest] = [key]
                self._child.embed(key)
        return records

    def _record(self, key: bytes, digest: bytes, vector: bytes, cnn_ms: float) -> FeatureRecord:
        now_ms = time.time_ns() // 1_000_000
        return FeatureRecord(ImageKey(key), self._extractor_id, vector, digest, now_ms, cnn_ms, self._urls[key])

    def _end(self, key: bytes) -> None:
        self._urls.pop(key, None)
        self._since.pop(key, None)
        self._held.discard(key)
        self._hashes.pop(key, None)
        self._fetching.discard(key)


def _keep(failures: OrderedDict[bytes, Failed], key: bytes, failure: Failed) -> None:
    failures[key] = failure
    if len(failures) > MAX_FAILURES_KEPT:
        failures.popitem(last=False)

"""The extraction stage in a loop of its own, with a queue in the topic's place: what goes round comes back."""

from __future__ import annotations

import threading
import time
from collections import deque

import psutil

from jobs.pipeline.extraction.stage import ExtractionConfig, ExtractionStage
from jobs.pipeline.stage import Metrics, Out, Record
from schemas.events.dead_letter import DeadLetter, decode_dead_letter
from schemas.events.extract_request import ExtractRequest, decode_request, encode_request
from schemas.features.record import decode_feature
from schemas.ids import image_id, image_key
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS, IMAGE_FEATURES

TRIP_S = 0.02
"""From the sink through Kafka to the next batch, about (docs/benchmarks.md, freshness)."""

_EXTRACTS = "jobs.pipeline.extraction.child"


class StageLoop:
    """One feature partition, read by one thread. `submit` from any thread; what came out may be read at any time.

    `features` and `letters`: by URL, with the time (`time.monotonic`) at which
    they came out. `rounds`: records of requests that were sent round. `longest_call_s`:
    the longest call of the stage's `process`. `child_pid`: its process when it
    began.
    """

    def __init__(self, config: ExtractionConfig, metrics: Metrics) -> None:
        assert config.feature_partitions == 1
        self._config = config
        self._metrics = metrics
        self._queue: deque[tuple[float, Record]] = deque()
        self._offset = 0
        self._changed = threading.Condition()
        self._stopping = False
        self.features: dict[str, float] = {}
        self.letters: dict[str, tuple[float, DeadLetter]] = {}
        self.rounds = 0
        self.longest_call_s = 0.0
        self.child_pid = 0
        self._thread = threading.Thread(target=self._run, name="stage", daemon=True)
        self._thread.start()

    def submit(self, *urls: str) -> None:
        """One request for each, as the catalogue writes them."""
        for url in urls:
            self._append(
                ExtractRequest(
                    product_id=url,
                    image_id=image_id(url, url).hex(),
                    image_key=image_key(url).hex(),
                    url=url,
                    vector_seq=1,
                    extractor_id=self._config.main.extractor_id,
                )
            )

    def wait(self, url: str, timeout_s: float = 300.0) -> float:
        """When the image's feature or dead letter came out. Raises `TimeoutError` when it does not."""
        with self._changed:
            if not self._changed.wait_for(lambda: url in self.features or url in self.letters, timeout_s):
                raise TimeoutError(f"nothing came of {url} within {timeout_s} s")
            return self.features[url] if url in self.features else self.letters[url][0]

    def stop(self) -> None:
        """Ends the stage and its processes; what is queued is dropped."""
        self._stopping = True
        self._thread.join()

    def _append(self, request: ExtractRequest) -> None:
        self._lay(encode_request(request))

    def _lay(self, value: bytes) -> None:
        with self._changed:
            self._offset += 1
            record = Record(b"0", value, 0, self._offset, time.time_ns() // 1_000_000)
            self._queue.append((time.monotonic() + TRIP_S, record))

    def _batch(self) -> list[Record]:
        batch: list[Record] = []
        with self._changed:
            while self._queue and self._queue[0][0] <= time.monotonic() and len(batch) < self._config.batch:
                batch.append(self._queue.popleft()[1])
        return batch

    def _run(self) -> None:
        stage = ExtractionStage(self._config)
        stage.open(self._metrics)
        self.child_pid = next(p.pid for p in psutil.Process().children() if _EXTRACTS in p.cmdline())
        try:
            while not self._stopping:
                batch = self._batch()
                if not batch:
                    time.sleep(0.002)
                    continue
                started, loaded = time.monotonic(), bool(self.features)
                out = stage.process(batch)
                self._note(out)
                if loaded:  # before, calls wait for the network
                    self.longest_call_s = max(self.longest_call_s, time.monotonic() - started)
        finally:
            stage.close()

    def _note(self, out: list[Out]) -> None:
        now = time.monotonic()
        for record in out:
            if record.topic == EXTRACT_REQUESTS:
                self.rounds += 1
                self._lay(record.value)
                continue
            with self._changed:
                if record.topic == IMAGE_FEATURES:
                    self.features[decode_feature(record.value).url] = now
                elif record.topic == DEAD_LETTERS:
                    letter = decode_dead_letter(record.value)
                    self.letters[decode_request(letter.value_bytes()).url] = now, letter
                self._changed.notify_all()

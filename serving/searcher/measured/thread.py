"""The thread on which a searcher measures the recall of live queries, for a small part of one core."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from indexing.training.train import omp_threads
from serving.searcher.service import SearcherService

log = logging.getLogger(__name__)

SHARE_OF_A_CORE = 0.02
"""After a measurement it rests for so long that they take this share of one core, whatever one costs.

Not by a lower priority: a thread that waits for its turn while it holds the
interpreter's lock would have every query wait with it.
"""
LOOK_S = 0.25


class Measuring:
    """`searchers`: those of the generations that are held. `start` and `stop` once each."""

    def __init__(self, searchers: Callable[[], Iterable[SearcherService]], name: str) -> None:
        self._searchers = searchers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"recall-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        rest_s = LOOK_S
        with omp_threads(1):
            while not self._stop.wait(rest_s):
                began = time.thread_time()
                try:
                    for searcher in self._searchers():
                        searcher.measure_recall()
                except Exception:
                    # What is measured is no query's affair; the next look may well succeed.
                    log.exception("event=recall_not_measured")
                rest_s = max(LOOK_S, (time.thread_time() - began) / SHARE_OF_A_CORE)

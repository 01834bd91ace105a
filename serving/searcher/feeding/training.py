"""When a shard gets its inverted lists: beside queries and deltas, once exact search would be too slow."""

from __future__ import annotations

import logging
import threading

from indexing.shard.shard import Shard
from serving.searcher.service import SearcherService

log = logging.getLogger(__name__)

TRAIN_AT_IMAGES = 20_000
"""Below, exact search takes a few milliseconds, and is exact."""
TRAIN_AGAIN_FACTOR = 2
"""Lists trained on half of what is there now are too few, and more of them are compared than has to be."""
CHOSEN = "chosen"
"""In a shard's training: its kind was asked for, and is no matter of its size."""


class Trainer:
    """Owned by the feed's thread; the training itself runs on a thread that ends with the process."""

    def __init__(self, searcher: SearcherService, train_at_images: int = TRAIN_AT_IMAGES) -> None:
        self._searcher = searcher
        self._train_at = train_at_images
        self._running: threading.Thread | None = None

    @property
    def is_training(self) -> bool:
        return self._running is not None and self._running.is_alive()

    def train_when_due(self, shard: Shard) -> None:
        """Begins a training when the shard has outgrown exact search or its lists, and none is under way.

        Never where a full index was built for exact search on purpose.
        """
        if self.is_training:
            return
        stats = shard.stats()
        exact = stats.index_kind == "exact"
        if exact and shard.training.get(CHOSEN):
            return
        trained_on = 0 if exact else int(shard.training.get("vectors", 0))
        if stats.searchable >= max(self._train_at, TRAIN_AGAIN_FACTOR * trained_on):
            name = f"train-{self._searcher.shard}-{self._searcher.replica}"
            self._running = threading.Thread(target=self._train, args=(shard,), name=name, daemon=True)
            self._running.start()

    def _train(self, shard: Shard) -> None:
        try:
            # One thread: queries and deltas need the others more.
            shard.train(threads=1)
        except Exception:
            # Searches stay as they were; not again before the shard has doubled.
            self._train_at = 2 * shard.stats().searchable
            log.exception("event=training_failed %s next_at_images=%d", self._searcher.labels, self._train_at)

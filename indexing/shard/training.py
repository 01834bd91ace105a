"""Training of a living shard: inverted lists from what is there, swapped in under running searches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from indexing.lists.codec import train_codec
from indexing.lists.inverted_lists import InvertedLists
from indexing.lists.kinds import IndexKind, default_kind
from indexing.lists.reranked import CodedLists, Lists
from indexing.lists.view import Part
from indexing.shard.state import ShardState
from indexing.training.probes import choose_live_probes
from indexing.training.train import default_nlist, omp_threads, sample_size, sample_vectors, train_centroids

_log = logging.getLogger(__name__)

_HEADROOM = 0.25
_LAST_CATCH_UP = 256


class LiveTrainer:
    """Any thread may train; one at a time does. `write_lock`: the shard's writer holds it while it writes."""

    def __init__(self, state: ShardState, write_lock: threading.Lock) -> None:
        self._state = state
        self._write_lock = write_lock
        self._lock = threading.Lock()

    def train(self, nlist: int | None, seed: int, *, nprobe: int | None, recall: float, threads: int) -> None:
        """Builds inverted lists from what is there and swaps them in under running searches.

        Call it from a thread of its own: it blocks for the k-means, while the
        writer and the readers go on. What the writer added meanwhile is taken
        over before the swap, the last of it under the writer's lock. Vectors of
        dead rows are left behind. Needs the memory of the vectors twice while
        it runs. nlist None: from the count; nprobe None: the smallest that
        reaches `recall` @10 on held-back vectors; threads 0: all cores.

        Raises `ValueError` when there are fewer vectors than lists.
        """
        with self._lock:
            started = time.monotonic()
            old, dead = self._state.lists, self._state.forward.superseded
            taken: list[int] = []
            parts = _parts_since(old, taken)
            count = sum(len(ids) - int(dead(ids).sum()) for _, ids in parts)
            kind = IndexKind(old.kind) if old.centroids is not None else default_kind(count, self._state.dimension)
            nlist = min(default_nlist(count, kind), count) if nlist is None else nlist
            if not 1 <= nlist <= count:
                raise ValueError(f"{nlist} lists need at least as many vectors, there are {count}")
            with omp_threads(threads):
                sample = sample_vectors(parts, sample_size(nlist), seed)
                centroids = train_centroids(sample, nlist, seed)
                lists = old.rebuilt(centroids, parts, dead, _HEADROOM)
                if kind.coded and isinstance(lists, InvertedLists):
                    lists = CodedLists.over(train_codec(kind, sample, seed), lists)
                training: dict[str, Any] = {"nlist": nlist, "seed": seed, "vectors": count}
                if nprobe is None:
                    chosen = choose_live_probes(lists, self._state.validity, recall, seed)
                    nprobe = chosen.nprobe
                    training |= {"recall_at_10": chosen.recall, "recall_wanted": recall, "queries": chosen.queries}
                while _catch_up(lists, _parts_since(old, taken)) > _LAST_CATCH_UP:
                    pass
                with self._write_lock:
                    _catch_up(lists, _parts_since(old, taken))
                    self._state.lists, self._state.nprobe, self._state.training = lists, nprobe, training
                    self._state.effort = 1.0
                    # Vectors were copied that may have been erased since.
                    self._state.unscrubbed |= bool(self._state.erased)
            _log.info(
                "trained vectors=%d nlist=%d nprobe=%d seconds=%.2f", count, nlist, nprobe, time.monotonic() - started
            )


def _parts_since(lists: Lists, taken: list[int]) -> Sequence[Part]:
    """Entries behind the first `taken[i]` of each list i; moves `taken` on."""
    fresh = []
    for number, (codes, ids) in enumerate(lists.parts()):
        if number == len(taken):
            taken.append(0)
        codes, ids = codes[taken[number] :], ids[taken[number] :]
        taken[number] += len(ids)
        fresh.append((codes, ids))
    return fresh


def _catch_up(lists: Lists, parts: Sequence[Part]) -> int:
    """Adds entries to lists that nobody searches yet; returns how many."""
    count = 0
    for codes, ids in parts:
        for number, row, vector in zip(lists.assign(codes) if len(ids) else (), ids.tolist(), codes, strict=True):
            lists.append(number, row, vector)
            count += 1
    return count

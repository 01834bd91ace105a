"""Recorded queries: a uniform sample of what was asked with, which warms a new full index and checks it.

The broker records vectors; a blender whose photos become base features records those, from which a build learns what
photos are like. Numbers only. They say which region of the space shoppers ask in, which is all
that warming and comparing need; the photo behind one is nobody's business,
and is never written down. The sample is Vitter's algorithm R ("Random
Sampling with a Reservoir", ACM TOMS 1985): each vector ever asked is in it
with the same probability.
"""

from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from disk.durable import write_durably
from schemas.errors import CorruptError
from schemas.features.ids import features_of
from schemas.features.recorded import SUFFIX, read_matrix, recorded_file

log = logging.getLogger(__name__)

Rows = NDArray[Any]

MOST_TUNINGS = 4
"""Of one extractor's features, whose vectors are kept: what serves, what served, what serves beside."""
WRITE_EVERY_S = 5.0


class _Seen(msgspec.Struct, frozen=True):
    """Beside the sample: how many vectors it stands for."""

    seen: int


class Reservoir:
    """A uniform sample of at most `size` rows like `first`, of the `seen` that were offered."""

    def __init__(self, size: int, first: Rows, random: np.random.Generator) -> None:
        self._rows = np.empty((size, first.shape[1]), first.dtype)
        self._count = 0
        self._random = random
        self.seen = 0

    @property
    def rows(self) -> Rows:
        """The sample, n x dimension; a copy."""
        return self._rows[: self._count].copy()

    def offer(self, rows: Rows) -> bool:
        """Each row replaces a random one, with the probability that keeps the sample uniform; whether any did."""
        size = len(self._rows)
        changed = False
        for row in rows:
            self.seen += 1
            if self._count < size:
                place, self._count = self._count, self._count + 1
            else:
                place = int(self._random.integers(self.seen))
            if place < size:
                self._rows[place] = row
                changed = True
        return changed

    def resume(self, rows: Rows, seen: int) -> None:
        """Goes on from a sample of `seen` vectors; a larger one than this is sampled again."""
        size = len(self._rows)
        if len(rows) > size:
            rows = rows[self._random.choice(len(rows), size, replace=False)]
        self._rows[: len(rows)] = rows
        self._count = len(rows)
        # One that is not full holds all that it has seen.
        self.seen = max(seen, len(rows)) if len(rows) == size else len(rows)


class RecordedQueries:
    """One reservoir per extractor, kept in `folder`/<extractor_id>.npy. Lives on one event loop.

    `size` 0 records nothing and leaves the folder alone.
    """

    def __init__(self, folder: Path, size: int, random: np.random.Generator | None = None) -> None:
        self._folder = folder
        self._size = size
        self._random = random or np.random.default_rng()
        self._reservoirs: dict[str, Reservoir] = {}
        self._changed: set[str] = set()
        self._loaded = False

    def note(self, extractor_id: str, vectors: bytes, count: int) -> None:
        """Offers `count` vectors, as in a `SearchRequest` that was answered. Not before `load`."""
        if count:
            self.offer(extractor_id, np.frombuffer(vectors, "<f4").reshape(count, -1))

    def offer(self, extractor_id: str, rows: Rows) -> None:
        """Offers rows, float32 or bytes, of which each extractor has one kind. Not before `load`."""
        if self._size == 0 or not len(rows) or not self._loaded:
            return
        reservoir = self._reservoirs.get(extractor_id)
        if reservoir is None:
            reservoir = self._reservoirs[extractor_id] = Reservoir(self._size, rows, self._random)
        # A sample that stays as it is need not be written for its number alone: replacements become rare at the rate
        # at which that grows, so what a restart forgets of it is a vanishing part.
        if reservoir.offer(rows):
            self._changed.add(extractor_id)

    async def load(self) -> None:
        """Takes up what the process before left, on another thread; once, whoever calls it again meanwhile."""
        found = await asyncio.to_thread(self._read_all) if self._size else {}
        if not self._loaded:
            self._reservoirs, self._loaded = found, True

    async def write(self) -> None:
        """Writes what has changed, each file whole and at once, on another thread. A full disk is logged, no more."""
        changed, self._changed = self._changed, set()
        for extractor_id in changed:
            reservoir = self._reservoirs[extractor_id]
            try:
                await asyncio.to_thread(self._save, extractor_id, reservoir.rows, reservoir.seen)
            except OSError as error:
                self._changed.add(extractor_id)
                log.warning("event=queries_not_recorded folder=%s problem=%s", self._folder, error)

    async def run(self) -> None:
        """Loads, then writes every few seconds until cancelled."""
        await self.load()
        while self._size:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()

    def _save(self, extractor_id: str, rows: Rows, seen: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        data = io.BytesIO()
        np.save(data, rows, allow_pickle=False)
        file = recorded_file(self._folder, extractor_id)
        write_durably(file, data.getvalue())
        write_durably(file.with_suffix(".json"), msgspec.json.encode(_Seen(seen)))
        self._forget_tunings(extractor_id)

    def _forget_tunings(self, extractor_id: str) -> None:
        """Of the tunings of the same features the latest stay: each full index may have one of its own."""
        features = features_of(extractor_id)
        if features == extractor_id:
            return
        alike = [file for file in self._folder.glob(f"{features}-t*{SUFFIX}") if features_of(file.stem) == features]
        for file in sorted(alike, key=lambda each: each.stat().st_mtime)[:-MOST_TUNINGS]:
            file.unlink()
            file.with_suffix(".json").unlink(missing_ok=True)

    def _read_all(self) -> dict[str, Reservoir]:
        found = {}
        for file in sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder.is_dir() else ():
            try:
                rows = read_matrix(file)
                seen = msgspec.json.decode(file.with_suffix(".json").read_bytes(), type=_Seen).seen
            except (OSError, msgspec.MsgspecError, CorruptError) as error:
                log.warning("event=recorded_queries_unusable file=%s next=record_anew problem=%s", file, error)
                continue
            found[file.stem] = Reservoir(self._size, rows, self._random)
            found[file.stem].resume(rows, seen)
        return found

"""How far into the source a shard's contents reach: the watermark."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.deltas.delta import Progress
from schemas.ids import EPOCH_SHIFT


class SourceProgress:
    """Per source partition the greatest sequence and timestamp seen. One writer, any reader.

    A new epoch (the topic was recreated, or its partitions changed) starts the
    table anew; the watermark, once reached, is never taken back.
    """

    def __init__(self, table: Iterable[Progress] = (), watermark_ms: int = 0) -> None:
        self.watermark_ms = watermark_ms
        self._table: dict[int, Progress] = {}
        self._epoch = 0
        self._partitions = 0
        self.advance(table)

    def advance(self, progress: Iterable[Progress]) -> None:
        """Takes over what is further than what is known. Writer thread only."""
        for entry in progress:
            epoch = entry.sequence >> EPOCH_SHIFT
            if epoch < self._epoch:
                continue
            if epoch > self._epoch:
                self._epoch, self._partitions = epoch, 0
                self._table = {}
            self._partitions = max(self._partitions, entry.partitions)
            known = self._table.get(entry.partition)
            if known is not None:
                entry = Progress(
                    entry.partition,
                    entry.partitions,
                    max(known.sequence, entry.sequence),
                    max(known.timestamp_ms, entry.timestamp_ms),
                )
            self._table[entry.partition] = entry
        if self._partitions and len(self._table) >= self._partitions:
            self.watermark_ms = max(self.watermark_ms, min(e.timestamp_ms for e in self._table.values()))

    def table(self) -> list[Progress]:
        """One entry per partition seen, for a snapshot. Writer thread only."""
        return list(self._table.values())

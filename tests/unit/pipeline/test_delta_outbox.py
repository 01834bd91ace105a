"""How rows become records of index-deltas: by partition and extractor, with progress behind the last of them."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.pipeline.delta_outbox import MAX_BATCH_BYTES, DeltaOutbox
from jobs.pipeline.stage import Out
from schemas.delta import DeltaBatch, Progress, decode_deltas
from schemas.ids import kafka_partition

PARTITIONS = 3
PROGRESS = [Progress(0, 1, 5, 1000)]


def by_partition(out: Iterable[Out]) -> dict[int, list[DeltaBatch]]:
    found: dict[int, list[DeltaBatch]] = {}
    for record in out:
        assert record.key is not None
        found.setdefault(kafka_partition(record.key, PARTITIONS), []).append(decode_deltas(record.value))
    return found


def row(outbox: DeltaOutbox, partition: int, size: int, extractor_id: str = "") -> None:
    outbox.batch(partition, size, extractor_id).add(bytes(16), "p", vector_seq=1, vector=bytes(4))


def test_a_record_holds_rows_of_one_partition_and_one_extractor() -> None:
    outbox = DeltaOutbox(PARTITIONS, "main")
    for partition, extractor_id in ((0, ""), (2, ""), (0, "second"), (0, "main"), (0, "second")):
        row(outbox, partition, 4, extractor_id)
    found = by_partition(outbox.seal(PROGRESS, everywhere=False))
    assert {partition: sorted((b.extractor_id, len(b)) for b in batches) for partition, batches in found.items()} == {
        0: [("main", 2), ("second", 2)],
        2: [("main", 1)],
    }


def test_progress_is_said_when_all_rows_of_the_partition_were() -> None:
    outbox = DeltaOutbox(PARTITIONS, "main")
    for size in (MAX_BATCH_BYTES, MAX_BATCH_BYTES, 10):
        for extractor_id in ("main", "second"):
            row(outbox, 0, size, extractor_id)
    row(outbox, 1, 10, "second")
    found = by_partition(outbox.seal(PROGRESS, everywhere=True))
    assert set(found) == {0, 1, 2}
    for batches in found.values():
        assert [batch.progress for batch in batches] == [[]] * (len(batches) - 1) + [PROGRESS]
    assert [len(found[0]), len(found[1]), len(found[2][0])] == [6, 2, 0]

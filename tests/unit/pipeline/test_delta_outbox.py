"""How rows become records of index-deltas: by partition and extractor, with progress behind the last of them."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.pipeline.delta_outbox import MAX_BATCH_BYTES, PROGRESS_APART_BYTES, DeltaOutbox
from jobs.pipeline.stage import Out
from schemas.deltas.delta import DeltaBatch, Progress, decode_deltas
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
    vector = bytes(size)
    outbox.batch(partition, vector, extractor_id=extractor_id).add(bytes(16), "p", vector_seq=1, vector=vector)


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
    assert {partition: sum(len(batch) for batch in batches) for partition, batches in found.items()} == {
        0: 6,
        1: 1,
        2: 0,
    }


def test_a_products_attributes_stand_once_in_a_record() -> None:
    outbox = DeltaOutbox(PARTITIONS, "main")
    attributes = b"a" * 900_000
    for image in range(120):
        batch = outbox.batch(0, None, attributes)
        batch.add(image.to_bytes(16, "little"), "p", state_seq=1, valid=True, attributes=attributes)
    out = list(outbox.seal(PROGRESS, everywhere=False))
    assert sum(len(record.value) for record in out) < 1_000_000
    read = [text for record in out for text in decode_deltas(record.value).attributes]
    assert read == [attributes] * 120
    assert len({id(text) for text in read}) == 1


def test_attributes_are_said_again_in_every_record_that_refers_to_them() -> None:
    outbox = DeltaOutbox(PARTITIONS, "main")
    attributes, vector = b"a" * 1000, bytes(MAX_BATCH_BYTES // 3)
    for image in range(7):
        batch = outbox.batch(0, vector, attributes)
        batch.add(image.to_bytes(16, "little"), "p", state_seq=1, attributes=attributes, vector_seq=1, vector=vector)
    records = [decode_deltas(record.value) for record in outbox.seal([], everywhere=False)]
    assert len(records) == 4
    assert {text for record in records for text in record.attributes} == {attributes}


def test_only_what_says_no_progress_may_overtake() -> None:
    outbox = DeltaOutbox(PARTITIONS, "main")
    for size in (PROGRESS_APART_BYTES, MAX_BATCH_BYTES, 10):
        row(outbox, 0, size)
    row(outbox, 1, 10)
    out = list(outbox.seal(PROGRESS, everywhere=True))
    assert any(record.commutes for record in out)
    for record in out:
        batch = decode_deltas(record.value)
        assert record.commutes == (not batch.progress)
        assert record.commutes or len(record.value) < PROGRESS_APART_BYTES

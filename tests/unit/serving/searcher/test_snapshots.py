"""The feed's snapshots: written beside it, taken up at the next start, put aside where they do not fit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from indexing.look.looks import Untuned
from indexing.shard.deltas import ShardDeltas
from messaging.ranges import LogReader
from schemas.deltas.check import DeltaCheck
from schemas.errors import TransientError
from schemas.full_index.manifest import decode_manifest, encode_manifest
from schemas.ids import image_id, sequence, shard_of_product
from serving.searcher.feeding.feed import DeltaFeed
from serving.searcher.service import SearcherService
from tests.support.serving.feed import error_of, fed, found, of, wait
from tests.support.serving.world import (
    DIMENSION,
    EXTRACTOR,
    MemoryPartition,
    batch,
    removed,
)


def test_restart_continues_behind_the_snapshot(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a", "b"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        digest = searcher.status().shards[0].digest
    partition.values[0] = b"never read again"
    opened: list[int | None] = []

    def open_reader(offsets: Mapping[int, int | None]) -> LogReader:
        opened.append(offsets[0])
        return partition.open(offsets)

    with fed(partition, tmp_path, open_reader=open_reader) as searcher:
        wait(lambda: searcher.is_ready)
        assert sorted(found(searcher)) == ["a", "b"]
        assert searcher.status().shards[0].digest == digest
    assert opened == [1]


def test_snapshot_is_written_while_the_feed_goes_on(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path, interval_s=0.01) as searcher:
        wait(lambda: (tmp_path / "snapshot" / "CURRENT").exists())
        partition.append(of("b"))
        wait(lambda: len(found(searcher)) == 2)


def test_what_was_erased_is_gone_from_the_disk_though_the_interval_is_long(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("MARKER", "kept"))
    with fed(partition, tmp_path, interval_s=0.01):
        wait(lambda: (tmp_path / "snapshot" / "CURRENT").exists())
    assert b"MARKER" in on_disk(tmp_path)
    with fed(partition, tmp_path) as searcher:  # its next snapshot is an hour away
        wait(lambda: searcher.is_ready)
        deltas = batch()
        image = image_id("MARKER", "https://shop.example/MARKER/0.jpg")
        number = sequence(1, 9)
        deltas.add(image, "MARKER", state_seq=number, image_seq=number, erased_seq=number)
        partition.append(deltas)
        wait(lambda: found(searcher) == ["kept"])
        wait(lambda: b"MARKER" not in on_disk(tmp_path))


def on_disk(folder: Path) -> bytes:
    """All files; those that are removed while they are read have nothing in them."""
    found = []
    for parent, _, files in os.walk(folder):  # which goes on where a folder has just been removed
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                found.append((Path(parent) / file).read_bytes())
    return b"".join(found)


def test_removal_after_the_snapshot_survives_a_crash(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    partition.append(removed(batch(), "a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == []  # never ready with the snapshot's state


def test_heartbeats_alone_write_no_snapshot(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(batch())
    with fed(partition, tmp_path, interval_s=0.001) as searcher:
        wait(lambda: searcher.next_offset == 1)
    assert not (tmp_path / "snapshot").exists()


def test_corrupt_snapshot_is_kept_aside_and_the_shard_rebuilt(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a", "b"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    (rows,) = (tmp_path / "snapshot").glob("*/rows.bin")
    damaged = bytearray(rows.read_bytes())
    damaged[20] ^= 1
    rows.write_bytes(damaged)
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        assert sorted(found(searcher)) == ["a", "b"]
    (aside,) = tmp_path.glob("snapshot.corrupt-*")
    assert list(aside.glob("*/rows.bin"))


def test_snapshot_of_another_extractor_is_kept_aside(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    with fed(partition, tmp_path, extractor_id=f"newer-0badcafe-p1-{DIMENSION}") as searcher:
        wait(lambda: searcher.is_ready)
        status = searcher.status().shards[0]
    assert (status.images, status.searchable, status.pending) == (1, 0, 1)  # the old extractor's vector is no vector
    assert list(tmp_path.glob("snapshot.other-extractor-*"))


def rewritten(folder: Path, **changes: object) -> None:
    (file,) = (folder / "snapshot").glob("*/manifest.json")
    file.write_bytes(encode_manifest(msgspec.structs.replace(decode_manifest(file.read_bytes()), **changes)))


def test_snapshot_written_before_several_partitions_were_read_is_taken(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    rewritten(tmp_path, delta_offsets={}, generation="")
    partition.values[0] = b"never read again"
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == ["a"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"generation": "g20260101T000000-000000"}, "generation"), ({"delta_offsets": {1: 1}}, "shard")],
)
def test_snapshot_of_another_generation_or_shard_is_kept_aside(
    tmp_path: Path, changes: dict[str, object], word: str
) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    rewritten(tmp_path, **changes)
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == ["a"]
    assert list(tmp_path.glob(f"snapshot.other-{word}-*"))


def test_snapshot_with_other_shards_products_is_kept_aside(tmp_path: Path) -> None:
    """The number of shards was changed, and this partition is still read: its rows tell."""
    partition = MemoryPartition()
    partition.append(of(*(f"p{n}" for n in range(20))))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    searcher = SearcherService(0, 0, Untuned(EXTRACTOR, DIMENSION), shards=3)
    deltas = ShardDeltas(0, 3, 1)
    running = DeltaFeed(searcher, deltas, partition.open, tmp_path / "snapshot", 3600.0, check=DeltaCheck(1, 1))
    running.start()
    wait(lambda: searcher.is_ready)
    running.stop()
    assert sorted(found(searcher)) == sorted(p for p in (f"p{n}" for n in range(20)) if shard_of_product(p, 3) == 0)
    assert list(tmp_path.glob("snapshot.other-shard-*"))


def test_snapshot_behind_the_topics_beginning_is_never_ready(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    with fed(MemoryPartition(first=5), tmp_path) as searcher:
        wait(lambda: bool(searcher.status().shards[0].error) and "begins at 5" in error_of(searcher))
        assert not searcher.is_ready
        assert "snapshot of another replica" in error_of(searcher)
        with pytest.raises(TransientError, match="not_ready"):
            found(searcher)


def test_snapshot_of_a_topic_made_anew_says_to_move_it_away(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    partition.append(of("b"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
    with fed(MemoryPartition(), tmp_path) as searcher:
        wait(lambda: "made anew" in error_of(searcher))
        assert not searcher.is_ready


def test_lost_beginning_without_a_snapshot_needs_the_operators_word(tmp_path: Path) -> None:
    partition = MemoryPartition(first=5)
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: "--accept-gap" in error_of(searcher))
        assert not searcher.is_ready
    with fed(partition, tmp_path, accept_gap=True) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == ["a"]

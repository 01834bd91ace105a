"""What every implementation of `feature_store.port` promises, on each of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.load.store_server import RunningServer
from feature_store.memory import MemoryStore
from feature_store.port import Store, WritePartition
from feature_store.rocks.store import RocksStore
from feature_store.server.store import ServerStore
from schemas.errors import OperatorError

PARTITIONS = 3

OpenCopy = Callable[[Path], Store]


@pytest.fixture(params=["rocks", "memory", "server"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def kept_in(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the store keeps what it is given."""
    return request.getfixturevalue("server").folder if kind == "server" else tmp_path / "store"


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if kind == "memory":
        return MemoryStore(PARTITIONS)
    if kind == "server":
        server: RunningServer = request.getfixturevalue("server")
        server.empty()
        store = ServerStore(server.access, "contract", PARTITIONS, lock_wait_s=0.0)
        assert store.create()
        return store
    return RocksStore(tmp_path / "store", PARTITIONS, lock_wait_s=0.0)


@pytest.fixture
def open_copy(kind: str) -> OpenCopy:
    """Opens a folder of checkpoints as a store."""
    if kind == "memory":
        return lambda folder: MemoryStore(PARTITIONS, folder)
    return lambda folder: RocksStore(folder, PARTITIONS, lock_wait_s=0.0)


@pytest.fixture
def writer(store: Store) -> Iterator[WritePartition]:
    writer = store.writer(0)
    yield writer
    writer.close()


def test_values_come_in_the_order_of_the_keys_with_none_for_absent_ones(writer: WritePartition) -> None:
    writer.write([(b"a", b"1"), (b"b", b""), (b"\x00\xff", b"\x00binary\xff")])
    assert writer.get_many([b"b", b"x", b"\x00\xff", b"a", b"a"]) == [b"", None, b"\x00binary\xff", b"1", b"1"]
    assert writer.get_many([]) == []


def test_a_write_puts_and_deletes_together(writer: WritePartition) -> None:
    writer.write([(b"a", b"1"), (b"b", b"2")])
    writer.write([(b"a", b"new"), (b"c", b"3")], deletes=[b"b", b"never-there"])
    assert writer.get_many([b"a", b"b", b"c"]) == [b"new", None, b"3"]


def test_the_last_of_several_puts_of_a_key_stays_and_deletes_come_after_puts(writer: WritePartition) -> None:
    writer.write([(b"a", b"1"), (b"a", b"2"), (b"b", b"1")], deletes=[b"b"])
    assert writer.get_many([b"a", b"b"]) == [b"2", None]


def test_scan_gives_a_prefix_in_key_order(writer: WritePartition) -> None:
    writer.write([(b"p\xff", b"4"), (b"q", b"5"), (b"pa", b"2"), (b"o", b"0"), (b"p", b"1"), (b"pb", b"3")])
    assert list(writer.scan(b"p")) == [(b"p", b"1"), (b"pa", b"2"), (b"pb", b"3"), (b"p\xff", b"4")]
    assert [key for key, _ in writer.scan()] == [b"o", b"p", b"pa", b"pb", b"p\xff", b"q"]
    assert list(writer.scan(b"z")) == []


def test_scan_sees_nothing_of_later_writes(writer: WritePartition) -> None:
    writer.write([(b"a", b"1"), (b"b", b"1"), (b"c", b"1")])
    scan = writer.scan()
    first = next(scan)
    writer.write([(b"b", b"2"), (b"d", b"2")], deletes=[b"c"])
    assert [first, *scan] == [(b"a", b"1"), (b"b", b"1"), (b"c", b"1")]


def test_partitions_are_apart(store: Store) -> None:
    first, second = store.writer(0), store.writer(1)
    first.write([(b"a", b"first")])
    second.write([(b"a", b"second")])
    assert first.get_many([b"a"]) == [b"first"]
    assert second.get_many([b"a"]) == [b"second"]
    first.close()
    second.close()


def test_a_partition_outside_the_store_is_refused(store: Store) -> None:
    for partition in (-1, PARTITIONS):
        with pytest.raises(ValueError, match=f"partition {partition} of"):
            store.writer(partition)
        with pytest.raises(ValueError, match=f"partition {partition} of"):
            store.reader(partition)


def test_a_second_writer_is_refused_and_the_holder_named(store: Store, writer: WritePartition) -> None:
    with pytest.raises(OperatorError, match=f"pid {os.getpid()}"):
        store.writer(0)
    writer.write([(b"a", b"1")])
    assert writer.get_many([b"a"]) == [b"1"]


def test_a_closed_partition_can_be_written_by_the_next(store: Store) -> None:
    first = store.writer(0)
    first.write([(b"a", b"1")])
    unfinished = first.scan()
    next(unfinished)
    first.close()
    first.close()
    second = store.writer(0)
    assert second.get_many([b"a"]) == [b"1"]
    second.close()


def test_a_reader_sees_what_was_written_before_it_was_opened(store: Store, writer: WritePartition) -> None:
    writer.write([(b"a", b"1")])
    reader = store.reader(0)
    assert reader.get_many([b"a", b"b"]) == [b"1", None]
    assert list(reader.scan()) == [(b"a", b"1")]
    reader.close()


def test_a_reader_may_be_behind_until_it_catches_up(kind: str, store: Store, writer: WritePartition) -> None:
    writer.write([(b"a", b"1"), (b"b", b"1")])
    reader = store.reader(0)
    writer.write([(b"a", b"2"), (b"c", b"2")], deletes=[b"b"])
    if kind != "server":  # of which every read is of the present
        assert reader.get_many([b"a", b"b", b"c"]) == [b"1", b"1", None]
    reader.catch_up()
    assert reader.get_many([b"a", b"b", b"c"]) == [b"2", None, b"2"]
    assert list(reader.scan()) == [(b"a", b"2"), (b"c", b"2")]
    reader.close()


def test_a_reader_of_a_partition_never_written_is_empty_and_becomes_real(kind: str, store: Store) -> None:
    reader = store.reader(2)
    reader.catch_up()
    assert reader.get_many([b"a", b"b"]) == [None, None]
    assert list(reader.scan()) == []
    writer = store.writer(2)
    writer.write([(b"a", b"1")])
    assert reader.get_many([b"a"]) == [b"1" if kind == "server" else None]
    reader.catch_up()
    assert reader.get_many([b"a"]) == [b"1"]
    reader.close()
    writer.close()


def test_a_reader_outlives_its_writer_and_follows_the_next(store: Store) -> None:
    first = store.writer(0)
    first.write([(b"a", b"1")])
    reader = store.reader(0)
    first.close()
    assert reader.get_many([b"a"]) == [b"1"]
    second = store.writer(0)
    second.write([(b"b", b"2")])
    reader.catch_up()
    assert reader.get_many([b"a", b"b"]) == [b"1", b"2"]
    reader.close()
    second.close()


def test_a_checkpoint_holds_what_was_written_until_then_and_can_be_written_itself(
    store: Store, writer: WritePartition, open_copy: OpenCopy, tmp_path: Path
) -> None:
    writer.write([(b"a", b"1"), (b"b", b"1")])
    writer.checkpoint(tmp_path / "copy" / "0000")
    writer.write([(b"a", b"2"), (b"c", b"2")])
    copy = open_copy(tmp_path / "copy")
    reader = copy.reader(0)
    assert list(reader.scan()) == [(b"a", b"1"), (b"b", b"1")]
    reader.close()
    copied = copy.writer(0)
    copied.write([(b"d", b"copy only")])
    assert copied.get_many([b"a", b"c", b"d"]) == [b"1", None, b"copy only"]
    assert writer.get_many([b"a", b"c", b"d"]) == [b"2", b"2", None]
    copied.close()


def test_a_checkpoint_does_not_replace_a_folder(writer: WritePartition, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OperatorError, match="taken exists already"):
        writer.checkpoint(tmp_path / "taken")
    assert list((tmp_path / "taken").iterdir()) == []


def test_a_closed_partition_is_not_mistaken_for_an_empty_one(store: Store, tmp_path: Path) -> None:
    writer = store.writer(0)
    writer.write([(b"a", b"1")])
    reader = store.reader(0)
    writer.close()
    reader.close()
    for partition in (writer, reader):
        with pytest.raises(ValueError, match="closed"):
            partition.get_many([b"a"])
        with pytest.raises(ValueError, match="closed"):
            partition.scan()
    with pytest.raises(ValueError, match="closed"):
        reader.catch_up()
    with pytest.raises(ValueError, match="closed"):
        writer.write([(b"b", b"2")])
    with pytest.raises(ValueError, match="closed"):
        writer.checkpoint(tmp_path / "copy")


def test_earlier_values_of_a_purged_key_are_gone_and_the_present_ones_stay(
    store: Store, writer: WritePartition, kept_in: Path, tmp_path: Path
) -> None:
    for number in range(3):
        writer.write([(b"a", b"MARKER-%d" % number), (b"b", b"kept"), (b"d", b"MARKER-d")])
        writer.checkpoint(tmp_path / f"copy-{number}")  # writes the memtable out
    writer.write([(b"a", b"present"), (b"c", b"kept")], deletes=[b"d"])
    writer.purge([b"a", b"d", b"never-there"])
    assert writer.get_many([b"a", b"b", b"c", b"d"]) == [b"present", b"kept", b"kept", None]
    reader = store.reader(0)
    assert reader.get_many([b"a", b"b", b"c", b"d"]) == [b"present", b"kept", b"kept", None]
    reader.close()
    files = [file.read_bytes() for file in kept_in.rglob("*") if file.is_file()]
    assert not any(b"MARKER" in data for data in files)


def test_many_keys_are_purged_as_one_range(writer: WritePartition, kept_in: Path, tmp_path: Path) -> None:
    keys = [b"%03d" % number for number in range(100)]
    writer.write([(key, b"MARKER") for key in keys])
    writer.checkpoint(tmp_path / "copy")
    writer.write((), deletes=keys)
    writer.purge(keys)
    assert list(writer.scan()) == []
    files = [file.read_bytes() for file in kept_in.rglob("*") if file.is_file()]
    assert not any(b"MARKER" in data for data in files)

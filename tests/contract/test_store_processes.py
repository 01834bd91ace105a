"""The RocksDB store between real processes: locks, kill -9, secondaries, copies on request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feature_store.copies import request_checkpoint
from feature_store.rocks.files import partition_folder
from feature_store.rocks.store import RocksStore
from schemas.errors import CorruptError, OperatorError, TransientError
from tests.contract.store_owner import ENTRIES

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def owner(store: Path, task: str) -> Iterator[subprocess.Popen[str]]:
    """`store_owner.py` in a process of its own, once it has opened the partition."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.store_owner", str(store), task],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def written(process: subprocess.Popen[str], at_least: int) -> int:
    """Reads along until batch `at_least` is reported."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= at_least:
            return int(line)
    raise AssertionError(f"the owner ended with {process.wait()}")


def drain(process: subprocess.Popen[str]) -> threading.Thread:
    """Keeps a writing owner from stopping at a full pipe."""
    assert process.stdout is not None
    thread = threading.Thread(target=process.stdout.read, daemon=True)
    thread.start()
    return thread


def whole_batches(store: Path) -> int:
    """How many batches the store holds; checks that it holds a prefix of them, each whole."""
    reader = RocksStore(store, 1).reader(0)
    entries = dict(reader.scan())
    reader.close()
    batches = int(entries.pop(b"last")) + 1
    assert len(entries) == batches * ENTRIES
    assert all(int(key.split(b"/")[0]) == int(value) < batches for key, value in entries.items())
    return batches


def test_a_second_writer_is_refused_with_the_first_ones_pid_and_command(tmp_path: Path) -> None:
    with owner(tmp_path, "hold") as process:
        with pytest.raises(OperatorError, match=rf"pid {process.pid} \(.*store_owner"):
            RocksStore(tmp_path, 1, lock_wait_s=0.3).writer(0)
        RocksStore(tmp_path, 1).reader(0).close()


def test_a_writer_waits_for_its_dying_predecessor(tmp_path: Path) -> None:
    with owner(tmp_path, "hold") as process:
        timer = threading.Timer(0.5, process.kill)
        timer.start()
        writer = RocksStore(tmp_path, 1, lock_wait_s=30.0).writer(0)
        assert process.wait() == -signal.SIGKILL
        writer.close()


def test_a_killed_writer_loses_nothing_that_it_returned_from(tmp_path: Path) -> None:
    returned = -1
    for _ in range(3):
        with owner(tmp_path, "write") as process:  # begins after the last batch that it finds
            returned = written(process, returned + 300)
            process.send_signal(signal.SIGKILL)
            assert process.stdout is not None
            whole_lines = process.stdout.read().split("\n")[:-1]
            returned = max([returned, *map(int, whole_lines)])
        RocksStore(tmp_path, 1).writer(0).close()  # recovers
        assert whole_batches(tmp_path) > returned


def test_a_secondary_follows_an_owner_in_another_process_over_its_compactions(tmp_path: Path) -> None:
    reader = RocksStore(tmp_path, 1).reader(0)
    assert reader.get_many([b"last"]) == [None]
    with owner(tmp_path, "write") as process:
        for number in range(0, 8_000, 190):  # 5 KB a batch, a memtable of 1 MB: a flush or a compaction between most
            number = written(process, number)
            reader.catch_up()
            last = reader.get_many([b"last"])[0]
            assert last is not None
            assert int(last) >= number
            assert reader.get_many([f"{number:08d}/9".encode()]) == [str(number).encode().zfill(500)]
    reader.close()


def test_a_reader_follows_a_store_that_was_removed_and_rebuilt(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "store", 1)
    writer = store.writer(0)
    writer.write([(b"a", b"old")])
    writer.close()
    reader = store.reader(0)
    (tmp_path / "store").rename(tmp_path / "lost")
    reader.catch_up()
    assert reader.get_many([b"a"]) == [None]
    writer = store.writer(0)
    writer.write([(b"b", b"new")])
    reader.catch_up()
    assert reader.get_many([b"a", b"b"]) == [None, b"new"]
    reader.close()
    writer.close()


def test_copies_are_made_by_an_owner_that_keeps_writing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with owner(store, "write") as process:
        before = [written(process, 100)]
        request_checkpoint(store, 0, partition_folder(tmp_path / "first", 0), timeout_s=30)
        before.append(written(process, before[0] + 500))
        drain(process)
        request_checkpoint(store, 0, partition_folder(tmp_path / "second", 0), timeout_s=30)
        assert process.poll() is None
        assert list((partition_folder(store, 0) / "requests").iterdir()) == []
    assert whole_batches(tmp_path / "first") > before[0]
    assert whole_batches(tmp_path / "second") > before[1]


def test_a_copy_is_made_by_the_requester_when_nobody_owns_the_partition(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with owner(store, "write") as process:
        last = written(process, 50)
        process.kill()  # leaves its owner.json behind
    request_checkpoint(store, 0, partition_folder(tmp_path / "copy", 0), timeout_s=30)
    assert whole_batches(tmp_path / "copy") > last
    RocksStore(store, 1, lock_wait_s=0.0).writer(0).close()


def test_a_copy_of_a_partition_never_written_is_empty(tmp_path: Path) -> None:
    RocksStore(tmp_path / "store", 2).writer(0).close()
    request_checkpoint(tmp_path / "store", 1, partition_folder(tmp_path / "copy", 1), timeout_s=30)
    reader = RocksStore(tmp_path / "copy", 2).reader(1)
    assert list(reader.scan()) == []
    reader.close()


def test_an_owner_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with owner(tmp_path / "store", "hold") as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(TransientError, match=f"pid {process.pid}"):
            request_checkpoint(tmp_path / "store", 0, tmp_path / "copy", timeout_s=0.5)
    assert not (tmp_path / "copy").exists()
    assert list((partition_folder(tmp_path / "store", 0) / "requests").iterdir()) == []


def test_a_failed_copy_is_told_to_the_requester_and_the_owner_lives(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the copy's folder should be")
    with owner(tmp_path / "store", "hold") as process:
        with pytest.raises(OperatorError, match="could not copy"):
            request_checkpoint(tmp_path / "store", 0, tmp_path / "file" / "copy", timeout_s=30)
        request_checkpoint(tmp_path / "store", 0, tmp_path / "copy", timeout_s=30)
        assert process.poll() is None


def test_a_copy_needs_a_store_and_a_free_target(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no store at"):
        request_checkpoint(tmp_path / "nothing", 0, tmp_path / "copy")
    RocksStore(tmp_path / "store", 1).writer(0).close()
    (tmp_path / "taken").mkdir()
    with pytest.raises(OperatorError, match="exists already"):
        request_checkpoint(tmp_path / "store", 0, tmp_path / "taken")


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    RocksStore(tmp_path, 4).writer(0).close()
    with pytest.raises(OperatorError, match="has 4 partitions, the settings say 8"):
        RocksStore(tmp_path, 8)


def test_a_damaged_partition_names_its_folder_and_the_command_that_rebuilds_it(tmp_path: Path) -> None:
    store = RocksStore(tmp_path, 1)
    writer = store.writer(0)
    writer.write([(b"%08d" % i, os.urandom(500)) for i in range(2000)])
    writer.checkpoint(tmp_path / "flushed")  # brings the memtable into a table file
    writer.close()
    tables = sorted((partition_folder(tmp_path, 0) / "db").glob("*.sst"))
    for table in tables:
        content = bytearray(table.read_bytes())
        content[len(content) // 3 : len(content) // 3 + 64] = bytes(64)
        table.unlink()  # the checkpoint shares the file
        table.write_bytes(content)
    writer = store.writer(0)
    with pytest.raises(CorruptError, match=rf"{partition_folder(tmp_path, 0)}.*vitrine rebuild-features"):
        list(writer.scan())
    writer.close()

"""The store on a server between real processes: who may write, what is left after a kill, and views of what changes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.load.store_server import RunningServer, free_port
from feature_store.rocks.store import RocksStore
from feature_store.server import holder, view
from feature_store.server.store import ServerStore
from schemas.errors import OperatorError, TransientError
from tests.contract.server_owner import SPACE
from tests.contract.store_owner import ENTRIES

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def server(one_server: RunningServer) -> RunningServer:
    one_server.empty()
    return one_server


@pytest.fixture
def store(server: RunningServer) -> ServerStore:
    store = ServerStore(server.access, SPACE, 1, lock_wait_s=0.0)
    store.create()
    return store


@contextmanager
def owner(server: RunningServer, task: str) -> Iterator[subprocess.Popen[str]]:
    """`server_owner.py` in a process of its own, once it has opened the partition."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.server_owner", str(server.port), task],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert line_of(process) == "ready"
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().removesuffix("\n")


def has_write(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    process.stdin.write("again\n")
    process.stdin.flush()
    return line_of(process)


def whole_batches(entries: dict[bytes, bytes]) -> int:
    """How many batches of `store_owner` these are; checks that they are a prefix, each whole."""
    batches = int(entries.pop(b"last")) + 1
    assert len(entries) == batches * ENTRIES
    assert all(int(key.split(b"/")[0]) == int(value) < batches for key, value in entries.items())
    return batches


def test_a_task_that_was_given_up_and_still_runs_cannot_write(server: RunningServer, store: ServerStore) -> None:
    with owner(server, "hold") as process:
        assert has_write(process) == "written"
        with pytest.raises(OperatorError, match=rf"pid {process.pid} \(.*server_owner"):
            store.writer(0)
        process.send_signal(signal.SIGSTOP)  # hangs: its lease ends
        server.call("UNLINK", b"{vitrine:owned:0000}:holder")
        successor = store.writer(0)
        successor.write([(b"by", b"successor")])
        process.send_signal(signal.SIGCONT)
        assert has_write(process) == "OperatorError"
        assert has_write(process) == "OperatorError"
        assert successor.get_many([b"by"]) == [b"successor"]
        successor.write([(b"by", b"still the successor")])
        successor.close()


def test_a_killed_owner_is_succeeded_at_once(server: RunningServer, store: ServerStore) -> None:
    with owner(server, "hold") as process:
        process.kill()
        process.wait()
        store.writer(0).close()


def test_the_lease_ends_by_itself_when_nothing_is_written(
    server: RunningServer, store: ServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "LEASE_S", 0.3)
    away = store.writer(0)
    with pytest.raises(OperatorError, match="one writer"):
        store.writer(0)
    successor = ServerStore(server.access, SPACE, 1, lock_wait_s=10.0).writer(0)
    with pytest.raises(OperatorError, match=r"was opened for writing by pid .* \(its token is 2, ours 1\)"):
        away.write([(b"a", b"1")])
    away.close()  # leaves the successor's lease alone
    with pytest.raises(OperatorError, match="one writer"):
        store.writer(0)
    successor.close()


def test_a_server_that_is_killed_keeps_every_write_that_returned_and_no_half(tmp_path: Path) -> None:
    server = RunningServer(tmp_path)
    try:
        store = ServerStore(server.access, SPACE, 1)
        store.create()
        returned = -1
        for _ in range(2):
            with owner(server, "write") as process:
                while (line := line_of(process)) != "TransientError":
                    returned = int(line)
                    if returned % 100 == 99 and server.pid:
                        server.kill()  # in the middle of a write, since the owner never pauses
                assert process.wait(30) == 0
            server.start()
            assert whole_batches(dict(store.reader(0).scan())) > returned
    finally:
        server.stop()


def test_a_writer_goes_on_when_its_server_has_come_back(tmp_path: Path) -> None:
    server = RunningServer(tmp_path)
    try:
        store = ServerStore(server.access, SPACE, 1)
        store.create()
        writer = store.writer(0)
        writer.write([(b"a", b"1")])
        server.kill()
        with pytest.raises(TransientError, match="start it"):
            writer.write([(b"a", b"2")])
        server.start()
        writer.write([(b"b", b"2")])
        assert writer.get_many([b"a", b"b"]) == [b"1", b"2"]
        server.empty()
        with pytest.raises(OperatorError, match="came back without what it held"):
            writer.write([(b"a", b"3")])
        with pytest.raises(OperatorError, match="vitrine start, which makes it"):
            store.writer(0)
    finally:
        server.stop()


def test_a_copy_beside_a_writing_owner_is_one_moment_of_it(
    server: RunningServer, store: ServerStore, tmp_path: Path
) -> None:
    with owner(server, "write") as process:
        while int(line_of(process)) < 200:
            pass
        scan = store.reader(0).scan()
        entries = [next(scan)]
        for _ in range(200):  # what is read from now on was written over meanwhile, or is new
            line_of(process)
        entries += scan
        assert entries == sorted(entries)
        seen = whole_batches(dict(entries))
        assert seen > 200
        process.kill()
        process.wait()
    assert server.call("EXISTS", b"{vitrine:owned:0000}:copies") == 0
    writer = store.writer(0)
    writer.checkpoint(tmp_path / "0000")
    writer.close()
    reader = RocksStore(tmp_path, 1).reader(0)
    assert whole_batches(dict(reader.scan())) > seen
    reader.close()


def test_two_views_of_other_moments_are_read_at_once(store: ServerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "_VALUES", 1)  # else all was read with the first entry
    writer = store.writer(0)
    writer.write([(b"a", b"1"), (b"b", b"1"), (b"c", b"")])
    first = writer.scan()
    entries = [next(first)]
    writer.write([(b"b", b"2"), (b"d", b"2")], deletes=[b"c"])
    second = store.reader(0).scan()
    later = [next(second)]
    writer.write([(b"b", b"3"), (b"c", b"3")], deletes=[b"a", b"d"])
    assert [*entries, *first] == [(b"a", b"1"), (b"b", b"1"), (b"c", b"")]
    assert [*later, *second] == [(b"a", b"1"), (b"b", b"2"), (b"d", b"2")]
    assert list(writer.scan()) == [(b"b", b"3"), (b"c", b"3")]
    writer.close()


def test_a_view_whose_reader_died_is_cleared_away_and_its_reader_told(
    server: RunningServer, store: ServerStore
) -> None:
    writer = store.writer(0)
    writer.write([(b"%04d" % number, b"1") for number in range(2_000)])
    scan = store.reader(0).scan()
    next(scan)
    writer.write([(b"0000", b"2")])
    (changed,) = server.call("KEYS", b"*:changed:*")  # type: ignore[misc]
    server.call("UNLINK", changed.replace(b"changed", b"alive"))  # as when its time has passed
    writer.write([(b"0001", b"2")])
    assert server.call("EXISTS", changed, b"{vitrine:owned:0000}:copies") == 0
    with pytest.raises(TransientError, match="read again"):
        list(scan)
    writer.close()


def test_each_partition_is_found_on_its_node_of_a_cluster(tmp_path: Path) -> None:
    buses = [str(free_port()), str(free_port())]
    nodes = [RunningServer(tmp_path / bus, "--cluster-enabled", "yes", "--cluster-port", bus) for bus in buses]
    try:
        first, second = nodes
        first.call("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        second.call("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        first.call("CLUSTER", "MEET", "127.0.0.1", second.port, buses[1])
        deadline = time.monotonic() + 30
        while any(b"cluster_state:ok" not in node.call("CLUSTER", "INFO") for node in nodes):  # type: ignore[operator]
            assert time.monotonic() < deadline, "the nodes did not form a cluster"
            time.sleep(0.1)
        store = ServerStore(first.access, SPACE, 4)
        store.create()
        writers = [store.writer(partition) for partition in range(4)]
        for number, writer in enumerate(writers):
            writer.write([(b"a", b"%d" % number), (b"b", b"")])
        held = [len(node.call("KEYS", b"*/a")) for node in nodes]  # type: ignore[arg-type]
        assert sum(held) == 4
        assert min(held) > 0
        assert [writer.get_many([b"a"]) for writer in writers] == [[b"0"], [b"1"], [b"2"], [b"3"]]
        assert [dict(store.reader(partition).scan())[b"a"] for partition in range(4)] == [b"0", b"1", b"2", b"3"]
    finally:
        for node in nodes:
            node.stop()

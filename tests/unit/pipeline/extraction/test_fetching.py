"""The fetch queue: who may fetch when."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from jobs.pipeline.extraction import fetch_queue as extraction_fetching
from jobs.pipeline.extraction.fetch_queue import FEW, MAX_PUT_OFF_S, MOST, CutShort, FetchQueue, Turn
from jobs.pipeline.extraction.rooms import GIVE_UP_AFTER, Outcome, Standing
from schemas.errors import TransientError


class Hosts:
    """Fetches that end when told to; `bad` hosts fail. The address of a host is what follows its `@`, or its name."""

    def __init__(self, *bad: str) -> None:
        self.bad = bad
        self.changed = threading.Condition()
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.held: set[str] = set()
        self.done: list[str] = []
        self.given_up: list[str] = []
        self.put_offs: list[float] = []
        self.holds: set[bytes] = set()
        self.unknown: set[str] = set()
        self.grows: dict[str, int] = {}

    def locate(self, url: str, then: Callable[[str], None]) -> None:
        host = host_of(url)
        if host not in self.unknown:
            then(host.partition("@")[2] or host)

    def fetch(self, key: bytes, url: str, turn: Turn) -> Outcome:
        host = host_of(url)
        with self.changed:
            self.running[host] += 1
            self.most[host] = max(self.most[host], self.running[host])
            self.most["all"] = max(self.most["all"], self.running.total())
            self.changed.notify_all()
        try:
            return self._fetch(key, url, host, turn)
        except CutShort:
            return Outcome.CUT
        except TransientError:
            return Outcome.FAILED
        finally:
            with self.changed:
                self.running[host] -= 1
                self.changed.notify_all()

    def _fetch(self, key: bytes, url: str, host: str, turn: Turn) -> Outcome:
        released = lambda: host not in self.held  # noqa: E731
        with self.changed:
            ended = self.changed.wait_for(released, timeout=60 if turn.patience_s is None else turn.patience_s)
        if not ended:
            turn.late()
            with self.changed:
                self.changed.wait_for(released, timeout=60)
        if self.grows.get(host):
            turn.grow(self.grows[host])
            turn.keep()
        with self.changed:
            self.done.append(url)
        return Outcome.FAILED if host in self.bad else Outcome.ANSWERED

    def hold(self, key: bytes) -> None:
        with self.changed:
            self.holds.add(key)
            self.changed.notify_all()

    def put_off(self, key: bytes, wait_s: float) -> None:
        self.put_offs.append(wait_s)

    def give_up(self, key: bytes, url: str) -> None:
        with self.changed:
            self.given_up.append(url)
            self.changed.notify_all()

    def release(self, host: str) -> None:
        with self.changed:
            self.held.discard(host)
            self.changed.notify_all()

    def wait(self, settled: int) -> None:
        self.until(lambda: len(self.done) + len(self.given_up) >= settled)

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout=60)


def host_of(url: str) -> str:
    return url.split("/")[2].rpartition("~")[2]


def fetch_queue(hosts: Hosts, threads: int, per_host: int, patience_s: float = 60.0, **more: int) -> FetchQueue:
    return FetchQueue(hosts, threads, per_host, patience_s=patience_s, **more)


def wait_until_counted(queue: FetchQueue) -> None:
    """A fetch is done a moment before its host's health is noted."""
    deadline = time.monotonic() + 60
    while queue.under_way:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def submit(queue: FetchQueue, host: str, count: int) -> None:
    for number in range(count):
        queue.submit(b"%d" % number, f"http://{host}/{number}")


def known(queue: FetchQueue, hosts: Hosts, *names: str) -> None:
    """The hosts have answered once."""
    for name in names:
        submit(queue, name, 1)
    wait_until_counted(queue)
    hosts.done.clear()


def test_hanging_host_leaves_threads_to_the_others() -> None:
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=8, per_host=2)
    known(queue, hosts, "slow")
    hosts.held = {"slow"}
    submit(queue, "slow", 50)
    submit(queue, "quick", 16)
    hosts.wait(16)
    assert {host_of(url) for url in hosts.done} == {"quick"}
    assert hosts.most["slow"] == 2
    hosts.release("slow")
    hosts.wait(66)
    assert max(hosts.most["slow"], hosts.most["quick"]) == 2


def test_known_host_has_room_beside_any_number_of_hosts_that_were_never_asked() -> None:
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=8, per_host=2)
    known(queue, hosts, "shop")
    hosts.held = {f"new{n}" for n in range(100)}
    for name in hosts.held:
        submit(queue, name, 3)
    submit(queue, "shop", 20)
    hosts.wait(20)
    assert {host_of(url) for url in hosts.done} == {"shop"}
    assert sum(hosts.running[name] for name in hosts.held) == 4  # half of the threads, one for each host
    for name in list(hosts.held):
        hosts.release(name)
    hosts.wait(320)


def test_new_host_waits_for_the_patience_with_hanging_ones_and_not_for_their_time() -> None:
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=8, per_host=2, patience_s=0.02)
    hosts.held = {f"new{n}" for n in range(100)}
    for number, name in enumerate(sorted(hosts.held)):
        queue.submit(b"held%d" % number, f"http://{name}/0")
    submit(queue, "shop", 1)
    hosts.until(lambda: "http://shop/0" in hosts.done)
    hosts.until(lambda: sum(key.startswith(b"held") for key in hosts.holds) == 100)  # nobody waits for them any longer
    # Those that have shown nothing have half of the slow room.
    hosts.until(lambda: hosts.running.total() == 1)
    for name in list(hosts.held):
        hosts.release(name)
    hosts.wait(101)  # what was cut short was fetched again
    assert len(set(hosts.done)) == 101


def test_host_that_has_answered_keeps_half_of_the_slow_room_beside_silent_ones() -> None:
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=8, per_host=2, patience_s=0.02)
    known(queue, hosts, "late")
    hosts.held = {"late", *(f"new{n}" for n in range(20))}
    for name in hosts.held - {"late"}:
        submit(queue, name, 1)
    submit(queue, "late", 1)
    hosts.until(lambda: hosts.running["late"] == 1 and hosts.running.total() == 2)
    hosts.release("late")
    hosts.until(lambda: hosts.done == ["http://late/0"])
    for name in list(hosts.held):
        hosts.release(name)
    hosts.wait(21)


def test_names_of_one_address_are_one_server() -> None:
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=64, per_host=2)
    hosts.held = {f"n{n}@one" for n in range(40)}
    known(queue, hosts, "shop@one")
    for name in hosts.held:
        submit(queue, name, 1)
    hosts.until(lambda: hosts.running.total() == 2)
    submit(queue, "shop@one", 10)  # known, on the same address
    hosts.wait(10)
    submit(queue, "other", 5)
    hosts.wait(15)
    assert hosts.most["all"] <= 2 + 2 + 1
    for name in list(hosts.held):
        hosts.release(name)
    hosts.wait(55)
    assert hosts.most["all"] <= 4


def test_host_whose_name_does_not_resolve_yet_occupies_no_thread() -> None:
    hosts = Hosts()
    hosts.unknown = {f"new{n}" for n in range(50)}
    queue = fetch_queue(hosts, threads=4, per_host=2)
    for name in hosts.unknown:
        submit(queue, name, 5)
    submit(queue, "shop", 5)
    hosts.wait(5)
    assert {host_of(url) for url in hosts.done} == {"shop"}


def test_failing_host_gets_one_thread_then_its_waiting_images_fail_with_it() -> None:
    hosts = Hosts("dead")
    hosts.held = {"dead"}
    queue = fetch_queue(hosts, threads=8, per_host=2)
    submit(queue, "dead", MOST[Standing.UNPROVEN])
    hosts.release("dead")
    hosts.wait(MOST[Standing.UNPROVEN])
    assert len(hosts.done) == GIVE_UP_AFTER
    assert hosts.most["dead"] == 1
    wait_until_counted(queue)
    assert sorted([*hosts.done, *hosts.given_up]) == sorted(f"http://dead/{n}" for n in range(16))


def test_backlog_of_one_host_is_put_off_for_longer_and_longer_and_others_get_their_turn() -> None:
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=8, per_host=2)
    known(queue, hosts, "great")
    hosts.held = {"great"}
    submit(queue, "great", 10_000)
    assert queue.waiting == MOST[Standing.PROMPT]
    assert len(hosts.put_offs) == 10_000 - 2 - MOST[Standing.PROMPT]
    assert hosts.put_offs == sorted(hosts.put_offs)
    assert max(hosts.put_offs) == MAX_PUT_OFF_S
    submit(queue, "small", 10)
    hosts.wait(10)
    assert {host_of(url) for url in hosts.done} == {"small"}
    hosts.release("great")
    hosts.wait(2 + MOST[Standing.PROMPT] + 10)


def test_full_queue_takes_a_few_images_of_every_host_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction_fetching, "MAX_WAITING", 64)
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=8, per_host=2)
    hosts.held = {f"new{n}" for n in range(10)}
    for name in sorted(hosts.held):
        submit(queue, name, 20)
    assert 10 * FEW <= queue.waiting + hosts.running.total() <= 33 + 10 * FEW
    put_off = len(hosts.put_offs)
    hosts.held.add("other")
    submit(queue, "other", 20)
    assert len(hosts.put_offs) - put_off in (20 - FEW, 19 - FEW)
    for name in list(hosts.held):
        hosts.release(name)
    hosts.until(lambda: len(hosts.done) + len(hosts.put_offs) == 220)


def test_urls_are_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction_fetching, "MAX_WAITING_BYTES", 20_000)
    hosts = Hosts()
    queue = fetch_queue(hosts, threads=8, per_host=2)
    known(queue, hosts, "shop")
    hosts.held = {"shop"}
    for number in range(100):
        queue.submit(b"%d" % number, f"http://shop/{number:04000}")
    assert queue.waiting < 8
    assert len(hosts.put_offs) > 90
    hosts.release("shop")
    hosts.until(lambda: len(hosts.done) + len(hosts.put_offs) == 100)


def test_files_that_wait_to_be_decoded_hold_fetches_back_and_are_counted_once() -> None:
    hosts = Hosts()
    hosts.grows = {"shop": 100}
    queue = fetch_queue(hosts, threads=8, per_host=2, max_bytes=1000)
    submit(queue, "shop", 16)
    hosts.until(lambda: len(hosts.done) >= 6)
    wait_until_counted(queue)
    assert 6 <= len(hosts.done) <= 8  # half of the bytes are held, and those that ran
    for number in range(16):
        hosts.until(lambda n=number: f"http://shop/{n}" in hosts.done)
        queue.release(b"%d" % number)
    hosts.wait(16)


def test_file_beyond_all_bytes_is_not_taken_and_nothing_of_it_stays_counted() -> None:
    hosts = Hosts()
    hosts.grows = {"huge": 2000}
    queue = fetch_queue(hosts, threads=8, per_host=2, max_bytes=1000)
    submit(queue, "huge", 3)
    submit(queue, "shop", 3)
    hosts.wait(3)
    wait_until_counted(queue)
    assert {host_of(url) for url in hosts.done} == {"shop"}


def test_host_that_answers_again_is_asked_as_before() -> None:
    hosts = Hosts("shop")
    queue = fetch_queue(hosts, threads=8, per_host=2)
    submit(queue, "shop", 1)
    wait_until_counted(queue)
    hosts.bad = ()
    submit(queue, "shop", 1)
    wait_until_counted(queue)
    hosts.held = {"shop"}
    submit(queue, "shop", 10)
    with hosts.changed:
        assert hosts.changed.wait_for(lambda: hosts.running["shop"] == 2, timeout=60)
    hosts.release("shop")
    hosts.wait(12)
    assert hosts.given_up == []


def test_url_that_does_not_parse_is_left_to_the_fetch_to_refuse() -> None:
    seen: list[str] = []
    done = threading.Event()

    class Refusing(Hosts):
        def locate(self, url: str, then: Callable[[str], None]) -> None:
            then("")

        def fetch(self, key: bytes, url: str, turn: Turn) -> Outcome:
            seen.append(url)
            done.set()
            return Outcome.ANSWERED

    fetch_queue(Refusing(), threads=4, per_host=1).submit(b"k", "http://[broken")
    assert done.wait(60)
    assert seen == ["http://[broken"]

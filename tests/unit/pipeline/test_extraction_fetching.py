"""The fetch queue: who may fetch when."""

from __future__ import annotations

import threading
import time
from collections import Counter

from jobs.pipeline.extraction_fetching import GIVE_UP_AFTER, FetchQueue


class Hosts:
    """Fetches that end when told to; `bad` hosts fail."""

    def __init__(self, *bad: str) -> None:
        self.bad = bad
        self.changed = threading.Condition()
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.held: set[str] = set()
        self.done: list[str] = []
        self.given_up: list[str] = []

    def fetch(self, key: bytes, url: str) -> bool:
        host = url.split("/")[2]
        with self.changed:
            self.running[host] += 1
            self.most[host] = max(self.most[host], self.running[host])
            self.changed.notify_all()
            self.changed.wait_for(lambda: host not in self.held, timeout=60)
            self.running[host] -= 1
            self.done.append(url)
            self.changed.notify_all()
        return host not in self.bad

    def give_up(self, key: bytes, url: str) -> None:
        with self.changed:
            self.given_up.append(url)
            self.changed.notify_all()

    def release(self, host: str) -> None:
        with self.changed:
            self.held.discard(host)
            self.changed.notify_all()

    def wait(self, settled: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.done) + len(self.given_up) >= settled, timeout=60)


def wait_until_counted(queue: FetchQueue) -> None:
    """A fetch is done a moment before its host's health is noted."""
    deadline = time.monotonic() + 60
    while queue.under_way:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def submit(queue: FetchQueue, host: str, count: int) -> None:
    for number in range(count):
        queue.submit(b"%d" % number, f"http://{host}/{number}")


def test_hanging_hosts_leave_threads_to_the_others() -> None:
    hosts = Hosts()
    hosts.held = {"slow"}
    queue = FetchQueue(hosts.fetch, hosts.give_up, threads=4, per_host=2)
    submit(queue, "slow", 50)
    submit(queue, "quick", 20)
    hosts.wait(20)
    assert {url.split("/")[2] for url in hosts.done} == {"quick"}
    assert hosts.most["slow"] == 2
    hosts.release("slow")
    hosts.wait(70)
    assert max(hosts.most.values()) == 2


def test_failing_host_gets_one_thread_then_its_waiting_images_fail_with_it() -> None:
    hosts = Hosts("dead")
    hosts.held = {"dead"}
    queue = FetchQueue(hosts.fetch, hosts.give_up, threads=4, per_host=2)
    submit(queue, "dead", 100)
    hosts.release("dead")
    hosts.wait(100)
    # The two that ran from the start, then one at a time, until enough have failed.
    assert len(hosts.done) in (GIVE_UP_AFTER, GIVE_UP_AFTER + 1)
    assert sorted([*hosts.done, *hosts.given_up]) == sorted(f"http://dead/{n}" for n in range(100))


def test_host_that_answers_again_is_asked_as_before() -> None:
    hosts = Hosts("shop")
    queue = FetchQueue(hosts.fetch, hosts.give_up, threads=4, per_host=2)
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
    hosts = Hosts()
    seen: list[str] = []
    done = threading.Event()

    def fetch(_: bytes, url: str) -> bool:
        seen.append(url)
        done.set()
        return True

    FetchQueue(fetch, hosts.give_up, threads=1, per_host=1).submit(b"k", "http://[broken")
    assert done.wait(60)
    assert seen == ["http://[broken"]

"""Look-ups that hang: who asks is answered, and names that are known are not affected."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from schemas.errors import TransientError
from vision.fetching import resolver as module
from vision.fetching.resolver import Answer, Resolver


class Names:
    """In `getaddrinfo`'s place: names in `hanging` are answered when they are released."""

    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.missing: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.changed = threading.Condition()

    def __call__(self, host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        with self.changed:
            self.asked[host] += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: host not in self.hanging, 60)
        if host in self.missing:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    def until_asked(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked.total() >= count, 60)

    def release(self) -> None:
        with self.changed:
            self.hanging.clear()
            self.changed.notify_all()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    yield names
    names.release()


def ask(resolver: Resolver, host: str) -> Answer:
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    resolver.ask(host, answers.put)
    return answers.get(timeout=60)


def test_name_is_looked_up_once_while_its_answer_is_fresh(names: Names) -> None:
    resolver = Resolver()
    assert [resolver.resolve("a.example", 60) for _ in range(3)] == [["192.0.2.1"]] * 3
    assert names.asked == {"a.example": 1}


def test_address_needs_no_look_up(names: Names) -> None:
    assert Resolver().resolve("::1", 60) == ["::1"]
    assert not names.asked


def test_all_who_ask_share_one_look_up_and_are_answered_when_it_takes_too_long(names: Names) -> None:
    names.hanging = {"slow.example"}
    resolver = Resolver(look_up_s=0.1)
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    for _ in range(3):
        resolver.ask("slow.example", answers.put)
    assert all(isinstance(answers.get(timeout=60), TransientError) for _ in range(3))
    assert isinstance(ask(resolver, "slow.example"), TransientError)  # at once, and without another thread
    assert names.asked == {"slow.example": 1}


def test_fetch_does_not_wait_longer_than_its_own_time(names: Names) -> None:
    names.hanging = {"slow.example"}
    with pytest.raises(TransientError, match="within the fetch's time"):
        Resolver().resolve("slow.example", 0.05)


def test_look_ups_that_hang_are_bounded_and_leave_room_for_names_that_are_known(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    resolver = Resolver(max_look_ups=8)
    resolver.resolve("shop.example", 60)
    names.hanging = {f"{number}.example" for number in range(20)}
    before = threading.active_count()
    refused: list[Answer] = []
    for host in sorted(names.hanging):
        resolver.ask(host, refused.append)
    assert len(refused) == 14
    assert threading.active_count() - before <= 6
    assert ask(resolver, "shop.example") == ["192.0.2.1"]
    names.until_asked(1 + 6 + 1)  # stale: answered at once, and looked up again beside the hanging ones


def test_known_name_is_answered_while_its_name_server_hangs_or_fails(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    resolver = Resolver(look_up_s=0.05)
    resolver.resolve("shop.example", 60)
    names.hanging = {"shop.example"}
    for _ in range(5):
        assert resolver.resolve("shop.example", 60) == ["192.0.2.1"]
        time.sleep(0.03)
    names.missing = {"shop.example"}
    names.release()
    names.until_asked(2)
    assert resolver.resolve("shop.example", 60) == ["192.0.2.1"]


def test_name_that_does_not_resolve_is_not_asked_for_again_at_once(names: Names) -> None:
    names.missing = {"gone.example"}
    resolver = Resolver()
    for _ in range(3):
        with pytest.raises(TransientError, match="does not resolve"):
            resolver.resolve("gone.example", 60)
    assert names.asked["gone.example"] == 1


def test_names_remembered_are_bounded(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NAMES_REMEMBERED", 10)
    resolver = Resolver()
    for number in range(50):
        resolver.resolve(f"{number}.example", 60)
    assert len(resolver._names) == 10

"""What a single fetch does with a host that takes its time, as its turn in the queue says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.load.image_hosts import ImageHosts, after, drip, endless_body, endless_headers, picture
from schemas.errors import RejectedError, TransientError
from vision.fetching.fetch import Fetcher
from vision.fetching.policy import FetchPolicy

POLICY = FetchPolicy(allowed_networks=("127.0.0.0/8",), timeout_s=60.0, max_bytes=1_000_000)


class _NoMore(Exception):
    pass


class Turn:
    """Lets go on, or not; counts."""

    def __init__(self, patience_s: float | None, lets: bool = True) -> None:
        self.patience_s = patience_s
        self.lets = lets
        self.asked = 0
        self.n_bytes = 0

    def late(self) -> None:
        self.asked += 1
        if not self.lets:
            raise _NoMore

    def grow(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes


@pytest.fixture
def hosts() -> Iterator[ImageHosts]:
    hosts = ImageHosts()
    yield hosts
    hosts.close()


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    fetcher = Fetcher(POLICY)
    yield fetcher
    fetcher.close()


def test_late_fetch_that_may_go_on_goes_on_where_it_was(hosts: ImageHosts, fetcher: Fetcher) -> None:
    turn = Turn(0.1)
    assert fetcher.fetch(f"http://{hosts.add(after(0.4))}/a", turn) == hosts.body("/a")
    assert (turn.asked, turn.n_bytes, hosts.requests["/a"]) == (1, len(hosts.body("/a")), 1)


@pytest.mark.parametrize("behaviour", [after(30), drip])
def test_late_fetch_that_may_not_go_on_ends(behaviour: object, hosts: ImageHosts, fetcher: Fetcher) -> None:
    turn = Turn(0.1, lets=False)
    with pytest.raises(_NoMore):
        fetcher.fetch(f"http://{hosts.add(behaviour)}/a", turn)  # type: ignore[arg-type]
    assert turn.asked == 1


def test_fetch_in_time_is_never_late(hosts: ImageHosts, fetcher: Fetcher) -> None:
    turn = Turn(50.0, lets=False)
    assert fetcher.fetch(f"http://{hosts.add(picture)}/a", turn) == hosts.body("/a")
    assert turn.asked == 0


def test_connection_that_comes_about_after_the_patience_is_used(fetcher: Fetcher, hosts: ImageHosts) -> None:
    """A full backlog drops connections until there is room, as a host that is overloaded does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        turn = Turn(0.2)
        with pytest.raises(TransientError) as caught:
            quick = Fetcher(replace(POLICY, timeout_s=1.0))
            quick.fetch(f"http://127.0.0.1:{port}/", turn)
        assert (caught.value.reason, turn.asked) == ("fetch_timeout", 1)
        for each in waiting:
            each.close()


def test_handshake_that_hangs_ends(hosts: ImageHosts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransientError) as caught:
        Fetcher(replace(POLICY, timeout_s=0.3)).fetch(f"https://127.0.0.1:{silent.getsockname()[1]}/", Turn(0.1))
    assert caught.value.reason == "fetch_timeout"


def test_endless_headers_end(hosts: ImageHosts, fetcher: Fetcher) -> None:
    with pytest.raises(TransientError) as caught:
        fetcher.fetch(f"http://{hosts.add(endless_headers)}/")
    assert caught.value.reason == "connection_failed"


def test_body_without_end_ends_at_the_largest_file(hosts: ImageHosts, fetcher: Fetcher) -> None:
    with pytest.raises(RejectedError) as caught:
        fetcher.fetch(f"http://{hosts.add(endless_body)}/")
    assert caught.value.reason == "image_too_large"


def test_body_that_grows_beyond_what_its_turn_takes_ends(hosts: ImageHosts, fetcher: Fetcher) -> None:
    class Full(Turn):
        def grow(self, n_bytes: int) -> None:
            raise RejectedError("full", "no room")

    with pytest.raises(RejectedError, match="full"):
        fetcher.fetch(f"http://{hosts.add(picture)}/", Full(None))

"""How often the client asks, how long it waits, and which error it raises in the end: without a network or a clock."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from vitrine_client import (
    AsyncVitrine,
    NotFound,
    Readiness,
    Refused,
    TooLarge,
    TooMany,
    Unauthorised,
    Unavailable,
    UnexpectedAnswer,
    Vitrine,
    VitrineClientError,
)
from vitrine_client.patience import FIRST_WAIT_S, LONGEST_WAIT_S, Patience, Tries
from vitrine_client.replies import Outcome, Reply

Step = httpx.Response | Exception
RECEIPT = {
    "product_id": "p1", "known": True, "searchable": False, "complete": True, "watermark": None, "replicas": [],
}  # fmt: skip


def good() -> httpx.Response:
    return httpx.Response(200, json=RECEIPT)


def bad(status: int, reason: str = "because", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": {"reason": reason, "detail": "change it"}}, headers=named)


class Time:
    """A clock that only waiting moves. `waits`: how long each one was."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr("vitrine_client.client.time.sleep", clock.sleep)
    monkeypatch.setattr(
        "vitrine_client.client.Tries", lambda patience, final: Tries(patience, final, clock.now, lambda: 0.5)
    )
    return clock


class Server:
    """Answers with one step after the other; the last one for ever. `requests`: what came."""

    def __init__(self, *steps: Step) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self._step: Step = steps[0]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self._step = next(self._steps, self._step)
        if isinstance(self._step, Exception):
            raise self._step
        # Each try has an answer of its own: one is read only once.
        return httpx.Response(self._step.status_code, content=self._step.content, headers=self._step.headers)


def client(server: Server, retries: int = 2, timeout_s: float = 30.0) -> Vitrine:
    return Vitrine(transport=httpx.MockTransport(server), retries=retries, timeout_s=timeout_s)


@pytest.mark.parametrize(
    "step", [bad(503), bad(504), bad(502), bad(429), httpx.ConnectError("no"), httpx.ReadError("")]
)
def test_passing_trouble_is_asked_again_and_the_answer_comes(clock: Time, step: Step) -> None:
    server = Server(step, step, good())
    assert client(server).status("p1").complete
    assert len(server.requests) == 3
    assert clock.waits == [FIRST_WAIT_S * 0.5, FIRST_WAIT_S]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500])
def test_what_stays_wrong_is_asked_once(clock: Time, status: int) -> None:
    server = Server(bad(status), good())
    with pytest.raises(VitrineClientError):
        client(server).status("p1")
    assert len(server.requests) == 1
    assert not clock.waits


def test_body_is_sent_again_as_it_was(clock: Time) -> None:
    server = Server(bad(503), httpx.Response(200, json={"answers": []}))
    assert client(server).batch([{"text": "boot", "images": [b"photo"]}]) == []
    first, second = server.requests
    assert first.content == second.content
    assert json.loads(first.content) == {"queries": [{"text": "boot", "images": ["cGhvdG8="]}]}


def test_erasing_may_be_asked_twice(clock: Time) -> None:
    accepted = httpx.Response(202, json={"product_id": "p1", "partition": 1, "offset": 7})
    assert client(Server(bad(503), accepted)).erase("p1").offset == 7


def test_no_more_tries_than_wanted(clock: Time) -> None:
    server = Server(bad(503, "overloaded"))
    with pytest.raises(Unavailable, match="overloaded"):
        client(server, retries=4).status("p1")
    assert len(server.requests) == 5
    server = Server(bad(503))
    with pytest.raises(Unavailable):
        client(server, retries=0).status("p1")
    assert len(server.requests) == 1


def test_retry_after_is_waited_for(clock: Time) -> None:
    server = Server(bad(429, retry_after="3"), bad(503, retry_after="1"), good())
    client(server).status("p1")
    assert [wait >= said for wait, said in zip(clock.waits, (3, 1), strict=True)] == [True, True]
    assert all(wait <= said + FIRST_WAIT_S for wait, said in zip(clock.waits, (3, 1), strict=True))


def test_wait_beyond_the_deadline_is_left_to_the_caller(clock: Time) -> None:
    server = Server(bad(429, "too_many_requests", retry_after="60"), good())
    with pytest.raises(TooMany) as raised:
        client(server, timeout_s=30).status("p1")
    assert raised.value.retry_after_s == 60
    assert not clock.waits, "a wait that is too long is not begun"


def test_all_tries_together_end_at_the_deadline(clock: Time) -> None:
    server = Server(bad(503, retry_after="2"))
    with pytest.raises(Unavailable):
        client(server, retries=1000, timeout_s=9).status("p1")
    assert clock.now_s - 100 <= 9
    assert len(server.requests) == 5


@pytest.mark.parametrize("later", [timedelta(seconds=90), timedelta(seconds=-90)])
def test_retry_after_may_be_a_date(clock: Time, later: timedelta) -> None:
    moment = format_datetime(datetime.now(UTC) + later, usegmt=True)
    with pytest.raises(Unavailable) as raised:
        client(Server(bad(503, retry_after=moment)), retries=0).status("p1")
    assert raised.value.retry_after_s == pytest.approx(max(0, later.total_seconds()), abs=5)


@pytest.mark.parametrize("nonsense", ["soon", "-1", "1.5", "", "Mon, 99 Foo 2026"])
def test_retry_after_that_is_none_counts_as_absent(clock: Time, nonsense: str) -> None:
    with pytest.raises(Unavailable) as raised:
        client(Server(bad(503, retry_after=nonsense)), retries=1).status("p1")
    assert raised.value.retry_after_s is None
    assert clock.waits == [FIRST_WAIT_S * 0.5]


def test_waits_double_are_drawn_and_have_a_longest() -> None:
    drawn = iter([1.0] * 10)
    tries = Tries(Patience(timeout_s=1000, retries=10), now=lambda: 0.0, draw=lambda: next(drawn))
    outcome: Outcome = httpx.ConnectError("no")
    waits = [tries.wait_s(outcome) for _ in range(10)]
    assert waits[:4] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S, 8 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
    assert tries.wait_s(outcome) is None


def test_answer_that_trickles_ends_at_the_deadline() -> None:
    now_s = 0.0

    def trickle() -> Iterator[bytes]:
        nonlocal now_s
        for _ in range(1000):
            now_s += 1.0
            yield b" "

    def answers(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=trickle())

    with Vitrine(transport=httpx.MockTransport(answers), timeout_s=10, retries=5) as vitrine:
        patched = pytest.MonkeyPatch()
        patched.setattr("vitrine_client.client.Tries", lambda patience, final: Tries(patience, final, lambda: now_s))
        with patched.context(), pytest.raises(Unavailable, match="timeout"):
            vitrine.status("p1")
        patched.undo()
    assert now_s <= 11


def test_readiness_is_an_answer_when_it_is_not_ready(clock: Time) -> None:
    server = Server(httpx.Response(503, json={"ready": False, "waiting_for": ["shard 1"]}))
    assert client(server).ready() == Readiness(ready=False, waiting_for=["shard 1"])
    assert len(server.requests) == 1
    with pytest.raises(Unavailable):
        client(Server(httpx.Response(503, text="<html>a proxy's</html>"))).ready()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorised),
        (403, Unauthorised),
        (404, NotFound),
        (413, TooLarge),
        (409, Refused),
        (422, Refused),
        (429, TooMany),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (500, UnexpectedAnswer),
        (302, UnexpectedAnswer),
    ],
)
def test_status_has_its_error_with_the_servers_words(clock: Time, status: int, kind: type[VitrineClientError]) -> None:
    with pytest.raises(kind) as raised:
        client(Server(bad(status, "a_reason")), retries=0).status("p1")
    error = raised.value
    assert type(error) is kind
    assert (error.reason, error.detail, error.status) == ("a_reason", "change it", status)
    assert "a_reason: change it" in str(error)
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.reason, copied.status) == (kind, "a_reason", status)


def test_what_something_between_says_is_cited(clock: Time) -> None:
    with pytest.raises(NotFound, match="nginx") as raised:
        client(Server(httpx.Response(404, text="<html>nginx" + "x" * 9000))).status("p1")
    assert raised.value.reason == "http_404"
    assert len(raised.value.detail) < 400


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"product_id": 5}', b"\xff\xfe", b'{"results": null}'])
@pytest.mark.parametrize(
    "ask",
    [
        lambda vitrine: vitrine.status("p1"),
        lambda vitrine: vitrine.search(text="x"),
        lambda vitrine: vitrine.batch([]),
        lambda vitrine: vitrine.suggest("x"),
        lambda vitrine: vitrine.ready(),
    ],
    ids=["status", "search", "batch", "suggest", "ready"],
)
def test_answer_that_is_none_is_said_so(clock: Time, body: bytes, ask: Callable[[Vitrine], object]) -> None:
    server = Server(httpx.Response(200, content=body))
    with pytest.raises(UnexpectedAnswer):
        ask(client(server))
    assert len(server.requests) == 1


def test_answer_that_cannot_be_unpacked_is_said_so(clock: Time) -> None:
    broken = httpx.MockTransport(
        lambda _request: httpx.Response(200, stream=httpx.ByteStream(b"no gzip"), headers={"content-encoding": "gzip"})
    )
    with Vitrine(transport=broken) as vitrine, pytest.raises(UnexpectedAnswer, match="unreadable"):
        vitrine.status("p1")


def test_coroutines_have_the_same_patience(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitrine_client.client.asyncio.sleep", clock.asleep)

    async def ask(server: Server) -> bool:
        async with AsyncVitrine(transport=httpx.MockTransport(server), retries=2) as vitrine:
            return (await vitrine.status("p1")).complete

    server = Server(bad(503, retry_after="1"), httpx.ConnectError("no"), good())
    assert asyncio.run(ask(server))
    assert len(server.requests) == 3
    assert len(clock.waits) == 2
    with pytest.raises(NotFound):
        asyncio.run(ask(Server(bad(404))))


def test_connecting_leaves_time_for_another_try() -> None:
    tries = Tries(Patience(timeout_s=30), now=lambda: 0.0)
    assert tries.timeout() == httpx.Timeout(30, connect=5)


def test_reply_knows_success() -> None:
    assert Reply(202, httpx.Headers(), b"").succeeded
    assert not Reply(302, httpx.Headers(), b"").succeeded


@pytest.mark.parametrize(("timeout_s", "retries"), [(0, 2), (-1, 2), (float("nan"), 2), (1, -1)])
def test_patience_that_cannot_be_is_refused(timeout_s: float, retries: int) -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        Vitrine(timeout_s=timeout_s, retries=retries)

"""What a call of a stage returns is bounded; what is beyond is in the log before the call returns."""

from __future__ import annotations

from jobs.pipeline.overflow import MAX_RETURNED_BYTES, Overflow
from jobs.pipeline.stage import Out
from messaging.producer import EventProducer
from tests.support.metrics import CountingMetrics


class Log(EventProducer):
    """Notes what is written and what of it was awaited. (A broker takes part in tests/integration.)"""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.flushed = 0

    def send(self, topic: str, key: bytes | None, value: bytes | None, *_: object, **__: object) -> None:  # type: ignore[override]
        self.sent.append((topic, key, value))

    def flush(self, timeout_s: float = 60.0) -> None:
        self.flushed = len(self.sent)


def test_a_usual_call_returns_all_of_it_and_connects_to_nothing() -> None:
    def connect() -> EventProducer:
        raise AssertionError("no producer is needed")

    out = [Out("t", None, b"x" * 1000, commutes=True)] * 1000
    assert Overflow(connect, CountingMetrics()).relieve(out) == out


def test_what_commutes_of_a_large_call_is_in_the_log_and_the_rest_keeps_its_order() -> None:
    log, metrics = Log(), CountingMetrics()
    large = b"x" * (MAX_RETURNED_BYTES // 4)
    out = [Out("t", b"%d" % n, large, commutes=n % 2 == 0) for n in range(6)]
    kept = Overflow(lambda: log, metrics).relieve(out)
    assert kept == [out[1], out[3], out[5]]
    assert log.sent == [(record.topic, record.key, record.value) for record in (out[0], out[2], out[4])]
    assert log.flushed == 3
    assert metrics.counts["overflowed_records"] == 3

"""Submitting the job again: at once, then with growing pauses, then not any more."""

from __future__ import annotations

import time
from collections.abc import Callable

from cli.runtime.watchdog.submission import HEALED_S, TRIES, Submission
from schemas.errors import OperatorError


class Client:
    """Flink's client as the watchdog calls it: fails while told to."""

    def __init__(self) -> None:
        self.fails = True
        self.calls: list[bool] = []

    def submit(self, to_new_flink: bool) -> None:
        self.calls.append(to_new_flink)
        if self.fails:
            raise OperatorError("flink run failed (exit 2): the shelf is empty")


def done(submission: Submission) -> None:
    while submission.under_way:
        time.sleep(0.001)


def tries(submission: Submission, now: Callable[[], float]) -> int:
    """Begins all that are due now; how many that were."""
    begun = 0
    while submission.due(now()):
        submission.begin(now(), False)
        done(submission)
        begun += 1
    return begun


def test_pauses_grow_and_there_is_an_end() -> None:
    client = Client()
    submission = Submission(client.submit)
    assert tries(submission, lambda: 0.0) == 2  # the second follows the first at once
    assert submission.failure() == "flink run failed (exit 2): the shelf is empty"
    assert tries(submission, lambda: 1.0) == 0
    assert tries(submission, lambda: 2.1) == 1
    assert tries(submission, lambda: 5.0) == 0
    for now in range(10, 10_000, 100):
        tries(submission, lambda now=now: float(now))  # type: ignore[misc]
    assert submission.given_up
    assert len(client.calls) == TRIES


def test_job_that_runs_for_a_while_begins_the_count_anew() -> None:
    client = Client()
    submission = Submission(client.submit)
    for now in range(0, 1000, 100):
        tries(submission, lambda now=now: float(now))  # type: ignore[misc]
    assert submission.given_up
    submission.runs(1000.0)
    submission.runs(1000.0 + HEALED_S + 1)
    assert not submission.given_up
    assert submission.failure() is None
    assert submission.due(1100.0)


def test_job_lost_with_its_job_manager_is_submitted_at_once() -> None:
    client = Client()
    client.fails = False
    submission = Submission(client.submit)
    for now in (0.0, 1.0, 2.0):
        assert submission.due(now)
        submission.begin(now, True)
        done(submission)
    assert client.calls == [True, True, True]
    assert submission.failure() is None

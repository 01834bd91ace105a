"""The state machine of a replica's health, step by step over a clock that the test moves."""

from __future__ import annotations

import pytest

from serving.health import ASK_LAST_S, FAILURES, FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S, TRIAL_S, Health, State


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.went: list[State] = []
        self.health = Health(lambda _before, after: self.went.append(after), lambda: self.now)

    def eject(self) -> None:
        self.health.slow()
        self.health.probe_silent(self.health.turn)
        assert self.health.state is State.EJECTED


def test_one_slow_call_is_probed_at_once_and_its_answer_clears_it() -> None:
    world = World()
    world.health.slow()
    assert (world.health.state, world.health.probe_in_s) == (State.SUSPECT, 0.0)
    world.health.probe_answered(world.health.turn)
    assert world.went == [State.SUSPECT, State.SERVING]


def test_any_answer_clears_a_suspect_before_its_probe_is_silent() -> None:
    for clears in (Health.answered, Health.heard):
        world = World()
        world.health.slow()
        sent = world.health.turn
        clears(world.health)
        world.health.probe_silent(sent)
        assert world.health.state is State.SERVING


def test_silent_probe_of_an_earlier_suspicion_says_nothing_of_a_later_one() -> None:
    world = World()
    world.health.slow()
    sent = world.health.turn
    world.health.answered()
    world.health.slow()
    world.health.probe_silent(sent)
    assert world.health.state is State.SUSPECT


def test_silent_probe_ejects_and_further_ones_come_at_growing_distances() -> None:
    world = World()
    world.eject()
    distances = []
    for _ in range(8):
        distances.append(world.health.probe_in_s)
        world.now += world.health.probe_in_s
        world.health.probe_silent(world.health.turn)
    assert distances[0] == pytest.approx(FIRST_BACK_OFF_S)
    assert distances[1:4] == pytest.approx([2 * FIRST_BACK_OFF_S, 4 * FIRST_BACK_OFF_S, 8 * FIRST_BACK_OFF_S])
    assert distances[-1] == pytest.approx(LONGEST_BACK_OFF_S)


def test_failures_in_a_row_eject_and_an_answer_between_them_does_not_count_them_on() -> None:
    world = World()
    for _ in range(FAILURES - 1):
        world.health.failed()
    assert (world.health.state, world.health.probe_in_s) == (State.SUSPECT, ASK_LAST_S)
    world.health.answered()
    for _ in range(FAILURES - 1):
        world.health.failed()
    assert world.health.state is State.SUSPECT
    world.health.failed()
    assert world.health.state is State.EJECTED


def test_status_that_answers_does_not_excuse_queries_that_fail() -> None:
    world = World()
    for _ in range(FAILURES - 1):
        world.health.failed()
        world.health.heard()
        world.health.probe_answered(world.health.turn)
    world.health.failed()
    assert world.health.state is State.EJECTED


def test_answered_probe_takes_it_back_on_trial_and_its_first_answer_ends_that() -> None:
    world = World()
    world.eject()
    world.health.probe_answered(world.health.turn)
    assert world.health.state is State.ON_TRIAL
    world.health.answered()
    assert world.health.state is State.SERVING
    world.eject()
    assert world.health.probe_in_s == pytest.approx(FIRST_BACK_OFF_S)


def test_trial_that_nobody_asks_anything_in_ends_by_itself() -> None:
    world = World()
    world.eject()
    world.health.probe_answered(world.health.turn)
    world.health.heard()
    assert world.health.state is State.ON_TRIAL
    world.now += TRIAL_S
    world.health.heard()
    assert world.health.state is State.SERVING


def test_failure_on_trial_ejects_again_for_longer() -> None:
    world = World()
    world.eject()
    world.health.probe_answered(world.health.turn)
    world.health.failed()
    assert world.health.state is State.EJECTED
    assert world.health.probe_in_s == pytest.approx(2 * FIRST_BACK_OFF_S)


def test_nothing_but_a_probe_brings_an_ejected_one_back() -> None:
    world = World()
    world.eject()
    world.health.answered()
    world.health.heard()
    world.health.slow()
    world.health.failed()
    assert world.health.state is State.EJECTED

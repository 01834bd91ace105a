"""What shows that a job hangs which Flink calls running, and what does not."""

from __future__ import annotations

from cli.runtime.watchdog.stall import START_PATIENCE, Reading, Stall, Unanswered

LIMIT_S = 30.0


def seen(*readings: tuple[float, Reading]) -> Stall:
    stall = Stall(LIMIT_S)
    for now, reading in readings:
        stall.see(reading, now)
    return stall


def test_stage_with_work_that_does_not_move_is_stalled() -> None:
    stall = seen((0.0, Reading(10, 5, 7)), (20.0, Reading(60, 5, 7)), (40.0, Reading(110, 5, 7)))
    assert stall.stalled_s(40.0) == 40.0


def test_stage_is_not_stalled_before_the_limit() -> None:
    assert seen((0.0, Reading(10, 5, 7)), (20.0, Reading(60, 5, 7))).stalled_s(29.0) == 0.0


def test_written_records_are_progress_while_no_checkpoint_is_completed() -> None:
    assert seen((0.0, Reading(10, 5, 7)), (40.0, Reading(60, 5, 8))).stalled_s(41.0) == 0.0


def test_completed_checkpoint_is_progress() -> None:
    assert seen((0.0, Reading(10, 5, 7)), (40.0, Reading(60, 6, 7))).stalled_s(41.0) == 0.0


def test_stage_without_work_may_stand_still() -> None:
    stall = seen((0.0, Reading(0, 5, 7)), (100.0, Reading(0, 5, 7)))
    assert stall.stalled_s(100.0) == 0.0
    stall.see(Reading(3, 5, 7), 101.0)
    assert stall.stalled_s(101.0) == 0.0


def test_what_was_seen_before_a_restart_says_nothing() -> None:
    stall = seen((0.0, Reading(10, 5, 7)))
    stall.forget()
    assert stall.stalled_s(100.0) == 0.0
    stall.see(Reading(10, 5, 7), 100.0)
    assert stall.stalled_s(120.0) == 0.0


def test_only_a_checkpoint_completed_counts_as_healed() -> None:
    stall = Stall(LIMIT_S)
    assert not stall.see(Reading(10, 5, 7), 0.0)
    assert not stall.see(Reading(10, 5, 9), 5.0)  # what a job writes again after each restart
    assert stall.see(Reading(10, 6, 9), 10.0)


def test_silent_process_is_noticed_after_the_limit_and_a_new_one_begins_anew() -> None:
    sign = Unanswered(LIMIT_S)
    sign.answered(41)
    assert not sign.silent(41, 0.0)
    assert sign.silent(41, LIMIT_S + 1)
    assert not sign.silent(42, LIMIT_S + 2)


def test_process_that_never_answered_may_still_be_starting() -> None:
    sign = Unanswered(LIMIT_S)
    assert not sign.silent(41, 0.0)
    assert not sign.silent(41, LIMIT_S * START_PATIENCE)
    assert sign.silent(41, LIMIT_S * START_PATIENCE + 1)


def test_silence_ends_with_an_answer() -> None:
    sign = Unanswered(LIMIT_S)
    sign.answered(41)
    assert not sign.silent(41, 0.0)
    sign.answered(41)
    assert not sign.silent(41, LIMIT_S + 1)

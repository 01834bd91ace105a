"""What a replay reads and starts from, decided on offsets alone."""

from __future__ import annotations

import pytest

from jobs.full_index.replay.position import ReplayPosition
from jobs.full_index.replay.range import Base, choose_range
from jobs.full_index.truth.log_state import LogState
from schemas.errors import OperatorError

LOG = LogState("topic-a", 0, [0, 0], [100, 50])


def position(ends: list[int], topic: str = "topic-a") -> ReplayPosition:
    return ReplayPosition(topic_id=topic, epoch=0, ends=ends, base="base-x", at_ms=1)


def test_first_replay_reads_the_whole_log_over_nothing() -> None:
    span = choose_range(LOG, None)
    assert (span.base, span.begins, span.ends) == (Base.EMPTY, [0, 0], [100, 50])


def test_next_replay_begins_where_the_last_one_ended() -> None:
    span = choose_range(LOG, position([40, 50]))
    assert (span.base, span.begins, span.ends, span.stands_for) == (Base.LAST, [40, 50], [100, 50], [100, 50])


def test_log_without_its_beginning_is_replayed_over_the_live_catalogue() -> None:
    span = choose_range(LogState("topic-a", 0, [30, 0], [100, 50]), None)
    assert (span.base, span.begins) == (Base.LIVE, [30, 0])


def test_base_that_the_log_no_longer_reaches_is_not_used() -> None:
    span = choose_range(LogState("topic-a", 0, [60, 0], [100, 50]), position([40, 50]))
    assert span.base is Base.LIVE


def test_base_of_a_topic_created_anew_is_not_used() -> None:
    span = choose_range(LogState("topic-b", 1, [0, 0], [5, 5]), position([100, 50]))
    assert (span.base, span.begins) == (Base.LIVE, [0, 0])


def test_range_may_begin_before_the_last_end_but_not_after_it() -> None:
    span = choose_range(LOG, position([40, 40]), begins=[10, 40])
    assert (span.base, span.begins) == (Base.LAST, [10, 40])
    with pytest.raises(OperatorError, match="gap"):
        choose_range(LOG, position([40, 40]), begins=[41, 40])


def test_range_that_ends_before_the_last_one_still_stands_for_the_last_end() -> None:
    span = choose_range(LOG, position([40, 40]), ends=[20, 50])
    assert (span.begins, span.ends, span.stands_for) == ([20, 40], [20, 50], [40, 50])


def test_ends_beyond_the_log_and_wrong_counts_are_refused() -> None:
    with pytest.raises(OperatorError, match="beyond"):
        choose_range(LOG, None, ends=[101, 50])
    with pytest.raises(OperatorError, match="partitions"):
        choose_range(LOG, None, begins=[1])


def test_from_log_needs_the_logs_beginning() -> None:
    span = choose_range(LOG, position([40, 40]), from_log=True)
    assert (span.base, span.begins) == (Base.EMPTY, [0, 0])
    with pytest.raises(OperatorError, match="beginning"):
        choose_range(LogState("topic-a", 0, [1, 0], [100, 50]), None, from_log=True)

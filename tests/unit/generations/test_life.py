"""The life of a generation: drawn, stepped through, and read from what searchers say."""

from __future__ import annotations

import re

import pytest

import generations.life
from generations.life import STEPS, Life, life_of, step
from schemas.search_pb2 import ShardStatus


def test_every_state_can_be_reached_and_is_drawn() -> None:
    reached, new = {Life.RESTORING}, {Life.RESTORING}
    while new:
        new = {after for before in new for after in STEPS[before]} - reached
        reached |= new
    assert reached == set(Life) == STEPS.keys()
    drawn = set(re.findall(r"\b[A-Z][A-Z_]{4,}\b", generations.life.__doc__ or ""))
    assert {state.name for state in Life} == drawn


def test_nothing_answers_before_it_has_caught_up() -> None:
    for before in Life:
        if any(after.answers for after in STEPS[before]):
            assert before is Life.CATCHING_UP or before.answers
    assert [state for state in Life if state.answers] == [Life.READY, Life.SERVING]


@pytest.mark.parametrize(
    ("before", "after"),
    [(Life.RESTORING, Life.READY), (Life.FAILED, Life.READY), (Life.LEAVING, Life.RESTORING)],
)
def test_step_that_is_not_drawn_is_a_fault(before: Life, after: Life) -> None:
    with pytest.raises(ValueError, match=f"{before.value} cannot become {after.value}"):
        step(before, after)
    assert step(before, before) is before


def test_searchers_of_other_versions_are_understood() -> None:
    assert life_of(ShardStatus(ready=True)) is Life.READY
    assert life_of(ShardStatus(failed=True, error="the file is altered")) is Life.FAILED
    assert life_of(ShardStatus(error="catching up with index-deltas")) is Life.CATCHING_UP
    assert life_of(ShardStatus(life="dreaming", ready=True)) is Life.READY
    assert all(life_of(ShardStatus(life=state.value)) is state for state in Life)

"""Four kills at random under events and queries: what `make chaos` does for longer (see tests/chaos)."""

from __future__ import annotations

import pytest

from tests.chaos.round import Chaos, Round
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

SEED = 20261124
KILLS = 4


@pytest.mark.timeout(1200)
def test_random_kills_lose_nothing_and_no_answer_is_wrong(system: System) -> None:
    rounds: list[Round] = []
    with Chaos(system, SEED, longest_s=2.0) as chaos:
        while sum(done.kills for done in rounds) < KILLS:
            rounds.append(chaos.round(len(rounds) + 1))
    assert [done for done in rounds if not done.good] == []
    assert sum(done.answers for done in rounds) > 10 * len(rounds)

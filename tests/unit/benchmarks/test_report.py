"""The documents' tables of what chaos and soak came to."""

from __future__ import annotations

from benchmarks.harness.growth import judged
from benchmarks.rows.stream import chaos, soak
from tests.chaos.report import figures
from tests.chaos.round import Round


def test_chaos_tells_recovery_by_part_and_what_was_wrong() -> None:
    kill = {"part": "searcher-1-0", "kind": "kill", "seconds": 0.0, "after_s": 0.1}
    hang = {"part": "kafka", "kind": "hang", "seconds": 2.0, "after_s": 0.1}
    rounds = [
        Round(1, [kill], recovery_s=2.0, equal=True, answers=10, failures={"503": 3}),
        Round(2, [kill], recovery_s=4.0, equal=True, answers=10, failures={"503": 1}),
        Round(3, [kill, hang], waiting_for="the job", answers=5, wrong=["price: ..."]),
    ]
    found = figures(rounds)
    assert found["faults"] == {"kill": 3, "hang": 1}
    assert found["recovery_s"]["searcher"]["kill"] | {"target_s": 0} == {
        "times": 2, "not_within_the_limit": 0, "median": 3.0, "p90": 3.8, "max": 4.0, "target_s": 0
    }  # fmt: skip
    assert [lost["round"] for lost in found["not_recovered"]] == [3]
    whole, searcher = chaos({"figures": found})
    assert "1 of 25 answers wrong" in whole[2]
    assert "4 503" in whole[3]
    assert searcher[1:3] == ("killed: 5 s asked for", "kill x 2: median 3.0 s, p90 3.8, max 4.0")


def test_soak_tells_every_process() -> None:
    at = [10.0 * number for number in range(60)]
    samples = [{"memory_mib blender": 800 + at_s, "freshness_p50_ms": 20.0 + at_s % 3} for at_s in at]
    series = judged(at, samples, 0.0, 4096)
    result = {
        "parameters": {"hours": 1.0},
        "figures": {"series": series, "rises": ["memory_mib blender"], "events_per_s": 500, "failures": {}},
    }
    rows = soak(result)
    assert [row[0] for row in rows[1:]] == ["soak, freshness_p50_ms", "soak, memory of blender in MiB"]
    assert rows[1][2].endswith("flat")
    assert rows[2][2].endswith("rises")

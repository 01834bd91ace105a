"""What a result says of the machine's speed."""

from __future__ import annotations

from benchmarks.harness.result import machine


def test_a_result_says_how_fast_a_core_was() -> None:
    speed = machine()["speed"]
    # From a tenth to a hundred times of a core of 2026: a figure outside is one in another unit.
    assert 3 < speed["python_us"] < 3_000
    assert 50 < speed["scalar_product_ns"] < 50_000
    assert 0.1 < speed["copy_gib_per_s"] < 500
    assert 0.5 < speed["handover_us"] < 5_000

"""Slopes of the soak: what drifts is told from what only wavers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.slopes import slope
from benchmarks.soak import judged

_AT = [10.0 * number for number in range(360)]


def test_noise_is_flat_and_a_leak_in_the_same_noise_rises() -> None:
    noise = np.random.default_rng(1).standard_normal(len(_AT)) * 5
    leak = noise + [100 + 20 * at / 3600 for at in _AT]
    assert slope(_AT, list(noise + 100)).verdict(0.0) == "flat"
    found = slope(_AT, list(leak))
    assert found.per_h == pytest.approx(20, abs=3 * found.error)
    assert (found.verdict(5.0), found.verdict(40.0)) == ("rises", "bounded")
    assert slope(_AT, list(-leak)).verdict(0.0) == "falls"


def test_waves_longer_than_the_looks_are_no_slope() -> None:
    """A heap that fills for minutes between two collections: taken for independent, its looks would show a drift."""
    waves = [100 + 30 * ((at / 700) % 1) for at in _AT]
    assert slope(_AT, waves).verdict(0.0) == "flat"


def test_a_constant_is_flat_and_a_straight_line_is_exact() -> None:
    assert slope(_AT, [7.0] * len(_AT)).verdict(0.0) == "flat"
    line = slope(_AT, [2 * at for at in _AT])
    assert line.per_h == pytest.approx(7200)
    with pytest.raises(ValueError, match="three"):
        slope([0.0, 1.0], [1.0, 2.0])


def test_warm_up_is_left_out_and_new_images_are_allowed_for() -> None:
    samples = []
    for at in _AT:
        warm = min(at, 600.0)
        samples.append(
            {"memory_mib blender": 500 + warm, "memory_mib searcher-0-0": 300 + at / 60, "images": 1000 + 4 * at}
        )
    series = judged(_AT, samples, 600.0, 4096)
    assert series["memory_mib blender"]["verdict"] == "flat"
    assert series["memory_mib searcher-0-0"]["verdict"] == "bounded"
    assert judged(_AT, samples, 600.0, 16)["memory_mib searcher-0-0"]["verdict"] == "rises"
    assert judged(_AT, samples, 0.0, 4096)["memory_mib blender"]["slope_per_h"] > 100

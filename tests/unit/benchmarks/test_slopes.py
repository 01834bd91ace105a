"""Slopes of the soak: what drifts is told from what only wavers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.slopes import slope
from benchmarks.stream.soak import judged, write_minutes

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


def test_what_reads_through_the_index_may_take_as_much_longer_as_it_grew_and_kafka_keeps_its_segments_open() -> None:
    samples = [
        {
            "images": 100_000 + 20_000 * at / 3600,
            "vectors_p50_ms": 10 + 2 * at / 3600,
            "segments": 20 + 5 * at / 3600,
            "files kafka": 100 + 10 * at / 3600,
        }
        for at in _AT
    ]
    assert {name: found["verdict"] for name, found in judged(_AT, samples, 0.0, 4096).items()} == {
        "images": "by design", "segments": "by design", "vectors_p50_ms": "bounded", "files kafka": "bounded"
    }  # fmt: skip
    steady = [sample | {"images": 100_000.0, "segments": 20.0} for sample in samples]
    found = judged(_AT, steady, 0.0, 4096)
    assert (found["vectors_p50_ms"]["verdict"], found["files kafka"]["verdict"]) == ("rises", "rises")


def test_minutes_are_means_of_their_looks(tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    samples = [{"images": 10.0, "files kafka": 1.0}, {"images": 20.0, "cores kafka": 0.5}, {"images": 30.0}]
    write_minutes(file, [10.0, 20.0, 70.0], samples)
    assert file.read_text() == "minute,cores kafka,images\n0,0.500,15.000\n1,,30.000\n"

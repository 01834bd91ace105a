"""The learned order as the last step of a build, over shard files of the real builder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from generations.folder import seal_generation
from indexing.ranking import part
from indexing.ranking.lessons import Lessons
from jobs.full_index.build.ranking import with_lessons, with_ranking
from schemas.errors import CorruptError
from schemas.full_index.generation import Generation
from schemas.settings import Settings
from tests.support.serving.generations import build_generation, generations, settings_in
from tests.support.serving.world import EXTRACTOR
from tests.support.shoppers.clicks import simulated, taught
from tests.support.shoppers.meaning import stocked


@cache
def lessons() -> Lessons:
    return taught(simulated(), days=5, answers=400)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def built(settings: Settings) -> tuple[Path, Generation]:
    generation = build_generation(settings, stocked(10), [0, 0])
    return generations(settings).folder / generation.name, generation


def test_build_learns_an_order_and_the_generation_holds_it(settings: Settings) -> None:
    folder, generation = built(settings)
    made = with_lessons(folder, generation, lessons())
    assert made is not None
    seal_generation(folder, made)
    there = generations(settings)
    found = there.verify(made.name)
    assert found == made
    (entry,) = found.learned
    assert (entry.kind, entry.used, entry.why) == (part.KIND, True, "")
    assert entry.inputs["extractor_id"] == EXTRACTOR
    assert entry.held["ndcg_at_10"] > entry.held["ndcg_at_10_as_shown"] > 0.0
    assert entry.held["ndcg_at_10"] > entry.by_chance["ndcg_at_10"]
    data = there.learned(made.name, entry)
    assert part.read(data, entry).features_id == entry.inputs["features_id"]
    assert with_lessons(folder, generation, lessons()) == made

    other = replace(entry, inputs={**entry.inputs, "features_id": "another"})
    with pytest.raises(CorruptError, match="other features"):
        part.read(data, other)


def test_order_that_is_no_better_is_kept_and_not_used(settings: Settings) -> None:
    folder, generation = built(settings)
    made = with_lessons(folder, generation, taught(simulated(2, taste=0.0), days=5, answers=500))
    assert made is not None
    (entry,) = made.learned
    assert not entry.used and "not better" in entry.why
    assert generations(settings).learned(made.name, entry)


def test_too_few_clicks_leave_the_generation_as_it_is(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    folder, generation = built(settings)
    with caplog.at_level("INFO"):
        assert with_lessons(folder, generation, taught(simulated(), days=2, answers=10)) is None
    assert "ranking_left_out" in caplog.text and "are needed" in caplog.text
    assert not (folder / "learned").exists()


def test_what_fails_leaves_the_generation_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_in(tmp_path, kafka_security_protocol="SSL")
    folder, generation = built(settings)
    assert with_ranking(folder, generation, settings) == generation
    assert "ranking_left_out" in caplog.text and "kafka_bootstrap" in caplog.text
    assert generations(settings).verify(generation.name) == generation

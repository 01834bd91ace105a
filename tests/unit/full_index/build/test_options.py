"""What a build comes to: its options over the serving generation over the settings, and what is refused at once."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from indexing.lists.kinds import IndexKind
from jobs.full_index.build.arguments import add_build_arguments, build_arguments, build_options
from jobs.full_index.build.options import BuildOptions, build_target
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation, GenerationShard
from schemas.settings import Settings, load_settings
from vision.extractor import extractor_id

MAIN, FURTHER = "efficientnet_lite0_composite", "efficientnet_lite0"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, home=str(tmp_path), shards=2, index_recall=0.97, further_encoders=[FURTHER], encoder=MAIN)


def serving(shards: int, extractor: str) -> Generation:
    shard = GenerationShard(
        manifest="", bytes=0, images=0, valid=0, searchable=0, digest="", kind="exact", lists=0, nprobe=0, recall=1.0
    )
    return Generation(
        name="g20261101T000000-aaaaaa", created_ms=1, extractor_id=extractor, encoder="", weights="", dimension=4,
        delta_partitions=2, delta_offsets=[0, 0], shards=[shard] * shards, catalogue_valid=0, catalogue_digests=[],
    )  # fmt: skip


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_build_arguments(parser)
    return parser.parse_args(arguments)


def test_before_the_first_full_index_the_settings_say_everything(settings: Settings) -> None:
    target = build_target(settings, BuildOptions(), None)
    assert (target.shards, target.extractor.encoder, target.dimension) == (2, MAIN, 768)
    assert (target.settings.kind, target.settings.nlist, target.settings.recall) == (None, None, 0.97)


def test_a_weekly_build_keeps_shards_and_extractor_of_what_serves(settings: Settings) -> None:
    target = build_target(settings, BuildOptions(), serving(3, extractor_id(FURTHER, "")))
    assert (target.shards, target.extractor.encoder) == (3, FURTHER)


def test_an_extractor_that_the_stream_no_longer_keeps_current_is_not_built_by_default(settings: Settings) -> None:
    target = build_target(settings, BuildOptions(), serving(3, "gone-00000000-p1-4"))
    assert target.extractor.encoder == MAIN


def test_options_come_before_all_else(settings: Settings) -> None:
    options = BuildOptions(shards=5, kind="ivf_pq", lists=7, recall=0.5, headroom=1.0, seed=9, encoder=FURTHER)
    target = build_target(settings, options, serving(3, extractor_id(MAIN, "")))
    assert (target.shards, target.extractor.encoder, target.dimension) == (5, FURTHER, 1280)
    made = target.settings
    assert (made.kind, made.nlist, made.recall, made.headroom, made.seed) == (IndexKind.IVF_PQ, 7, 0.5, 1.0, 9)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (BuildOptions(shards=0), "shards"),
        (BuildOptions(kind="annoy"), "annoy"),
        (BuildOptions(lists=-1), "nlist"),
        (BuildOptions(recall=1.5), "recall"),
        (BuildOptions(headroom=-0.1), "headroom"),
        (BuildOptions(encoder="No Such"), "No Such"),
    ],
)
def test_what_no_index_can_have_is_refused_before_anything_is_copied(
    settings: Settings, options: BuildOptions, named: str
) -> None:
    with pytest.raises(OperatorError, match=named):
        build_target(settings, options, None)


def test_the_options_reach_the_process_that_builds_as_they_were_given() -> None:
    given = parsed("--shards", "3", "--kind", "ivf_sq8", "--recall", "0.9", "--seed", "4", "--extract", "--wait", "7")
    assert build_options(parsed(*build_arguments(given))) == build_options(given)
    assert build_options(given) == BuildOptions(shards=3, kind="ivf_sq8", recall=0.9, seed=4, extract=True, wait_s=7.0)
    assert build_options(parsed()) == BuildOptions()

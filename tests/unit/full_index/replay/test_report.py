"""What a replay says about the system, in its report and on the terminal."""

from __future__ import annotations

import argparse
import json

from cli.commands.index.replay import as_text
from jobs.full_index.replay.arguments import add_replay_arguments, replay_arguments
from jobs.full_index.replay.report import (
    FeatureVerdict,
    ReplayReport,
    SampleResult,
    ShardVerdict,
    decode_report,
    encode_report,
)
from jobs.full_index.truth.audit import CatalogueVerdict


def report(**parts: object) -> ReplayReport:
    empty = {"catalogue": CatalogueVerdict(), "features": FeatureVerdict(), "sample": SampleResult()}
    return ReplayReport(run="r", started_ms=1, settled=True, **{**empty, **parts})  # type: ignore[arg-type]


def shard(verdict: str, after: str = "") -> ShardVerdict:
    return ShardVerdict(shard=0, replica=1, truth="aa", digest="bb", verdict=verdict, after=after)


def test_equal_shards_and_catalogue_leave_nothing() -> None:
    found = report(shards=[shard("equal")])
    assert found.found_nothing
    assert found.left_wrong == []
    assert "nothing differs" in as_text(found)


def test_healed_shard_was_found_and_is_not_left() -> None:
    found = report(shards=[shard("different", after="aa")])
    assert not found.found_nothing
    assert found.left_wrong == []


def test_what_is_left_is_named_with_its_next_step() -> None:
    found = report(
        shards=[shard("different", after="bb"), shard("away")],
        catalogue=CatalogueVerdict(products=9, different=2, examples=["p-1: different"]),
        features=FeatureVerdict(missing=3, recovered=1),
        generation="g20261108T000000-bbbbbb",
    )
    text = as_text(found)
    assert len(found.left_wrong) == 4
    for expected in (
        "2 products",
        "2 images still lack",
        "0-1 differs",
        "did not answer",
        "p-1: different",
        "g20261108T000000-bbbbbb",
    ):
        assert expected in text


def test_report_is_json_with_its_conclusions_and_reads_back() -> None:
    found = report(shards=[shard("different")], sample=SampleResult(asked=2, wrong={0: 1}))
    data = encode_report(found)
    assert json.loads(data)["left_wrong"] == found.left_wrong
    assert decode_report(data) == found


def test_options_reach_the_job_as_they_were_given() -> None:
    parser = argparse.ArgumentParser()
    add_replay_arguments(parser)
    given = parser.parse_args(["--from-log", "--to", "5,6", "--sample", "7", "--wait", "1.5"])
    assert parser.parse_args(replay_arguments(given)) == given

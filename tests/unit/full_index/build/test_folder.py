"""Where a build works: one at a time, swept before the next, a generation by one rename."""

from __future__ import annotations

from pathlib import Path

import pytest

from generations.described import describe_shard
from indexing.build.builder import ShardBuilder
from jobs.full_index.build.folder import BuildFolder, latest_built
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.settings import Settings, load_settings

NAME = "g20261121T000000-aaaaaa"
EXTRACTOR = "unit-00000000-p1-4"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, home=str(tmp_path / "home"), generations=str(tmp_path / "elsewhere"))


def generation(folder: Path) -> Generation:
    """Of one shard without an image, whose files lie in `folder`."""
    with ShardBuilder(folder / "shard-0", EXTRACTOR, 4) as builder:
        builder.seal({0: 5}, NAME)
    shard = describe_shard(folder / "shard-0")
    return Generation(
        name=NAME, created_ms=1, extractor_id=EXTRACTOR, encoder="unit", weights="", dimension=4, delta_partitions=1,
        delta_offsets=[5], shards=[shard], catalogue_valid=0, catalogue_digests=[shard.digest],
    )  # fmt: skip


def test_a_build_is_no_generation_until_it_is_finished(settings: Settings) -> None:
    folder = BuildFolder(settings.layout)
    with folder.lock():
        folder.work.mkdir()
        made = generation(folder.unfinished(NAME))
        assert folder.generations.names() == []
        assert latest_built(settings.layout) == ""
        folder.finish(made)
    assert folder.generations.names() == [NAME]
    assert folder.generations.verify(NAME) == made
    assert latest_built(settings.layout) == NAME
    assert not folder.work.exists()


def test_killed_before_the_rename_it_is_swept_and_what_was_finished_stays(settings: Settings) -> None:
    folder = BuildFolder(settings.layout)
    with folder.lock():
        folder.work.mkdir()
        folder.finish(generation(folder.unfinished(NAME)))
    left = folder.unfinished("g20261122T000000-bbbbbb")
    (left / ".shard-0.spools").mkdir(parents=True)
    (folder.work / "cut" / "catalogue").mkdir(parents=True)
    with folder.lock():
        folder.sweep()
    assert not left.exists()
    assert not folder.work.exists()
    assert folder.generations.names() == [NAME]


def test_a_second_build_into_the_same_folder_is_refused_also_from_another_home(settings: Settings) -> None:
    other = load_settings({}, home=f"{settings.home}-2", generations=settings.generations)
    with (
        BuildFolder(settings.layout).lock(),
        pytest.raises(OperatorError, match="another build"),
        BuildFolder(other.layout).lock(),
    ):
        pass
    with BuildFolder(other.layout).lock():
        pass

"""Searchers whose full indexes lie in an object store: loaded from copies, which come and go with what they hold."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from objects.client import s3_client
from schemas.full_index.generation import LIVE
from schemas.settings import Settings
from tests.support.objects.server import ObjectStore
from tests.support.serving.fixtures import topic
from tests.support.serving.generations import (
    Searcher,
    build_generation,
    error,
    generations,
    products,
    published,
    running,
    settings_in,
    wait,
)
from tests.support.serving.world import MemoryTopic

__all__ = ["topic"]

_numbers = count()


@pytest.fixture
def place(object_store: ObjectStore) -> str:
    return f"s3://{object_store.bucket('searched')}/{next(_numbers)}"


@pytest.fixture
def settings(tmp_path: Path, place: str) -> Settings:
    return settings_in(tmp_path / "searching", generations=place)


@pytest.fixture
def builder(tmp_path: Path, place: str) -> Settings:
    """Another machine, which builds and publishes."""
    return settings_in(tmp_path / "building", generations=place)


def copies(settings: Settings) -> list[str]:
    folder = generations(settings).folder
    return sorted(str(copy.relative_to(folder)) for copy in folder.glob("g*/shard-*"))


def test_searcher_swaps_to_what_another_machine_published_and_keeps_its_own_shard_alone(
    settings: Settings, builder: Settings, topic: MemoryTopic
) -> None:
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        grown = searcher.found()
        first = published(builder, topic)
        wait(lambda: first in searcher.ready())
        assert searcher.answered_by() == first
        assert searcher.found(first) == grown
        wait(lambda: searcher.ready() == [first])  # nobody names what served before
        assert copies(settings) == [f"{first}/shard-0"]
        second = published(builder, topic)
        wait(lambda: searcher.ready() == [second])
        wait(lambda: copies(settings) == [f"{second}/shard-0"])
        assert searcher.found() == grown


def test_copy_that_the_disk_has_damaged_is_fetched_anew(
    settings: Settings, builder: Settings, topic: MemoryTopic
) -> None:
    name = published(builder, topic)
    file = generations(settings).shard_folder(name, 0) / "rows.bin"
    damaged = bytearray(file.read_bytes())
    damaged[20] ^= 1
    file.write_bytes(damaged)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
    assert file.read_bytes() != damaged


def test_altered_object_is_not_served_and_named(settings: Settings, builder: Settings, topic: MemoryTopic) -> None:
    first = published(builder, topic)
    altered = build_generation(builder, products(), topic.ends()).name
    there = generations(builder)
    path = f"{altered}/shard-0/lists.bin"
    there.files.write(path, there.files.read(path)[:-1])
    with running(Searcher(settings, topic, forget_after_s=60)) as searcher:
        wait(lambda: searcher.ready() == [first])
        there.serve(altered)
        wait(lambda: "does not match its checksum" in error(searcher, altered))
        assert "lists.bin" in error(searcher, altered)
        assert (searcher.ready(), searcher.answered_by()) == ([first], first)
        assert copies(settings) == [f"{first}/shard-0"]


def test_store_that_is_away_changes_nothing_of_what_is_held(
    settings: Settings, builder: Settings, topic: MemoryTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = published(builder, topic)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        with monkeypatch.context() as away:
            away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            s3_client.cache_clear()
            wait(lambda: searcher.metric("alias_unreadable") == 1)
            assert (searcher.ready(), searcher.answered_by()) == ([name], name)
        s3_client.cache_clear()
        wait(lambda: searcher.metric("alias_unreadable") == 0)
    # A start without the store: its snapshot and its own description of the generation are here.
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        s3_client.cache_clear()
        with running(Searcher(settings, topic)) as searcher:
            wait(lambda: searcher.ready() == [name])
    s3_client.cache_clear()

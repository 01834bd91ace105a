"""A searcher whose alias cannot be read, is gone, or names another number of shards."""

from __future__ import annotations

import logging
import shutil
from contextlib import ExitStack

import pytest

from generations.folder import ALIAS
from schemas.errors import TransientError
from schemas.full_index.generation import LIVE
from schemas.settings import Settings
from tests.support.serving.generations import (
    Searcher,
    build_generation,
    error,
    generations,
    products,
    published,
    running,
    wait,
)
from tests.support.serving.world import (
    WATERMARK_MS,
    MemoryTopic,
    batch,
    removed,
)


def test_unreadable_alias_changes_nothing_and_is_said_once(
    settings: Settings, topic: MemoryTopic, caplog: pytest.LogCaptureFixture
) -> None:
    name = published(settings, topic)
    file = generations(settings).folder / ALIAS
    with running(Searcher(settings, topic)) as searcher, caplog.at_level(logging.INFO):
        wait(lambda: searcher.ready() == [name])
        whole = file.read_bytes()
        file.write_bytes(whole.replace(b'"version":1', b'"version":2'))
        wait(lambda: ALIAS in error(searcher, name))
        wait(lambda: searcher.metric("alias_unreadable") == 1)
        assert searcher.answered_by() == name
        assert searcher.status()[name].ready
        file.write_bytes(whole)
        wait(lambda: searcher.status()[name].error == "")
        wait(lambda: searcher.metric("alias_unreadable") == 0)
    assert caplog.text.count("event=alias_unreadable") == 1


def test_alias_that_is_gone_frees_nothing(settings: Settings, topic: MemoryTopic) -> None:
    name = published(settings, topic)
    file = generations(settings).folder / ALIAS
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        file.unlink()
        wait(lambda: "no alias" in error(searcher, name))
        assert searcher.answered_by() == name


def test_restart_without_the_generations_folder_serves_what_was_held(settings: Settings, topic: MemoryTopic) -> None:
    name = published(settings, topic)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        topic.send(products(["p100", "p101", "p102", "p103"]))
        wait(lambda: searcher.status()[name].delta_offset == 2)
        before = searcher.found()
    shutil.rmtree(settings.layout.generations)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        assert searcher.found() == before
        assert "vitrine alias --to" in error(searcher, name)


def test_three_shards_over_two_partitions_hold_together_what_two_hold(settings: Settings, topic: MemoryTopic) -> None:
    with ExitStack() as stack:
        slots = [stack.enter_context(running(Searcher(settings, topic, shard))) for shard in range(3)]
        wait(lambda: [slot.ready() for slot in slots] == [[LIVE], [LIVE], []])
        assert slots[2].status() == {}
        with pytest.raises(TransientError, match="holds no generation"):
            slots[2].found()
        three = build_generation(settings, products(), topic.ends(), shards=3).name
        topic.send(products(["p200", "p201", "p202", "p203", "p204"]))
        topic.send(removed(batch(timestamp_ms=WATERMARK_MS + 7), "p3"))
        generations(settings).serve(three)
        generations(settings).hold_beside([LIVE])
        wait(lambda: all(three in slot.ready() for slot in slots))
        # The lag is as of the feed's last look at the ends; the watermark comes with what it stands for.
        last = WATERMARK_MS + 7
        wait(lambda: all(status.watermark_ms == last for slot in slots for status in slot.status().values()))
        digests = {LIVE: 0, three: 0}
        found: dict[str, list[str]] = {LIVE: [], three: []}
        for slot in slots:
            for name, status in slot.status().items():
                digests[name] += int.from_bytes(status.digest, "little")
                found[name] += slot.found(name)
                assert status.shards == (3 if name == three else 2)
        assert digests[LIVE] % 2**128 == digests[three] % 2**128
        assert sorted(found[LIVE]) == sorted(found[three])
        assert [sorted(slot.status()[three].delta_offsets) for slot in slots] == [[0, 1]] * 3


def test_slot_beyond_the_shards_lets_go_when_the_alias_goes_back(settings: Settings, topic: MemoryTopic) -> None:
    two, three = published(settings, topic), published(settings, topic, shards=3)
    with running(Searcher(settings, topic, 2)) as searcher:
        wait(lambda: searcher.ready() == [three])
        generations(settings).roll_back()
        assert generations(settings).alias().serving == two  # type: ignore[union-attr]
        wait(lambda: searcher.status() == {})
        wait(lambda: not settings.layout.shard_folder(2, 0, three).exists())

"""What a searcher holds while full indexes come and go: real files, real shards; index-deltas in memory."""

from __future__ import annotations

import gc
import shutil
import time
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from disk.durable import write_durably
from generations.folder import ALIAS
from indexing.build.builder import BuildSettings
from indexing.lists.kinds import IndexKind
from schemas.errors import RejectedError, TransientError
from schemas.full_index.generation import LIVE, Alias, encode_alias
from schemas.settings import Settings
from serving.searcher.holding.keeper import GenerationKeeper
from tests.support.serving.found import hits
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
    EXTRACTOR,
    WATERMARK_MS,
    MemoryTopic,
    batch,
    direction,
    query,
    removed,
)

SECOND = EXTRACTOR.replace("test", "second")


def altered(settings: Settings, name: str, shard: int = 0) -> None:
    file = generations(settings).shard_folder(name, shard) / "rows.bin"
    damaged = bytearray(file.read_bytes())
    damaged[20] ^= 1
    file.write_bytes(damaged)


def test_without_an_alias_the_searcher_holds_the_live_index_alone(settings: Settings, topic: MemoryTopic) -> None:
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        (status,) = searcher.status().values()
        assert (status.shard, status.shards, status.generation, status.error) == (0, 2, LIVE, "")
        assert (status.delta_offset, dict(status.delta_offsets), status.lag) == (1, {0: 1}, 0)
        assert searcher.found() == searcher.found(LIVE)
        answer = searcher.host.search(query(direction(1)))
        assert (answer.generation, answer.watermark_ms) == (LIVE, WATERMARK_MS)


def test_snapshot_of_the_time_before_generations_is_taken_over(settings: Settings, topic: MemoryTopic) -> None:
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        before = searcher.found()
    slot = settings.layout.shard_folder(0, 0).parent
    (slot / LIVE / "snapshot").rename(slot / "snapshot")
    (slot / LIVE).rmdir()
    for partition in topic.partitions:
        partition.drop_before(1)  # only the snapshot has them now
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        assert searcher.found() == before


def test_alias_moves_while_deltas_flow_and_both_generations_answer(settings: Settings, topic: MemoryTopic) -> None:
    with running(Searcher(settings, topic, forget_after_s=60)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        built = build_generation(settings, products(), topic.ends())
        first = searcher.found()[0]
        topic.send(removed(batch(timestamp_ms=WATERMARK_MS + 5), first))
        generations(settings).serve(built.name)
        wait(lambda: set(searcher.status(LIVE)) == {built.name, LIVE} and len(searcher.ready()) == 2)
        assert searcher.answered_by() == built.name
        wait(lambda: first not in searcher.found(LIVE))
        assert searcher.found(built.name) == searcher.found(LIVE)
        statuses = searcher.status(LIVE)
        assert statuses[built.name].digest == statuses[LIVE].digest
        assert statuses[built.name].watermark_ms == WATERMARK_MS + 5


def test_query_of_a_generation_that_is_not_held_is_not_ready(settings: Settings, topic: MemoryTopic) -> None:
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        with pytest.raises(TransientError, match=r"not_ready.*does not hold generation g20260101T000000-000000"):
            searcher.found("g20260101T000000-000000")


def test_generations_of_two_extractors_are_held_side_by_side(settings: Settings, topic: MemoryTopic) -> None:
    second = build_generation(settings, products(extractor_id=SECOND), topic.ends(), extractor_id=SECOND)
    first = published(settings, topic)
    generations(settings).hold_beside([second.name])
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: set(searcher.ready()) == {first, second.name})
        request = query(direction(1), extractor_id=SECOND)
        with pytest.raises(RejectedError, match="extractor_mismatch"):
            searcher.host.search(request)
        request.generation = second.name
        assert len(hits(searcher.host.search(request))) > 0


def test_freed_generation_leaves_no_memory_no_files_and_no_metrics(settings: Settings, topic: MemoryTopic) -> None:
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        held = searcher.host.searcher(LIVE)
        assert held is not None
        assert held.index is not None
        searcher.found()
        gone = [weakref.ref(held), weakref.ref(held.index), weakref.ref(held.index._state.lists)]
        del held
        assert searcher.metric("ready", generation=LIVE) == 1
        gc.disable()  # memory must not wait for the collector
        try:
            name = published(settings, topic)
            wait(lambda: list(searcher.status()) == [name])
            wait(lambda: not any(each() for each in gone))
        finally:
            gc.enable()
        wait(lambda: not settings.layout.shard_folder(0, 0).exists())
        assert searcher.metric("ready", generation=LIVE) is None
        wait(lambda: searcher.metric("generations") == 1)


def test_freed_generation_writes_no_last_snapshot(settings: Settings, topic: MemoryTopic) -> None:
    name = published(settings, topic)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        topic.send(products(["p1"], offset=9))
        other = published(settings, topic)
        wait(lambda: list(searcher.status()) == [other])
        wait(lambda: not settings.layout.shard_folder(0, 0, name).exists())
        assert searcher.metric("snapshots_total") == 0


def test_generation_that_a_broker_routes_to_is_kept(settings: Settings, topic: MemoryTopic) -> None:
    forget_after_s = 1.0
    with running(Searcher(settings, topic, forget_after_s=forget_after_s)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        name = published(settings, topic)
        until = time.monotonic() + 2 * forget_after_s
        while time.monotonic() < until:
            assert LIVE in searcher.status(LIVE)
            time.sleep(0.002)
        assert LIVE in searcher.ready()
        wait(lambda: list(searcher.status()) == [name])


def test_restarted_searcher_holds_what_a_broker_still_routes_to(settings: Settings, topic: MemoryTopic) -> None:
    old, new = published(settings, topic), published(settings, topic)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [new])
        wait(lambda: set(searcher.status(old)) == {old, new} and len(searcher.ready()) == 2)


def test_names_that_are_no_generations_are_not_looked_for(settings: Settings, topic: MemoryTopic) -> None:
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        searcher.status("../../etc", "g1", "")
        name = published(settings, topic)
        wait(lambda: searcher.status("../../etc").keys() == {name})


def test_generation_that_is_named_again_while_it_leaves_is_held_again(settings: Settings, topic: MemoryTopic) -> None:
    one = published(settings, topic)
    keeper = GenerationKeeper(Searcher(settings, topic).slot, forget_after_s=0.0)

    def looked(condition: Callable[[], bool]) -> bool:
        keeper.look()
        return condition()

    try:
        wait(lambda: looked(lambda: one in keeper.held and keeper.held[one].searcher.is_ready))
        two = published(settings, topic)
        wait(lambda: looked(lambda: set(keeper.held) == {two}))
        generations(settings).hold_beside([one])
        wait(lambda: looked(lambda: one in keeper.held))
        held = keeper.held[one]
        keeper.look()
        assert keeper.held.get(one) is held
    finally:
        keeper.stop()


def test_old_generation_stays_while_the_new_one_is_not_ready(settings: Settings, topic: MemoryTopic) -> None:
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        name = build_generation(settings, products(), topic.ends()).name
        altered(settings, name)
        generations(settings).serve(name)
        wait(lambda: "rows.bin does not match its checksum" in error(searcher, name))
        for _ in range(60):
            assert searcher.answered_by() == LIVE
            assert searcher.found() != []
            wait(lambda: LIVE in searcher.status())
        assert "vitrine alias --rollback" in error(searcher, name)
        assert searcher.metric("failed_generations_total") == 1
        with pytest.raises(TransientError, match=r"not_ready.*rows\.bin"):
            searcher.found(name)


@pytest.mark.parametrize("file", ["manifest.json", "generation.json"])
def test_altered_manifest_is_refused_and_named(settings: Settings, topic: MemoryTopic, file: str) -> None:
    name = build_generation(settings, products(), topic.ends()).name
    folder = generations(settings).folder / name
    if file == "manifest.json":  # whole in itself, but another generation's
        other = build_generation(settings, products(["p1"]), topic.ends()).name
        shutil.copytree(folder.parent / other / "shard-0", folder / "shard-0", dirs_exist_ok=True)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [LIVE])
        if file == "generation.json":
            whole = (folder / file).read_bytes()
            (folder / file).write_bytes(whole.replace(b'"dimension":16', b'"dimension":17'))
        write_durably(folder.parent / ALIAS, encode_alias(Alias(version=1, serving=name)))
        wait(lambda: file in error(searcher, name))
        assert searcher.answered_by() == LIVE


def test_mended_generation_is_tried_again_when_the_alias_moves(settings: Settings, topic: MemoryTopic) -> None:
    name = build_generation(settings, products(), topic.ends()).name
    rows = generations(settings).shard_folder(name, 0) / "rows.bin"
    whole = rows.read_bytes()
    altered(settings, name)
    generations(settings).serve(name)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: "rows.bin" in error(searcher, name))
        rows.write_bytes(whole)
        generations(settings).serve(name)
        wait(lambda: searcher.ready() == [name])


def test_coded_index_is_mapped_warmed_and_followed(settings: Settings, topic: MemoryTopic) -> None:
    recorded = settings.layout.recorded_queries / f"{EXTRACTOR}.npy"
    recorded.parent.mkdir()
    np.save(recorded, np.stack([direction(n) for n in range(30)]))
    many = [f"p{n}" for n in range(600)]
    built = build_generation(
        settings, products(many), topic.ends(), build=BuildSettings(kind=IndexKind.IVF_SQ8, nlist=4)
    )
    generations(settings).serve(built.name)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [built.name])
        assert searcher.status()[built.name].index_kind == "ivf_sq8"
        victim = searcher.found()[0]
        topic.send(removed(batch(), victim))
        wait(lambda: victim not in searcher.found())

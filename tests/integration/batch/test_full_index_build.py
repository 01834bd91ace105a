"""The weekly build on a whole system: equal to the stream, for any number of shards, and whole or not there at all.

The system has a long random history behind it by then: shards grown by the stream, the log fed through the core and
the full index all agree.
"""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from itertools import groupby, pairwise

import psutil
import pytest

from indexing.snapshot.snapshot import load_files
from jobs.full_index.build.folder import UNFINISHED, BuildFolder
from jobs.full_index.truth.live_log import wait_for_extraction
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.ids import delta_partitions_of_shard, image_id, shard_of_image
from tests.integration.batch.builds import (
    build,
    catch_up,
    client_log,
    digests,
    generations,
    kill_workers,
    loaded,
    made,
    reached,
    start_client,
)
from tests.rebuilt import Rebuilt, rebuild
from tests.support.whole.full_index import digests as running_digests
from tests.support.whole.histories import History
from tests.support.whole.pictures import write_pictures
from tests.support.whole.talking import added
from tests.system import System, eventually

SEED = 20261121
PRODUCTS = 80
EVENTS = 600
PARTS = 6


@pytest.fixture(scope="module")
def stocked(system: System) -> list[str]:
    """Sixty products of one picture each: every third with a new price since, every tenth removed. Gives their URLs."""
    urls = write_pictures(system.home / "build", range(60_000, 60_060))
    system.produce(*(added(f"build-{n}", url, price=n, title=f"Stück {n}") for n, url in enumerate(urls)))
    system.wait_searchable(f"build-{n}" for n in range(60))
    for n in range(60):
        event = {"product_id": f"build-{n}"}
        if n % 10 == 9:
            system.produce({"type": "product_removed", **event})
        elif n % 3 == 0:
            system.produce({"type": "product_updated", **event, "product": {"price": n + 1000}})
    for n in range(9, 60, 10):
        system.wait_gone(f"build-{n}")
    return urls


@dataclass(frozen=True)
class Full:
    """A generation, the digests of the running shards and of the log's truth at the time of its build."""

    generation: Generation
    running: list[str]
    rebuilt: Rebuilt


@pytest.fixture(scope="module")
def history(system: System, stocked: list[str]) -> History:
    """A random history of a shop and of what goes wrong on the way to the log, all of it in the shards."""
    urls = write_pictures(system.home / "history", range(60_000, 60_040))
    urls += write_pictures(system.home / "history-again", range(60_000, 60_010))  # equal bytes under other URLs
    history = History("history", PRODUCTS, urls, EVENTS, SEED)
    sent = list(history.sent(system.settings.event_partitions))
    chance = random.Random(SEED)
    cuts = [0, *sorted(chance.sample(range(1, len(sent)), PARTS - 1)), len(sent)]
    for begin, end in pairwise(cuts):
        for partition, together in groupby(sent[begin:end], key=lambda each: each.partition):
            system.produce(*(each.event for each in together), partition=partition)
        # Not all of it in one batch, and some of it behind vectors that are there already.
        eventually(lambda: all(view.lag == 0 for view in system.shards()), "the shards have read their deltas")
    system.wait_settled(pending=20)
    # Else a vector of another test's may come after a build's cut.
    assert wait_for_extraction(system.settings.kafka, 180)
    return history


@pytest.fixture(scope="module")
def full(system: System, history: History) -> Full:
    """One build for all tests that only look at what came of it."""

    def agreed() -> Rebuilt | None:
        rebuilt = rebuild(system.settings)
        return rebuilt if rebuilt.digests == running_digests(system) else None

    rebuilt = eventually(agreed, "the stream's shards equal the log's", poll_s=0.5)
    generation = build(system)
    return Full(generation, running_digests(system), rebuilt)


def test_history_was_long_and_much_went_wrong_in_it(history: History, full: Full) -> None:
    assert min(history.kinds[kind] for kind in ("doubled", "foreign_partition", "without_version", "relisted")) > 5
    own = [record for name, record in full.rebuilt.records.items() if name.startswith("history-")]
    assert len(own) == PRODUCTS
    assert 0 < sum(record.listed for record in own) < PRODUCTS
    assert sum(len(record.images) for record in own) > PRODUCTS


def test_full_index_equals_what_the_stream_came_to(system: System, full: Full) -> None:
    generation = full.generation
    shards = loaded(system, generation)
    assert len(shards) == 2
    assert digests(shards) == [shard.digest for shard in generation.shards]
    assert digests(shards) == [shard.recompute_digest().hex() for shard in shards]
    assert digests(shards) == generation.catalogue_digests
    assert digests(shards) == full.running
    assert digests(shards) == full.rebuilt.digests
    assert generation.catalogue_valid == sum(shard.valid for shard in generation.shards) >= 54
    assert generation.searchable >= 54


def test_full_index_carries_its_watermark_and_its_tombstones(system: System, stocked: list[str], full: Full) -> None:
    shards = loaded(system, full.generation)
    removed = image_id("build-9", stocked[9])
    shard = shards[shard_of_image(removed, 2)]
    (state,) = shard.product("build-9")
    assert (state.image_id, state.valid) == (removed, False)
    assert all(each.watermark_ms() > 0 for each in shards)


def test_deltas_since_the_cut_are_all_that_a_full_index_lacks(system: System, full: Full) -> None:
    (url,) = write_pictures(system.home / "build", range(60_100, 60_101))
    system.produce(
        added("build-since", url, title="Since the cut"),
        {"type": "product_removed", "product_id": "build-1"},
        {"type": "product_updated", "product_id": "build-2", "product": {"price": 7}},
    )
    system.wait_searchable(["build-since"])
    system.wait_gone("build-1")
    system.wait_settled(pending=20)
    shards = loaded(system, full.generation)
    assert digests(shards) != running_digests(system)
    for number, shard in enumerate(shards):
        catch_up(system, shard, number, full.generation)
    assert digests(shards) == running_digests(system)


def test_a_second_build_beside_the_first_is_refused(system: System, stocked: list[str]) -> None:
    with BuildFolder(system.settings.layout).lock(), pytest.raises(OperatorError, match="another build"):
        build(system)


TRIES = 5
"""A loaded machine may let a build end before the test has seen the moment to kill it at; then with the next one."""


@pytest.mark.parametrize("moment", ["while the stores are copied", "with a shard's files there"])
def test_build_that_is_killed_leaves_no_generation(system: System, full: Full, moment: str) -> None:
    """What it does leave, the next build removes, which is killed at the next moment."""
    for _ in range(TRIES):
        before = generations(system).names()
        client = start_client(system)
        try:
            if reached(system, client, moment):
                client.send_signal(signal.SIGSTOP)  # else it may be done before its workers are found
                workers = psutil.Process(client.pid).children(recursive=True)
                client.kill()
        finally:
            client.kill()
            client.wait()
        if client.returncode == -signal.SIGKILL:
            break
        assert client.returncode == 0, client_log(system).read_text()[-3000:]
    assert client.returncode == -signal.SIGKILL, f"{TRIES} builds were over before they could be killed"
    assert generations(system).names() == before
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive, "the killed build's workers have ended"


def test_build_of_another_kind_after_killed_ones_bears_the_death_of_its_flink_workers(
    system: System, full: Full
) -> None:
    """Another number of shards and inverted lists, from the same stream."""
    options = ("--shards", "3", "--kind", "ivf_flat", "--lists", "4", "--seed", "7", "--recall", "1.0")
    folder = BuildFolder(system.settings.layout)
    for _ in range(TRIES):
        before = generations(system).names()
        client = start_client(system, *options)
        try:
            killed = kill_workers(client) if reached(system, client, "while units run") else 0
            assert client.wait(timeout=300) == 0, client_log(system).read_text()[-3000:]
        finally:
            client.kill()
            client.wait()
        generation = made(system, before)
        _is_the_log_in_three_shards(system, generation)
        if killed:
            break
    assert killed, f"{TRIES} builds were over before their workers could be killed"
    assert not list(folder.generations.folder.glob(f"{UNFINISHED}*"))
    assert not folder.work.exists()


def _is_the_log_in_three_shards(system: System, generation: Generation) -> None:
    assert {(shard.kind, shard.lists) for shard in generation.shards} == {("ivf_flat", 4)}
    assert all(shard.recall == 1.0 for shard in generation.shards)
    shards = loaded(system, generation)
    assert len(shards) == 3
    for number, shard in enumerate(shards):
        assert all(shard_of_image(image, 3) == number for image in shard.image_ids())
        _, manifest = load_files(generations(system).shard_folder(generation.name, number))
        assert sorted(manifest.delta_offsets) == delta_partitions_of_shard(number, 3, 2)
    assert digests(shards) == generation.catalogue_digests
    rebuilt = rebuild(system.settings, shards=3).digests
    assert digests(shards) == rebuilt
    for number, shard in enumerate(shards):
        catch_up(system, shard, number, generation)
    assert digests(shards) == rebuilt

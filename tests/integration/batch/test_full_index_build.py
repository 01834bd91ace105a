"""The weekly build on a whole system: equal to the stream, for any number of shards, and whole or not there at all."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cli.runtime.flink.batch_client import BatchClient
from cli.runtime.flink.parts import flink_environment
from generations.folder import Generations
from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import load_files
from jobs.full_index.build.folder import UNFINISHED, BuildFolder, latest_built
from jobs.full_index.truth.live_log import wait_for_extraction
from messaging.consumer import PartitionReader
from schemas.deltas.delta import decode_deltas
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.ids import delta_partitions_of_shard, image_id, shard_of_image
from schemas.topics import INDEX_DELTAS
from tests.e2e.pictures import write_pictures
from tests.e2e.test_life_of_a_product import added
from tests.rebuilt import rebuild
from tests.system import System, eventually


def generations(system: System) -> Generations:
    return Generations(system.settings.layout.generations)


def build(system: System, *arguments: str) -> Generation:
    """A build to its end, on a mini-cluster of its client's own: the generation that it made."""
    before = generations(system).names()
    client = BatchClient(system.settings, "build", ())
    if code := client.run(arguments, cluster=False, waiting=lambda: None):
        raise client.failure(code)
    made = latest_built(system.settings.layout)
    assert generations(system).names() == [*before, made]
    return generations(system).verify(made)


def loaded(system: System, generation: Generation) -> list[Shard]:
    """The generation's shards, from their files, as a searcher loads them."""
    folder = generations(system)
    return [load_files(folder.shard_folder(generation.name, s))[0] for s in range(len(generation.shards))]


def catch_up(system: System, shard: Shard, number: int, generation: Generation) -> None:
    """Applies all of `index-deltas` from the generation's offsets on, as a searcher's feed does."""
    deltas = ShardDeltas(number, len(generation.shards), generation.delta_partitions)
    for partition in deltas.partitions:
        reader = PartitionReader(system.bootstrap, INDEX_DELTAS, partition, generation.delta_offsets[partition])
        try:
            end = reader.end_offset()
            while reader.position < end:
                for message in reader.poll(1000, 0.1):
                    shard.apply(deltas.of(decode_deltas(message.value or b""), partition))
        finally:
            reader.close()


def digests(shards: list[Shard]) -> list[str]:
    return [shard.stats().digest.hex() for shard in shards]


def running_digests(system: System) -> list[str]:
    return [digest for _, digest in sorted(system.digests().items())]


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
    system.wait_settled(pending=20)
    # Else a vector of another test's may come after a build's cut.
    assert wait_for_extraction(system.settings.kafka, 180)
    return urls


@dataclass(frozen=True)
class Full:
    """A generation, and the digests of the running shards and of the log's truth at the time of its build."""

    generation: Generation
    running: list[str]
    rebuilt: list[str]


@pytest.fixture(scope="module")
def full(system: System, stocked: list[str]) -> Full:
    """One build for all tests that only look at what came of it."""
    generation = build(system)
    return Full(generation, running_digests(system), rebuild(system.settings).digests)


def test_full_index_equals_what_the_stream_came_to(system: System, full: Full) -> None:
    generation = full.generation
    shards = loaded(system, generation)
    assert len(shards) == 2
    assert digests(shards) == [shard.digest for shard in generation.shards]
    assert digests(shards) == [shard.recompute_digest().hex() for shard in shards]
    assert digests(shards) == generation.catalogue_digests
    assert digests(shards) == full.running
    assert digests(shards) == full.rebuilt
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


def test_another_number_of_shards_and_inverted_lists_are_built_from_the_same_stream(
    system: System, stocked: list[str]
) -> None:
    generation = build(system, "--shards", "3", "--kind", "ivf_flat", "--lists", "4", "--seed", "7", "--recall", "1.0")
    assert {(shard.kind, shard.lists) for shard in generation.shards} == {("ivf_flat", 4)}
    assert all(shard.recall == 1.0 for shard in generation.shards)
    shards = loaded(system, generation)
    assert len(shards) == 3
    for number, shard in enumerate(shards):
        assert all(shard_of_image(image, 3) == number for image in shard.image_ids())
        _, manifest = load_files(generations(system).shard_folder(generation.name, number))
        assert sorted(manifest.delta_offsets) == delta_partitions_of_shard(number, 3, 2)
    assert digests(shards) == generation.catalogue_digests
    assert digests(shards) == rebuild(system.settings, shards=3).digests
    for number, shard in enumerate(shards):
        catch_up(system, shard, number, generation)
    assert digests(shards) == rebuild(system.settings, shards=3).digests


def test_a_second_build_beside_the_first_is_refused(system: System, stocked: list[str]) -> None:
    with BuildFolder(system.settings.layout).lock(), pytest.raises(OperatorError, match="another build"):
        build(system)


MOMENTS: dict[str, Callable[[BuildFolder], bool]] = {
    "while the stores are copied": lambda folder: any((folder.work / "cut").glob("*")),
    "while units run": lambda folder: any((folder.work / "progress").glob("shard-*.json")),
    "with a shard's files there": lambda folder: any(folder.generations.folder.glob(f"{UNFINISHED}*/shard-*")),
}


TRIES = 5
"""A loaded machine may let a build end before the test has seen the moment to kill it at; then with the next one."""


@pytest.mark.parametrize("moment", ["while the stores are copied", "with a shard's files there"])
def test_build_that_is_killed_leaves_no_generation(system: System, stocked: list[str], moment: str) -> None:
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


def test_build_after_killed_ones_bears_the_death_of_its_flink_workers(system: System, stocked: list[str]) -> None:
    folder = BuildFolder(system.settings.layout)
    for _ in range(TRIES):
        before = generations(system).names()
        client = start_client(system)
        try:
            killed = kill_workers(client) if reached(system, client, "while units run") else 0
            assert client.wait(timeout=300) == 0, client_log(system).read_text()[-3000:]
        finally:
            client.kill()
            client.wait()
        made = latest_built(system.settings.layout)
        assert generations(system).names() == [*before, made]
        assert digests(loaded(system, generations(system).verify(made))) == running_digests(system)
        if killed:
            break
    assert killed, f"{TRIES} builds were over before their workers could be killed"
    assert not list(folder.generations.folder.glob(f"{UNFINISHED}*"))
    assert not folder.work.exists()


def reached(system: System, client: subprocess.Popen[bytes], moment: str) -> bool:
    """Waits for the moment of this build, not of one killed before; False when the build ended first."""
    folder = BuildFolder(system.settings.layout)

    def ended() -> bool:
        return client.poll() is not None

    def there() -> bool:
        try:
            return MOMENTS[moment](folder)
        except FileNotFoundError:  # a folder that was removed while it was listed
            return False

    begun = "event=build_start"  # what killed ones left is removed by then
    eventually(lambda: ended() or begun in client_log(system).read_text(), "the build has begun", 300)
    eventually(lambda: ended() or there(), moment, 300, poll_s=0.002)
    return not ended()


def kill_workers(client: subprocess.Popen[bytes]) -> int:
    """SIGKILL for the Python workers of the client's Flink; returns how many were there to be killed."""
    killed = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(client.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "pyflink.fn_execution" in " ".join(child.cmdline()):
                    child.kill()
                    killed += 1
    return killed


def client_log(system: System) -> Path:
    return system.settings.layout.logs / "build.log"


def start_client(system: System) -> subprocess.Popen[bytes]:
    """`python -m jobs.full_index build`; its log is build.log among the logs."""
    settings = system.settings
    layout = settings.layout
    with client_log(system).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.full_index", "build", "--mini-cluster"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=flink_environment(settings),
            cwd=layout.home,
        )

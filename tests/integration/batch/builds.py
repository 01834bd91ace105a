"""Builds on a whole system, as the processes they are: to their end, or to a moment at which they are killed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from cli.runtime.flink.batch_client import BatchClient
from cli.runtime.flink.parts import flink_environment
from generations.folder import Generations
from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import load_files
from jobs.full_index.build.folder import UNFINISHED, BuildFolder, latest_built
from messaging.consumer import PartitionReader
from schemas.deltas.delta import decode_deltas
from schemas.full_index.generation import Generation
from schemas.topics import INDEX_DELTAS
from tests.system import System, eventually

MOMENTS: dict[str, Callable[[BuildFolder], bool]] = {
    "while the stores are copied": lambda folder: any((folder.work / "cut").glob("*")),
    "while units run": lambda folder: any((folder.work / "progress").glob("shard-*.json")),
    "with a shard's files there": lambda folder: any(folder.generations.folder.glob(f"{UNFINISHED}*/shard-*")),
}


def generations(system: System) -> Generations:
    return Generations(system.settings.layout.generations)


def build(system: System, *arguments: str) -> Generation:
    """A build to its end, on a mini-cluster of its client's own: the generation that it made."""
    before = generations(system).names()
    client = BatchClient(system.settings, "build", ())
    if code := client.run(arguments, cluster=False, waiting=lambda: None):
        raise client.failure(code)
    return made(system, before)


def made(system: System, before: list[str]) -> Generation:
    """The one generation more than `before`, whose files are as it says."""
    name = latest_built(system.settings.layout)
    assert generations(system).names() == [*before, name]
    return generations(system).verify(name)


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


def start_client(system: System, *arguments: str) -> subprocess.Popen[bytes]:
    """`python -m jobs.full_index build`; its log is build.log among the logs."""
    settings = system.settings
    layout = settings.layout
    with client_log(system).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.full_index", "build", "--mini-cluster", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=flink_environment(settings),
            cwd=layout.home,
        )


def client_log(system: System) -> Path:
    return system.settings.layout.logs / "build.log"


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

"""Harm that a running system can come to, done on purpose, and its traces."""

from __future__ import annotations

from cli.runtime.services import searcher_name
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from messaging.admin import describe
from messaging.ranges import read_all
from schemas.events.dead_letter import DeadLetter, decode_dead_letter
from schemas.features.ids import dimension_of
from schemas.ids import delta_partitions_of_shard
from schemas.topics import DEAD_LETTERS, INDEX_DELTAS
from tests.system import System, eventually
from vision.extractor import extractor_id


def empty_shard(system: System, shard: int) -> None:
    """The searcher ends and comes back with nothing, taking for granted that it has applied every delta so far.

    For a system without a full index.
    """
    name = searcher_name(shard, 0)
    if system.runtime.processes.running(name) is not None:
        system.end(name)
    ends = describe(system.bootstrap, [INDEX_DELTAS])[INDEX_DELTAS].ends
    read = delta_partitions_of_shard(shard, system.settings.shards, len(ends))
    extractor = extractor_id(system.settings.encoder, system.settings.weights)
    nothing = Shard(extractor, dimension_of(extractor))
    snapshot.save(
        nothing,
        system.settings.layout.shard_folder(shard) / "snapshot",
        {partition: ends[partition] for partition in read},
    )
    system.start()
    eventually(
        lambda: [view for view in system.shards() if view.shard == shard and view.ready and not view.error],
        f"{name} is ready again",
    )


def letters_about(system: System, url: str) -> list[DeadLetter]:
    """Dead letters of requests for the image at `url`."""
    letters = [decode_dead_letter(message.value or b"") for message in read_all(system.kafka, DEAD_LETTERS, 0)]
    return [letter for letter in letters if url.encode() in (letter.value_bytes() or b"")]

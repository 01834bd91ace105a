"""Small full indexes, added as a build adds them."""

from __future__ import annotations

from generations.folder import Generations, file_checksum, new_name
from indexing.build.builder import ShardBuilder
from schemas.deltas.delta import DeltaBatch
from schemas.full_index.generation import Generation, GenerationShard
from schemas.ids import image_id

EXTRACTOR, DIMENSION = "test-00000000-p1-4", 4


def added(generations: Generations, moment: float) -> str:
    """The name of a generation of one shard with one image, made at that Unix time."""
    name = new_name(moment)
    made = generations.folder / f".build-{name}"
    batch = DeltaBatch(extractor_id=EXTRACTOR)
    batch.add(image_id("p", "u"), "p", state_seq=1, valid=True, image_seq=1, url="u", vector_seq=1, vector=bytes(16))
    with ShardBuilder(made / "shard-0", EXTRACTOR, DIMENSION) as builder:
        builder.add(batch)
        manifest = builder.seal({0: 7}, name)
    shard = GenerationShard(
        manifest=file_checksum(made / "shard-0" / "manifest.json"),
        bytes=sum(file.size for file in manifest.files.values()),
        images=1, valid=1, searchable=1, digest=manifest.digest, kind=manifest.kind, lists=manifest.lists,
        nprobe=manifest.nprobe, recall=1.0,
    )  # fmt: skip
    generation = Generation(
        name=name, created_ms=int(moment * 1000), extractor_id=EXTRACTOR, encoder="test", weights="",
        dimension=DIMENSION, delta_partitions=1, delta_offsets=[7], shards=[shard], catalogue_valid=1,
        catalogue_digests=[manifest.digest],
    )  # fmt: skip
    generations.add(made, generation)
    return name

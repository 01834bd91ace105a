"""What a generation says of each of its shards: told from the shard's own files."""

from __future__ import annotations

from pathlib import Path

from generations.folder import file_checksum
from schemas.full_index.generation import GenerationShard
from schemas.full_index.manifest import MANIFEST, decode_manifest


def describe_shard(folder: Path) -> GenerationShard:
    """What a generation says of the shard whose files lie in `folder`. Raises `CorruptError`."""
    data = (folder / MANIFEST).read_bytes()
    manifest = decode_manifest(data)
    return GenerationShard(
        manifest=file_checksum(folder / MANIFEST),
        bytes=len(data) + sum(file.size for file in manifest.files.values()),
        images=manifest.images,
        valid=manifest.valid,
        searchable=manifest.searchable,
        digest=manifest.digest,
        kind=manifest.kind,
        lists=manifest.lists,
        nprobe=manifest.nprobe,
        recall=float(manifest.training.get("recall_at_10", 1.0)),
        training=manifest.training,
    )

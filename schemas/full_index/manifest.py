"""The manifest of a shard's files (JSON, `manifest.json`): what they hold and what they must hash to.

Written by a searcher's snapshot and by the full index alike, so that a
searcher loads either in the same way. Fields are only ever added, with a
default; `format` changes only when older searchers could misread the files.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.checked_json import unwrap, wrap
from schemas.deltas.delta import Progress
from schemas.errors import CorruptError

FORMAT = 1

MANIFEST = "manifest.json"
"""Name of the file; whoever writes a shard writes it last."""


class ShardFile(msgspec.Struct, frozen=True):
    """One file beside the manifest: its size in bytes and the BLAKE2b-128 of its contents, hex."""

    size: int
    checksum: str


class ShardManifest(msgspec.Struct, frozen=True, kw_only=True):
    """`delta_offsets`: by partition of `index-deltas`, the next offset to apply over these files.

    `delta_offset`: the same of a shard that reads one partition only, else -1;
    files older than `delta_offsets` have it alone.

    `kind`: exact, ivf_flat, ivf_sq8 or ivf_pq. `digest`: of the valid images, hex, see
    `indexing.rows.digest`. `training`: parameters and measured recall of the lists.
    """

    format: int
    extractor_id: str
    dimension: int
    kind: str
    rows: int
    images: int
    valid: int
    searchable: int
    digest: str
    lists: int
    nprobe: int
    delta_offset: int
    watermark_ms: int
    progress: list[Progress]
    files: dict[str, ShardFile]
    training: dict[str, Any] = {}
    generation: str = ""
    created_ms: int = 0
    delta_offsets: dict[int, int] = {}


def encode_manifest(manifest: ShardManifest) -> bytes:
    """JSON with a checksum of its own: `{"checksum": ..., "manifest": {...}}`."""
    return wrap("manifest", msgspec.json.encode(manifest))


class _Format(msgspec.Struct):
    format: int


_format_decoder = msgspec.json.Decoder(_Format)
_manifest_decoder = msgspec.json.Decoder(ShardManifest)


def decode_manifest(data: bytes) -> ShardManifest:
    """Raises `CorruptError` when the bytes are not what `encode_manifest` wrote, or of a format not known here."""
    body = unwrap("manifest", data)
    try:
        found = _format_decoder.decode(body).format
        if found != FORMAT:
            raise CorruptError(f"manifest format {found}; this version reads {FORMAT}: upgrade the searcher")
        return _manifest_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptError(f"manifest does not decode: {error}") from error

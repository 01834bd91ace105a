"""What is fuzzed. A target takes any bytes: it returns, or raises an error that its documentation names.

Imported after atheris has been told to instrument, and without it for replays.
"""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image
from starlette.requests import Request

from indexing.shard.shard import Shard
from jobs.pipeline.changes.events import events_of
from jobs.pipeline.core import apply
from schemas.checked_json import wrap
from schemas.database.envelope import ChangeDecoder
from schemas.database.mapping import read_mapping
from schemas.deltas.check import DeltaCheck
from schemas.deltas.delta import DeltaBatch, Progress, encode_deltas
from schemas.errors import CorruptError, OperatorError, RejectedError
from schemas.events.dead_letter import decode_dead_letter, encode_dead_letter, make_dead_letter
from schemas.events.event import Forwarded, Heartbeat, decode_event, decode_forwarded
from schemas.events.extract_request import (
    ExtractRequest,
    decode_request,
    decode_requests,
    encode_bundles,
    encode_request,
)
from schemas.events.record import ImageEntry, ProductRecord, decode_record, encode_record
from schemas.features.record import FeatureRecord, decode_feature, encode_feature
from schemas.full_index.generation import Alias, Generation, GenerationShard, decode_alias, decode_generation
from schemas.full_index.manifest import ShardFile, ShardManifest, decode_manifest
from schemas.ids import image_id
from schemas.settings import load_settings
from serving.blender.http.uploads import Uploads
from tests.support.database.catalogue import FORMS, MAPPING, recorded
from tests.support.hostile_events import hostile_events
from vision.pictures.decode import ImageLimits, decode_image

_EXTRACTOR = "test-0-p1-8"
_LIMITS = ImageLimits(max_bytes=1_000_000, max_pixels=4_000_000)
_UPLOAD_BYTES = 200_000
BOUNDARY = b"fuzz"
_CHECK = DeltaCheck(1, 1)
_MAPPING = read_mapping(MAPPING)
_LONGEST_CHANGE = 6000


@dataclass(frozen=True, slots=True)
class Target:
    """`raises`: what `call` may raise. `seeds`: inputs to begin with."""

    call: Callable[[bytes], object]
    raises: tuple[type[Exception], ...]
    seeds: list[bytes]

    def run(self, data: bytes) -> None:
        """Raises whatever is not in the contract."""
        try:
            self.call(data)
        except self.raises:
            return


def _event(data: bytes) -> None:
    event = decode_event(data)
    if isinstance(event, Heartbeat):
        return
    if isinstance(event, Forwarded):
        event = decode_forwarded(event)
    record = apply(None, event, 1).record
    assert decode_record(encode_record(record)) == record


def _change(data: bytes) -> None:
    change = ChangeDecoder().decode(data)
    for event in [] if change is None else events_of(change, _MAPPING):
        decode_event(msgspec.json.encode(event))


def _deltas(data: bytes) -> None:
    """As a searcher's feed takes them up."""
    shard = Shard(_EXTRACTOR, 8)
    shard.apply(_CHECK.admit(data, 0).batch)
    shard.search(np.ones((1, 8), dtype=np.float32), 10)
    shard.stats()


def _dead_letter(data: bytes) -> None:
    letter = decode_dead_letter(data)
    letter.key_bytes()
    letter.value_bytes()


def _checked(name: str, decode: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Both ways in: the file's bytes, and bytes that lie behind a checksum that is right."""

    def call(data: bytes) -> object:
        return decode(data[1:]) if data[:1] == b"r" else decode(wrap(name, data))

    return call


def _request(headers: list[tuple[bytes, bytes]], data: bytes) -> Request:
    """A POST whose body arrives in pieces; the first byte says how large they are."""
    size = (data[0] if data else 0) + 1
    body = data[1:]
    pieces = [body[start : start + size] for start in range(0, min(len(body), 50 * size), size)]
    pieces.append(body[50 * size :])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0) if pieces else b"", "more_body": bool(pieces)}

    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)


def _upload(data: bytes) -> None:
    request = _request([(b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)], data)

    async def read() -> None:
        async with Uploads(_UPLOAD_BYTES).photos(request):
            pass

    asyncio.run(read())


def _vector_body(data: bytes) -> None:
    kind = b"application/json" if data[:1] != b"\x00" else b"application/octet-stream"
    request = _request([(b"content-type", kind)], data)

    async def read() -> None:
        async with Uploads(_UPLOAD_BYTES).vector(request, 10):
            pass

    asyncio.run(read())


def _settings(data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as home:
        (Path(home) / "vitrine.toml").write_bytes(data)
        load_settings({}, home=home)


def _pictures() -> list[bytes]:
    blocks = Image.fromarray(np.random.default_rng(1).integers(0, 255, (8, 8, 3), dtype=np.uint8))
    found = []
    for kind, mode in (("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16"), ("WEBP", "RGB"), ("GIF", "P")):
        out = io.BytesIO()
        picture = Image.new(mode, (8, 8)) if mode == "I;16" else blocks.convert(mode)
        picture.save(out, kind)
        found.append(out.getvalue())
    return found


def _delta_bytes() -> list[bytes]:
    batch = DeltaBatch(_EXTRACTOR, [Progress(0, 1, 7, 1000)])
    vector = np.full(8, 8**-0.5, dtype="<f4").tobytes()
    batch.add(image_id("p", "u"), "p", state_seq=3, valid=True, image_seq=3, url="u", price=1.0,
              attributes=b'{"title":"t"}', vector_seq=3, vector=vector)  # fmt: skip
    batch.add(image_id("q", "u"), "q", state_seq=4)
    return [encode_deltas(batch), encode_deltas(DeltaBatch(_EXTRACTOR))]


def _changes() -> list[bytes]:
    """What Debezium told, with a schema and without, but for long texts."""
    told = [record.value for form in FORMS for record in recorded(form)]
    return [value for value in told if value is not None and len(value) < _LONGEST_CHANGE]


def _generation_bytes() -> bytes:
    shard = GenerationShard(manifest="0" * 32, bytes=1, images=1, valid=1, searchable=1, digest="0" * 32, kind="exact",
                            lists=0, nprobe=0, recall=1.0)  # fmt: skip
    return msgspec.json.encode(
        Generation(name="g20261124T000000-000000", created_ms=1, extractor_id=_EXTRACTOR, encoder="e", weights="",
                   dimension=8, delta_partitions=1, delta_offsets=[0], shards=[shard], catalogue_valid=1,
                   catalogue_digests=["0" * 32])
    )  # fmt: skip


def _manifest_bytes() -> bytes:
    return msgspec.json.encode(
        ShardManifest(format=1, extractor_id=_EXTRACTOR, dimension=8, kind="exact", rows=1, images=1, valid=1,
                      searchable=1, digest="0" * 32, lists=0, nprobe=0, delta_offset=0, watermark_ms=1,
                      progress=[Progress(0, 1, 1, 1)], files={"rows.bin": ShardFile(1, "0" * 32)})
    )  # fmt: skip


def _upload_bytes() -> list[bytes]:
    head = (
        b'--fuzz\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return [b"\xff" + head + b"bytes\r\n--fuzz--\r\n", b"\x01" + head + b"x\r\n--fuzz\r\n\r\n--fuzz--"]


_ATTRIBUTES = {"title": "t", "price": 1.5, "x": [1, None]}
_RECORD = ProductRecord("p", 3, True, 1, _ATTRIBUTES, [ImageEntry("u", "v", 3, 3)], {1: 2})
_FEATURE = FeatureRecord(b"k" * 16, _EXTRACTOR, b"\x00" * 32, b"c" * 32, 1, 2.0, "u")
_REQUEST = ExtractRequest(product_id="p", image_id="00" * 16, image_key="11" * 16, url="u", vector_seq=1,
                          extractor_id=_EXTRACTOR)  # fmt: skip
_LETTER = make_dead_letter(reason="not_json", detail="d", stage="catalogue", transient=False, topic="t", partition=0,
                           offset=1, at_ms=2, key=b"k", value=b"v")  # fmt: skip
_VECTOR = json.dumps({"vector": [0.5] * 8, "limit": 3}).encode()
_TOML = b'http_port = 8001\nfetch_allowed_hosts = ["a.example"]\nindex_recall = 0.9\n[x]\ny = 1979-05-27T07:32:00Z\n'

TARGETS: dict[str, Target] = {
    "event": Target(_event, (RejectedError,), [event.value for event in hostile_events(1, 60)]),
    "change": Target(_change, (RejectedError,), _changes()),
    "deltas": Target(_deltas, (), _delta_bytes()),
    "feature": Target(decode_feature, (CorruptError,), [encode_feature(_FEATURE)]),
    "product_record": Target(decode_record, (msgspec.DecodeError,), [encode_record(_RECORD)]),
    "dead_letter": Target(_dead_letter, (msgspec.MsgspecError,), [encode_dead_letter(_LETTER)]),
    "extract_request": Target(decode_request, (RejectedError,), [encode_request(_REQUEST)]),
    "extract_bundle": Target(decode_requests, (RejectedError,), list(encode_bundles([_REQUEST, _REQUEST]))),
    "generation": Target(_checked("generation", decode_generation), (CorruptError,), [_generation_bytes(), b"r{}"]),
    "alias": Target(
        _checked("alias", decode_alias), (CorruptError,), [msgspec.json.encode(Alias(version=1, serving="live"))]
    ),
    "manifest": Target(_checked("manifest", decode_manifest), (CorruptError,), [_manifest_bytes(), b"r{}"]),
    "image": Target(lambda data: decode_image(data, _LIMITS), (RejectedError,), _pictures()),
    "upload": Target(_upload, (RejectedError,), _upload_bytes()),
    "vector_body": Target(_vector_body, (RejectedError,), [b"1" + _VECTOR, b"\x00" + b"\x00\x00\x80\x3f" * 8]),
    "settings": Target(_settings, (OperatorError,), [_TOML]),
}

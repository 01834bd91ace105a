"""Writes the golden bytes of a format's present form: `python tests/unit/schemas/golden/write_golden.py NAME`.

A released file is never written again: a form that changes gets a file of a
new number beside it, and the old one must still decode (test_old_bytes.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from schemas.deltas.delta import DeltaBatch, Progress, encode_deltas
from schemas.events.dead_letter import encode_dead_letter, make_dead_letter
from schemas.events.extract_request import ExtractRequest, decode_request, encode_bundles, encode_request
from schemas.events.record import ImageEntry, ProductRecord, encode_record
from schemas.features.record import FeatureRecord, encode_feature
from schemas.ids import content_hash, image_id, image_key, sequence
from schemas.search_log import ClickRecord, SearchRecord, ShownProduct
from schemas.search_log import encode_record as encode_log_record

URL = "https://images.example.com/p1/1.jpg"
EXTRACTOR = "efficientnet_lite0-57934424-p1-1280"
VECTOR = np.array([0.6, 0.0, -0.8], dtype="<f4").tobytes()


def product_record() -> bytes:
    images = [
        ImageEntry(url=URL, version=None, image_seq=sequence(1, 6), state_seq=sequence(1, 9)),
        ImageEntry(url="file:///a%20b.jpg", version="v2", image_seq=sequence(1, 7), state_seq=5, attached=False),
    ]
    attributes = {"title": "Schuh ü", "price": 59.9, "sales": 120, "tags": ["a", {"b": None}]}
    return encode_record(ProductRecord("p1", sequence(1, 9), True, 7, attributes, images, {2: sequence(1, 3)}))


def feature_record() -> bytes:
    return encode_feature(
        FeatureRecord(
            image_key=image_key(URL), extractor_id=EXTRACTOR, vector=VECTOR, content_hash=content_hash(b"bytes"),
            extracted_at_ms=1767261600123, cnn_ms=6.25, url=URL,
        )
    )  # fmt: skip


def index_delta() -> bytes:
    batch = DeltaBatch(extractor_id=EXTRACTOR, progress=[Progress(3, 4, sequence(1, 9), 1767261600123)])
    image = image_id("p1", URL)
    batch.add(
        image, "p1", state_seq=sequence(1, 9), valid=True, image_seq=sequence(1, 6), url=URL, category="shoes/running",
        brand="Strider", price=59.9, sales=120, praise=0.96, attributes=b'{"title":"Schuh"}',
    )  # fmt: skip
    batch.add(image, "p1", vector_seq=sequence(1, 6), vector=VECTOR)
    batch.add(image_id("p2", URL), "p2", state_seq=sequence(1, 8))
    return encode_deltas(batch)


def extract_request() -> bytes:
    return encode_request(
        ExtractRequest(
            product_id="p1", image_id=image_id("p1", URL).hex(), image_key=image_key(URL).hex(), url=URL,
            vector_seq=sequence(1, 6), extractor_id=EXTRACTOR, attempt=2, not_before_ms=1767261600123,
        )
    )  # fmt: skip


def extract_bundle() -> bytes:
    request = decode_request(extract_request())
    later = msgspec.structs.replace(request, attempt=0, not_before_ms=1767261700123)
    (record,) = encode_bundles([later, request])
    return record


def dead_letter() -> bytes:
    return encode_dead_letter(
        make_dead_letter(
            reason="not_json", detail="byte 0", stage="catalogue", transient=False, topic="product-events", partition=3,
            offset=1207, at_ms=1767261600123, key=b"p1", value=b"\xff{",
        )
    )  # fmt: skip


def search_record() -> bytes:
    shown = (
        ShownProduct(
            product_id="p1", position=11, score=0.75, look_score=0.5, look_rank=3, words_score=7.25, words_rank=1,
            price=59.9, sales=120, praise=0.96,
        ),
        ShownProduct(product_id="größe/7", position=12, score=0.5),
    )  # fmt: skip
    return encode_log_record(
        SearchRecord(
            search_id="00ff" * 8, at_ms=1767261600123, kinds=("photo", "words", "filter"), generation="g1",
            watermark_ms=1767261600000, took_ms=12.5, shown=shown, before=10, words="rote Schuhe ü", match="all",
            filter=("brand", "price"), sort="-price", rank={"relevance": 1.0, "sales": 0.3}, diverse=True,
            partial=True, matches=40,
        )
    )  # fmt: skip


def click_record() -> bytes:
    return encode_log_record(
        ClickRecord(search_id="00ff" * 8, product_id="p1", position=11, at_ms=1767261601123, kind="purchase")
    )


FORMS: dict[str, Callable[[], bytes]] = {
    "product_record.1.msgpack": product_record,
    "feature_record.1.msgpack": feature_record,
    "index_delta.2.arrow": index_delta,
    "extract_request.1.json": extract_request,
    "extract_bundle.1.json": extract_bundle,
    "dead_letter.1.json": dead_letter,
    "search_record.1.json": search_record,
    "click_record.1.json": click_record,
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(__file__).with_name(name)
        if path.exists():
            sys.exit(f"{path} exists: released bytes stay as they are; write a form of a new number")
        path.write_bytes(FORMS[name]())

"""Bytes that an earlier version wrote still decode, and say what they said then."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from schemas.deltas.delta import DELTA_SCHEMA, DeltaBatch, decode_deltas, encode_deltas
from schemas.errors import CorruptError, RejectedError
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.extract_request import decode_bundle, decode_request, decode_requests
from schemas.events.record import ImageEntry, decode_record
from schemas.features.record import decode_feature, feature_topic_key
from schemas.features.stored import feature_rows
from schemas.ids import content_hash, image_id, image_key, sequence
from schemas.search_log import ClickRecord, SearchRecord, ShownProduct, decode_click, decode_search

GOLDEN = Path(__file__).parent / "golden"
URL = "https://images.example.com/p1/1.jpg"
EXTRACTOR = "efficientnet_lite0-57934424-p1-1280"


def _bytes(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def test_product_record() -> None:
    record = decode_record(_bytes("product_record.1.msgpack"))
    assert (record.product_id, record.sequence, record.listed, record.version) == ("p1", sequence(1, 9), True, 7)
    assert record.attributes == {"title": "Schuh ü", "price": 59.9, "sales": 120, "tags": ["a", {"b": None}]}
    assert record.images == [
        ImageEntry(url=URL, version=None, image_seq=sequence(1, 6), state_seq=sequence(1, 9), attached=True),
        ImageEntry(url="file:///a%20b.jpg", version="v2", image_seq=sequence(1, 7), state_seq=5, attached=False),
    ]
    assert record.forwarded == {2: sequence(1, 3)}


def test_product_record_without_the_appended_fields() -> None:
    fields = msgspec.msgpack.decode(_bytes("product_record.1.msgpack"))
    assert decode_record(msgspec.msgpack.encode(fields[:6])).forwarded == {}


def test_feature_record() -> None:
    record = decode_feature(_bytes("feature_record.1.msgpack"))
    assert record.image_key == image_key(URL)
    assert record.extractor_id == EXTRACTOR
    np.testing.assert_allclose(feature_rows([record.vector], record.extractor_id)[0], [0.6, 0.0, -0.8], rtol=1e-6)
    assert record.content_hash == content_hash(b"bytes")
    assert (record.extracted_at_ms, record.cnn_ms, record.url) == (1767261600123, 6.25, URL)
    assert feature_topic_key(record.image_key, EXTRACTOR) == record.image_key.hex().encode() + b"/" + EXTRACTOR.encode()


def test_index_delta() -> None:
    batch = decode_deltas(_bytes("index_delta.1.arrow"))
    assert batch.extractor_id == EXTRACTOR
    (progress,) = batch.progress
    assert (progress.partition, progress.partitions, progress.sequence) == (3, 4, sequence(1, 9))
    assert progress.timestamp_ms == 1767261600123
    assert batch.image_id == [image_id("p1", URL), image_id("p1", URL), image_id("p2", URL)]
    assert batch.product_id == ["p1", "p1", "p2"]
    assert batch.state_seq == [sequence(1, 9), 0, sequence(1, 8)]
    assert batch.valid == [True, False, False]
    assert batch.image_seq == [sequence(1, 6), 0, 0]
    assert batch.vector_seq == [0, sequence(1, 6), 0]
    assert (batch.url[0], batch.category[0], batch.brand[0]) == (URL, "shoes/running", "Strider")
    assert (batch.price[0], batch.sales[0], batch.praise[0]) == (59.9, 120, 0.96)
    assert math.isnan(batch.price[1])
    assert batch.sales[1] == -1
    assert batch.attributes[0] == b'{"title":"Schuh"}'
    vector = batch.vector[1]
    assert vector is not None
    np.testing.assert_allclose(np.frombuffer(vector, "<f4"), [0.6, 0.0, -0.8], rtol=1e-6)
    assert batch.vector[0] is None


def test_a_delta_whose_rows_refer_to_their_attributes() -> None:
    batch = decode_deltas(_bytes("index_delta.2.arrow"))
    assert str(batch) == str(decode_deltas(_bytes("index_delta.1.arrow")))


def test_a_delta_that_refers_to_attributes_it_does_not_have_is_corrupt() -> None:
    table = pa.ipc.open_stream(_bytes("index_delta.2.arrow")).read_all().combine_chunks()
    place = table.schema.get_field_index("attributes")
    forged = pa.DictionaryArray.from_arrays(
        pa.array([0, 9, -7], pa.int32()), pa.array([b"{}"], pa.binary()), safe=False
    )
    with pytest.raises(CorruptError, match="does not decode"):
        decode_deltas(_stream(table.set_column(place, table.schema.field(place), forged)))


def test_a_delta_of_a_later_version_is_read_by_its_known_columns() -> None:
    old = pa.ipc.open_stream(_bytes("index_delta.1.arrow")).read_all()
    later = old.append_column("stock", pa.array([1, 2, 3]))
    assert repr(decode_deltas(_stream(later))) == repr(decode_deltas(_stream(old)))


def test_a_delta_of_an_earlier_version_reads_absent_columns_as_empty() -> None:
    earlier = pa.ipc.open_stream(_bytes("index_delta.1.arrow")).read_all().drop_columns(["praise", "vector"])
    batch = decode_deltas(_stream(earlier))
    assert all(math.isnan(value) for value in batch.praise)
    assert batch.vector == [None, None, None]


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table.combine_chunks().to_batches()[0])
    return bytes(sink.getvalue().to_pybytes())


def test_a_delta_of_another_format_names_the_next_step() -> None:
    table = pa.ipc.open_stream(_bytes("index_delta.1.arrow")).read_all()
    other = table.replace_schema_metadata({**table.schema.metadata, b"format": b"3"})
    with pytest.raises(CorruptError, match="upgrade the searchers first"):
        decode_deltas(_stream(other))


def test_a_delta_whose_text_is_not_utf8_is_corrupt() -> None:
    batch = DeltaBatch("x")
    batch.add(b"0" * 16, "p")
    batch.add(b"1" * 16, "qq")
    with pytest.raises(CorruptError, match="does not decode"):
        decode_deltas(encode_deltas(batch).replace(b"pqq", b"p\xff\xfe"))


def test_a_delta_reads_back_value_by_value() -> None:
    batch = DeltaBatch("x")
    batch.add(b"0" * 16, "p", state_seq=3, valid=True, url="ü", price=1.5, sales=7, attributes=b"\x00{}")
    batch.add(b"1" * 16, "q", vector_seq=2**60, vector=b"\x00" * 8)
    read = decode_deltas(encode_deltas(batch))
    assert str(read) == str(batch)  # as text, for NaN is not equal to itself


def test_an_empty_delta_carries_its_progress() -> None:
    batch = decode_deltas(encode_deltas(DeltaBatch(progress=decode_deltas(_bytes("index_delta.1.arrow")).progress)))
    assert len(batch) == 0
    assert batch.progress[0].sequence == sequence(1, 9)


def test_extract_request() -> None:
    request = decode_request(_bytes("extract_request.1.json"))
    assert (request.product_id, request.url, request.extractor_id) == ("p1", URL, EXTRACTOR)
    assert request.image_id == image_id("p1", URL).hex()
    assert request.image_key == image_key(URL).hex()
    assert (request.vector_seq, request.attempt, request.not_before_ms) == (sequence(1, 6), 2, 1767261600123)


def test_extract_bundle() -> None:
    alone = decode_request(_bytes("extract_request.1.json"))
    first, second = decode_requests(_bytes("extract_bundle.1.json"))
    assert first == alone
    assert (second.url, second.attempt, second.not_before_ms) == (URL, 0, 1767261700123)
    bundle = decode_bundle(_bytes("extract_bundle.1.json"))
    assert bundle is not None
    assert bundle.not_before_ms == first.not_before_ms


def test_dead_letter() -> None:
    letter = decode_dead_letter(_bytes("dead_letter.1.json"))
    assert (letter.reason, letter.detail, letter.stage, letter.transient) == ("not_json", "byte 0", "catalogue", False)
    assert (letter.topic, letter.partition, letter.offset) == ("product-events", 3, 1207)
    assert (letter.at_ms, letter.truncated) == (1767261600123, False)
    assert (letter.key_bytes(), letter.value_bytes()) == (b"p1", b"\xff{")


def test_search_record() -> None:
    record = decode_search(_bytes("search_record.1.json"))
    assert (record.search_id, record.at_ms, record.kinds) == (
        "00ff" * 8, 1767261600123, ("photo", "words", "filter")
    )  # fmt: skip
    assert (record.generation, record.watermark_ms, record.took_ms) == ("g1", 1767261600000, 12.5)
    assert (record.before, record.words, record.match, record.matches) == (10, "rote Schuhe ü", "all", 40)
    assert (record.filter, record.sort, record.rank) == (
        ("brand", "price"), "-price", {"relevance": 1.0, "sales": 0.3}
    )  # fmt: skip
    assert (record.diverse, record.partial) == (True, True)
    first, second = record.shown
    assert (first.product_id, first.position, first.score) == ("p1", 11, 0.75)
    assert (first.look_score, first.look_rank, first.words_score, first.words_rank) == (0.5, 3, 7.25, 1)
    assert (first.price, first.sales, first.praise) == (59.9, 120, 0.96)
    assert second == ShownProduct(product_id="größe/7", position=12, score=0.5)


def test_click_record() -> None:
    assert decode_click(_bytes("click_record.1.json")) == ClickRecord(
        search_id="00ff" * 8, product_id="p1", position=11, at_ms=1767261601123, kind="purchase"
    )


def test_fields_of_the_search_log_that_are_new_are_passed_over() -> None:
    later = {**msgspec.json.decode(_bytes("search_record.1.json")), "meaning": 0.5}
    assert decode_search(msgspec.json.encode(later)) == decode_search(_bytes("search_record.1.json"))
    least = {"search_id": "", "at_ms": 1, "kinds": [], "generation": "", "watermark_ms": 0, "took_ms": 1, "shown": []}
    assert isinstance(decode_search(msgspec.json.encode(least)), SearchRecord)


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("*.1.*")))
def test_a_cut_record_is_refused_as_its_reader_promises(name: str) -> None:
    whole = _bytes(name)
    decode, refusal = {
        "product_record.1.msgpack": (decode_record, msgspec.DecodeError),
        "feature_record.1.msgpack": (decode_feature, CorruptError),
        "index_delta.1.arrow": (decode_deltas, CorruptError),
        "extract_request.1.json": (decode_request, RejectedError),
        "extract_bundle.1.json": (decode_requests, RejectedError),
        "dead_letter.1.json": (decode_dead_letter, msgspec.DecodeError),
        "search_record.1.json": (decode_search, msgspec.DecodeError),
        "click_record.1.json": (decode_click, msgspec.DecodeError),
    }[name]
    for length in {0, 1, 7, len(whole) // 3, len(whole) // 2}:
        with pytest.raises(refusal):
            decode(whole[:length])


def test_columns_of_a_delta_are_only_appended() -> None:
    assert DELTA_SCHEMA.names[:14] == [
        "image_id", "product_id", "state_seq", "valid", "image_seq", "url", "category", "brand", "price", "sales",
        "praise", "attributes", "vector_seq", "vector",
    ]  # fmt: skip

"""A record reads the same whether its columns are as this version writes them or in another order, with nulls."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.deltas.delta import DELTA_SCHEMA, DeltaBatch, Progress, _values, decode_deltas, encode_deltas
from schemas.ids import image_id


def written(rows: int) -> DeltaBatch:
    batch = DeltaBatch("extractor", [Progress(1, 4, 77, 1_700_000_000_000)])
    for number in range(rows):
        product = f"sku-{number // 2}"
        attributes = b'{"title":"%d"}' % (number // 2)
        batch.add(
            image_id(product, f"https://h/{number}.jpg"),
            product,
            state_seq=number + 1,
            valid=number % 3 > 0,
            image_seq=1,
            url=f"https://h/{number}.jpg",
            price=number / 4,
            attributes=attributes,
            vector_seq=number % 2,
            vector=b"v" * 8 if number % 2 else None,
        )
    return batch


def rewritten(value: bytes, change: pa.RecordBatch) -> bytes:
    metadata = pa.ipc.open_stream(value).schema.metadata
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, change.schema.with_metadata(metadata)) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(change.columns, schema=change.schema.with_metadata(metadata)))
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("rows", [0, 1, 7, 300])
def test_columns_in_another_order_read_as_those_that_are_written(rows: int) -> None:
    value = encode_deltas(written(rows))
    records = pa.ipc.open_stream(value).read_next_batch()
    turned = rewritten(value, records.select(DELTA_SCHEMA.names[::-1]))
    usual, other = decode_deltas(value), decode_deltas(turned)
    for name in ("extractor_id", "progress", *DELTA_SCHEMA.names):
        if name not in ("price", "praise"):  # of what is absent NaN, which equals nothing
            assert getattr(usual, name) == getattr(other, name)
    assert usual.price == [number / 4 for number in range(rows)]
    assert usual.attributes == [b'{"title":"%d"}' % (number // 2) for number in range(rows)]


def test_null_among_shared_attributes_is_none() -> None:
    value = encode_deltas(written(4))
    records = pa.ipc.open_stream(value).read_next_batch()
    place = DELTA_SCHEMA.names.index("attributes")
    shared = records.column(place)
    lacking = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, None], pa.int32()), shared.dictionary)
    columns = [*records.columns[:place], lacking, *records.columns[place + 1 :]]
    read = decode_deltas(rewritten(value, pa.RecordBatch.from_arrays(columns, schema=DELTA_SCHEMA)))
    assert read.attributes == [b'{"title":"0"}', None, b'{"title":"1"}', None]


_KINDS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(max_size=5),
    pa.binary(): st.binary(max_size=5),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.dictionary(pa.int32(), pa.binary()): st.sampled_from([b"", b"a", b"bc"]),
}


@pytest.mark.parametrize("kind", _KINDS, ids=str)
@given(data=st.data())
def test_column_is_read_as_arrow_reads_it(kind: pa.DataType, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.one_of(st.none(), _KINDS[kind]), max_size=20))
    begin = data.draw(st.integers(0, len(values)))
    column = pa.array(values, kind).slice(begin)
    assert _values(column) == column.to_pylist()

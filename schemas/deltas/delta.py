"""Index deltas: a batch for one shard, as an Arrow IPC stream (topic `index-deltas`).

A row is one image and carries its *state* register (`state_seq` > 0), its
*vector* register (`vector_seq` > 0), or both; each is whole, so a shard keeps
the greater sequence and forgets the rest (last writer wins). Deltas therefore
commute, and any of them may come twice.

The schema's metadata carries `format`, `extractor_id` and `progress`. Progress
says which part of `product-events` stands behind this batch: once the batch is
applied, this shard reflects partition p up to and including the record with
that sequence, which Kafka stamped `timestamp_ms`.

Evolution: columns are only added, at the end, nullable; readers take columns
by name and treat an absent one as null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from schemas.deltas.frames import is_compressed
from schemas.errors import CorruptError

FORMAT = "2"
_READABLE = (b"1", b"2")

DELTA_SCHEMA = pa.schema(
    [
        ("image_id", pa.binary(16)),
        ("product_id", pa.string()),
        ("state_seq", pa.int64()),
        ("valid", pa.bool_()),
        ("image_seq", pa.int64()),
        ("url", pa.string()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("price", pa.float64()),
        ("sales", pa.int64()),
        ("praise", pa.float64()),
        ("attributes", pa.dictionary(pa.int32(), pa.binary())),
        ("vector_seq", pa.int64()),
        ("vector", pa.binary()),
        ("refused_seq", pa.int64()),
        ("erased_seq", pa.int64()),
    ]
)


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """Everything in partition `partition` (of `partitions`) up to `sequence` is behind this batch."""

    partition: int
    partitions: int
    sequence: int
    timestamp_ms: int


@dataclass(slots=True)
class DeltaBatch:
    """Deltas of one shard, a column per list, all of one length; the writer's side.

    Absent numbers are NaN (price, praise) and -1 (sales). `attributes` is the
    JSON object of all other attributes (title, category, brand, colour,
    unknown ones); rows with the same ones share one object, written or read.
    `vector` is little-endian float32. `refused_seq` > 0: extraction gave the
    image version of that `image_seq` up, no vector of the batch's extractor
    will come for it. `erased_seq` > 0, the same as `state_seq`: the image was
    erased; both registers, the vector's of any extractor too, forget what is
    older. A reader that does not know the column takes the row as a removal.
    """

    extractor_id: str = ""
    progress: list[Progress] = field(default_factory=list)
    image_id: list[bytes] = field(default_factory=list)
    product_id: list[str] = field(default_factory=list)
    state_seq: list[int] = field(default_factory=list)
    valid: list[bool] = field(default_factory=list)
    image_seq: list[int] = field(default_factory=list)
    url: list[str] = field(default_factory=list)
    category: list[str] = field(default_factory=list)
    brand: list[str] = field(default_factory=list)
    price: list[float] = field(default_factory=list)
    sales: list[int] = field(default_factory=list)
    praise: list[float] = field(default_factory=list)
    attributes: list[bytes] = field(default_factory=list)
    vector_seq: list[int] = field(default_factory=list)
    vector: list[bytes | None] = field(default_factory=list)
    refused_seq: list[int] = field(default_factory=list)
    erased_seq: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.image_id)

    def add(
        self,
        image_id: bytes,
        product_id: str,
        *,
        state_seq: int = 0,
        valid: bool = False,
        image_seq: int = 0,
        url: str = "",
        category: str = "",
        brand: str = "",
        price: float = float("nan"),
        sales: int = -1,
        praise: float = float("nan"),
        attributes: bytes = b"",
        vector_seq: int = 0,
        vector: bytes | None = None,
        refused_seq: int = 0,
        erased_seq: int = 0,
    ) -> None:
        """Appends one row. `state_seq` 0: no state in it; `vector_seq` 0: no vector in it."""
        self.image_id.append(image_id)
        self.product_id.append(product_id)
        self.state_seq.append(state_seq)
        self.valid.append(valid)
        self.image_seq.append(image_seq)
        self.url.append(url)
        self.category.append(category)
        self.brand.append(brand)
        self.price.append(price)
        self.sales.append(sales)
        self.praise.append(praise)
        self.attributes.append(attributes)
        self.vector_seq.append(vector_seq)
        self.vector.append(vector)
        self.refused_seq.append(refused_seq)
        self.erased_seq.append(erased_seq)


_COLUMNS = DELTA_SCHEMA.names


def encode_deltas(batch: DeltaBatch) -> bytes:
    """One Arrow IPC stream with one record batch (also when it has no rows, only progress)."""
    metadata = {
        b"format": FORMAT.encode(),
        b"extractor_id": batch.extractor_id.encode(),
        b"progress": msgspec.json.encode(batch.progress),
    }
    schema = DELTA_SCHEMA.with_metadata(metadata)
    arrays = [_array(name, getattr(batch, name)) for name in _COLUMNS]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return bytes(sink.getvalue().to_pybytes())


_KINDS = {field.name: (field.type, pa.types.is_dictionary(field.type)) for field in DELTA_SCHEMA}


def _array(name: str, values: list[Any]) -> pa.Array:
    kind, is_dictionary = _KINDS[name]
    if not is_dictionary:
        return pa.array(values, type=kind)
    places: dict[Any, int] = {}
    indices = [places.setdefault(value, len(places)) for value in values]
    return pa.DictionaryArray.from_arrays(pa.array(indices, kind.index_type), pa.array(list(places), kind.value_type))


_progress_decoder = msgspec.json.Decoder(list[Progress])


_UNDECODABLE = (
    *(pa.ArrowException, msgspec.MsgspecError, UnicodeDecodeError, StopIteration),
    *(LookupError, ValueError, OSError, MemoryError, RecursionError),
)


def decode_deltas(value: bytes) -> DeltaBatch:
    """Bytes of one record of `index-deltas`. Raises `CorruptError` when they are none, and nothing else, whatever
    the bytes are: compressed frames, columns of other types and lengths or references that lie are refused before
    anything is made of them.
    """
    try:
        if is_compressed(value):
            raise CorruptError("index delta is compressed, which deltas are not")
        reader = pa.ipc.open_stream(value)
        schema = reader.schema
        metadata = schema.metadata or {}
        if metadata.get(b"format") not in _READABLE:
            raise CorruptError(
                f"delta format {metadata.get(b'format')!r}; this version reads up to {FORMAT}: "
                "upgrade the searchers first"
            )
        # As this version writes them: one comparison instead of one for each column, most of a record of few rows.
        is_usual = schema.equals(DELTA_SCHEMA)
        if not is_usual:
            _check_columns(schema)
        records = reader.read_next_batch()
        records.validate(full=True)
        return _batch_of(records, metadata, is_usual=is_usual)
    except _UNDECODABLE as error:
        raise CorruptError(f"index delta does not decode: {error}") from error


def _check_columns(schema: pa.Schema) -> None:
    for column in schema:
        if column.name in _COLUMNS and _plain(column.type) != _plain(DELTA_SCHEMA.field(column.name).type):
            raise CorruptError(f"index delta does not decode: column {column.name} is of type {column.type}")
    if len(set(schema.names)) < len(schema.names):
        raise CorruptError("index delta does not decode: a column comes twice")


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _batch_of(records: pa.RecordBatch, metadata: Mapping[bytes, bytes], *, is_usual: bool) -> DeltaBatch:
    """`is_usual`: the columns are those of `DELTA_SCHEMA`, in its order."""
    batch = DeltaBatch(
        extractor_id=metadata.get(b"extractor_id", b"").decode(),
        progress=_progress_decoder.decode(metadata.get(b"progress", b"[]")),
    )
    if is_usual:
        for name, column in zip(_COLUMNS, records.columns, strict=True):
            setattr(batch, name, _values(column))
        return batch
    names = set(records.schema.names)
    if records.num_rows and "image_id" not in names:
        raise CorruptError("index delta does not decode: rows without image ids")
    absent = DeltaBatch()
    absent.add(b"", "")
    for name in _COLUMNS:
        if name in names:
            setattr(batch, name, _values(records.column(name)))
        else:
            setattr(batch, name, getattr(absent, name) * records.num_rows)
    return batch


def _values(column: Any) -> list[Any]:
    """The column as a list, in a fraction of `to_pylist`'s time.

    Not by `to_numpy`, which loads pandas: seconds in a process that has just
    started, for which queries and deltas wait, and 57 MB for good.
    """
    if not len(column):
        return []
    read = _READ.get(column.type.id, _numbers)
    return read(column)


def _numbers(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist() if column.null_count else np.from_dlpack(column).tolist()
    return values


def _truths(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist() if column.null_count else _bits(column, column.buffers()[1])
    return values


def _of_one_width(column: Any) -> list[Any]:
    if column.null_count:
        values: list[Any] = column.to_pylist()
        return values
    width, first = column.type.byte_width, column.offset
    held = column.buffers()[1][first * width : (first + len(column)) * width].to_pybytes()
    return [held[start : start + width] for start in range(0, len(held), width)]


def _chosen(column: Any) -> list[Any]:
    """Of a dictionary."""
    distinct, places = [*column.dictionary.to_pylist(), None], column.indices
    if places.null_count:
        places = places.fill_null(len(distinct) - 1)
    return [distinct[place] for place in _numbers(places)]


def _texts(column: Any) -> list[Any]:
    return [None if piece is None else piece.decode() for piece in _pieces(column)]


def _pieces(column: Any) -> list[Any]:
    """Of strings or bytes, None where there is none."""
    there, ends, data = column.buffers()
    held = b"" if data is None else data.to_pybytes()
    bounds = np.frombuffer(ends, np.int32, len(column) + 1, 4 * column.offset).tolist()
    pieces: list[Any] = [held[start:end] for start, end in pairwise(bounds)]
    if column.null_count:
        pieces = [piece if valid else None for piece, valid in zip(pieces, _bits(column, there), strict=True)]
    return pieces


def _bits(column: Any, buffer: Any) -> list[bool]:
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
    values: list[bool] = bits[column.offset : column.offset + len(column)].view(np.bool_).tolist()
    return values


_READ: dict[int, Callable[[Any], list[Any]]] = {
    pa.dictionary(pa.int32(), pa.binary()).id: _chosen,
    pa.string().id: _texts,
    pa.binary().id: _pieces,
    pa.binary(1).id: _of_one_width,
    pa.bool_().id: _truths,
}
"""By the kind of a column; the others are numbers."""


def attributes_json(attributes: dict[str, Any]) -> bytes:
    """The `attributes` column: everything but the numeric fields that have columns of their own."""
    return _json_encoder.encode({k: v for k, v in attributes.items() if k not in _NUMERIC})


_NUMERIC = frozenset(("price", "sales", "praise"))
_json_encoder = msgspec.json.Encoder(order="sorted")

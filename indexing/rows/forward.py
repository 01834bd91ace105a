"""The forward index: dense row numbers, one fixed-width record a row, texts in a buffer beside it.

The record is packed by `struct` and seen by numpy as `ROW_DTYPE`, the same
bytes: one call writes a whole row (so that under the GIL no reader ever sees
half an update), and columns can still be read, filtered and summed by numpy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexing.rows.text_buffer import TextBuffer
from indexing.rows.usable import (
    COLOURS_SHIFT,
    SAID,
    SAID_SHIFT,
    SUPERSEDED,
    identity_sizes,
    is_searchable,
    is_usable,
    is_valid,
)
from schemas.found import Hit

ROW_FIELDS: list[tuple[str, str, str]] = [
    ("image_id", "16s", "V16"),
    ("state_seq", "q", "<i8"),
    ("image_seq", "q", "<i8"),
    ("vector_seq", "q", "<i8"),
    ("price", "d", "<f8"),
    ("sales", "q", "<i8"),
    ("praise", "d", "<f8"),
    ("identity_offset", "Q", "<u8"),
    ("attributes_offset", "Q", "<u8"),
    ("product_size", "I", "<u4"),
    ("url_size", "I", "<u4"),
    ("attributes_size", "I", "<u4"),
    ("category", "i", "<i4"),
    ("brand", "i", "<i4"),
    ("flags", "I", "<u4"),
    ("vector_hash", "16s", "V16"),
    ("digest", "16s", "V16"),
]
"""Name, struct code and numpy type of each field of a record, without padding, little-endian."""

_STRUCT = struct.Struct("<" + "".join(code for _, code, _ in ROW_FIELDS))
ROW_DTYPE = np.dtype([(name, kind) for name, _, kind in ROW_FIELDS])
ROW_SIZE = _STRUCT.size
_PRODUCT_DTYPE = np.dtype([("product", "<u8"), ("rest", f"V{ROW_SIZE - 8}")])
"""A record by the first half of its image id."""
_HIT_STRUCT = struct.Struct("<16sqqqdqdQQIII8xI")  # a record up to its flags, without the codes

_CHUNK_SHIFT = 14
CHUNK_ROWS = 1 << _CHUNK_SHIFT
_CHUNK_MASK = CHUNK_ROWS - 1


class Row(NamedTuple):
    """One record. `identity_offset`: product id, URL and what the picture says, in one piece, in the text buffer."""

    image_id: bytes
    state_seq: int
    image_seq: int
    vector_seq: int
    price: float
    sales: int
    praise: float
    identity_offset: int
    attributes_offset: int
    product_size: int
    url_size: int
    attributes_size: int
    category: int
    brand: int
    flags: int
    vector_hash: bytes
    digest: bytes

    @property
    def usable_vector(self) -> bool:
        """The vector is there and not older than the image."""
        return is_usable(self.vector_seq, self.image_seq)

    @property
    def colours(self) -> int:
        """The code of what colours the image shows (`schemas.features.colours`), 0 while its vector is not there."""
        return self.flags >> COLOURS_SHIFT if self.usable_vector else 0

    @property
    def said_size(self) -> int:
        """Bytes of what was read and seen in the picture of its vector (`schemas.features.said`)."""
        return (self.flags & SAID) >> SAID_SHIFT

    @property
    def identity_size(self) -> int:
        """Bytes of the text at `identity_offset`."""
        return self.product_size + self.url_size + self.said_size

    @property
    def searchable(self) -> bool:
        """A search may return this row."""
        return is_searchable(self.flags, self.vector_seq, self.image_seq)


class Texts(NamedTuple):
    """A row's variable-width fields, UTF-8."""

    product_id: bytes
    url: bytes
    attributes: bytes
    said: bytes
    """What was read and seen in the picture, see `schemas.features.said`."""


class ForwardIndex:
    """Rows in chunks that never move, written by one thread and read by any."""

    def __init__(self) -> None:
        self._chunks: list[memoryview] = []
        self._arrays: list[NDArray[Any]] = []
        self._count = 0
        self.texts = TextBuffer()

    def __len__(self) -> int:
        return self._count

    @property
    def allocated(self) -> int:
        """Bytes of memory held, texts included."""
        return sum(array.nbytes for array in self._arrays) + self.texts.allocated

    def append(self, row: Row) -> int:
        """A new row; returns its number. Writer thread only."""
        number = self._count
        if number >> _CHUNK_SHIFT == len(self._chunks):
            self._add_chunk()
        self.write(number, row)
        self._count = number + 1
        return number

    def _add_chunk(self) -> None:
        self._adopt(np.zeros(CHUNK_ROWS, dtype=ROW_DTYPE))

    def _adopt(self, array: NDArray[Any]) -> None:
        self._arrays.append(array)
        self._chunks.append(array.view(np.uint8).data)

    def write(self, number: int, row: Row) -> None:
        """Replaces a whole row at once. Writer thread only."""
        _STRUCT.pack_into(self._chunks[number >> _CHUNK_SHIFT], (number & _CHUNK_MASK) * ROW_SIZE, *row)

    def read(self, number: int) -> Row:
        """The row as it is now. Any thread."""
        return Row._make(_STRUCT.unpack_from(self._chunks[number >> _CHUNK_SHIFT], (number & _CHUNK_MASK) * ROW_SIZE))

    def texts_of(self, row: Row) -> Texts | None:
        """The row's texts, or None when they moved since the row was read: read it again. Any thread."""
        identity = self.identity_of(row)
        attributes = self.texts.read(row.attributes_offset, row.attributes_size)
        if identity is None or attributes is None:
            return None
        product_id, url, said = identity
        return Texts(product_id, url, attributes, said)

    def identity_of(self, row: Row) -> tuple[bytes, bytes, bytes] | None:
        """(product id, URL, what the picture says), or None when they moved since the row was read. Any thread."""
        identity = self.texts.read(row.identity_offset, row.identity_size)
        if identity is None:
            return None
        said = row.product_size + row.url_size
        return identity[: row.product_size], identity[row.product_size : said], identity[said:]

    def said_of(self, row: Row) -> bytes:
        """What was read and seen in the row's picture; b"" while its vector is not there. Writer thread only."""
        if not row.said_size or not row.usable_vector:
            return b""
        identity = self.identity_of(row)
        assert identity is not None, "the writer never reads a text that it dropped"
        return identity[2]

    def hit(self, number: int, score: float, longest: int, listed: bool = False) -> Hit | None:
        """The row as an answer to a search, None when a search may not return it (any more). Any thread.

        Attributes of more than `longest` bytes are left out. `listed`: not found
        by its vector, so that it needs none.

        Runs once a hit, on caches that the scan has just swept: everything in
        one function, and only the fields that are shown.
        """
        chunk = None
        while chunk is None:
            (
                image_id,
                state_seq,
                image_seq,
                vector_seq,
                price,
                sales,
                praise,
                identity,
                attributes_at,
                product_size,
                url_size,
                attributes_size,
                flags,
            ) = _HIT_STRUCT.unpack_from(self._chunks[number >> _CHUNK_SHIFT], (number & _CHUNK_MASK) * ROW_SIZE)
            if not is_searchable(flags, vector_seq, image_seq) and not (listed and is_valid(flags)):
                return None
            chunk, start = self.texts.locate(identity, product_size + url_size)  # None: they moved: read the row again
        middle = start + product_size
        omitted = 0
        if attributes_size > longest:
            omitted, attributes_size = attributes_size, 0
        attributes = self.texts.read(attributes_at, attributes_size)
        if attributes is None:
            return self.hit(number, score, longest, listed)
        return Hit(
            image_id,
            chunk[start:middle].decode(),
            score,
            chunk[middle : middle + url_size].decode(),
            price,
            sales,
            praise,
            attributes,
            state_seq,
            omitted,
        )

    def memory(self) -> list[object]:
        """What holds its memory, in pieces of a few MiB."""
        return [*self._arrays, *self.texts.memory()]

    def parts(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """(first row number, records) of every chunk, up to the rows written so far; not copied."""
        for number, array in enumerate(self._arrays):
            first = number << _CHUNK_SHIFT
            yield first, array[: max(0, min(CHUNK_ROWS, self._count - first))]

    def of_products(self, hashes: Iterable[bytes]) -> list[int]:
        """The numbers of all rows of the products with these hashes, dead ones too. Writer thread only."""
        wanted = np.frombuffer(b"".join(hashes), dtype="<u8")
        found: list[int] = []
        for first, part in self.parts():
            products = part.view(_PRODUCT_DTYPE)["product"]
            found += (np.flatnonzero(np.isin(products, wanted)) + first).tolist()
        return found

    def superseded(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these rows are dead, shape (n,). Any thread."""
        dead = np.zeros(len(numbers), dtype=np.bool_)
        for chunk in np.unique(numbers >> _CHUNK_SHIFT).tolist():
            inside = numbers >> _CHUNK_SHIFT == chunk
            dead[inside] = self._arrays[chunk]["flags"][numbers[inside] & _CHUNK_MASK] & SUPERSEDED != 0
        return dead

    def copy_rows(self) -> NDArray[Any]:
        """All records as one array of `ROW_DTYPE`. Writer thread only."""
        rows = np.empty(self._count, dtype=ROW_DTYPE)
        copied = rows.view(np.uint8)  # numpy takes six times as long over records as over their bytes
        for first, part in self.parts():
            copied[first * ROW_SIZE : (first + len(part)) * ROW_SIZE] = part.view(np.uint8)
        return rows

    @classmethod
    def load(cls, arrays: Iterable[NDArray[Any]], count: int, texts: Sequence[bytes | memoryview]) -> ForwardIndex:
        """Takes over a snapshot's records, `CHUNK_ROWS` in each array, of which the first `count` are used.

        texts: the chunks of the text buffer.
        """
        index = cls()
        index.texts = TextBuffer(texts)
        index._count = count
        for array in arrays:
            index._adopt(array)
        index.texts.retain(*index._texts_in_use())
        return index

    def _texts_in_use(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """(offsets, sizes) of the texts that rows refer to, once for every row that does."""
        offsets, sizes = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for _, part in self.parts():
            alive = part[part["flags"] & SUPERSEDED == 0]
            offsets += [alive["identity_offset"], alive["attributes_offset"]]
            sizes += [identity_sizes(alive), alive["attributes_size"]]
        return np.concatenate(offsets), np.concatenate(sizes).astype(np.int64)

    def scrub_texts(self) -> None:
        """Overwrites all texts that no row refers to. Writer thread only."""
        self.texts.scrub(*self._texts_in_use())

    def reclaim_texts(self, least_garbage: int = 8 << 20) -> None:
        """Empties one sparse text chunk when more than half of the buffer is garbage. Writer thread only.

        One chunk at a time bounds the pause to the rows of one MiB of text.
        """
        if self.texts.garbage_bytes < least_garbage or self.texts.garbage < 0.5:
            return
        chunk = self.texts.sparsest()
        if chunk is None:
            return
        moved: dict[int, int] = {}
        for first, part in self.parts():
            inside = (part["identity_offset"] >> 32 == chunk) & (identity_sizes(part) > 0)
            inside |= (part["attributes_offset"] >> 32 == chunk) & (part["attributes_size"] > 0)
            inside &= part["flags"] & SUPERSEDED == 0
            for number in np.nonzero(inside)[0].tolist():
                self._move_texts(first + number, chunk, moved)
        self.texts.drop(chunk)

    def _move_texts(self, number: int, chunk: int, moved: dict[int, int]) -> None:
        """`moved`: where attributes that other rows refer to as well went, by where they were."""
        row = self.read(number)
        texts = self.texts_of(row)
        assert texts is not None, "a chunk is dropped only when no row points into it"
        identity, attributes = row.identity_offset, row.attributes_offset
        identity_size = row.identity_size
        if identity_size and identity >> 32 == chunk:
            self.texts.release(identity, identity_size)
            identity = self.texts.append(texts.product_id + texts.url + texts.said)
        if row.attributes_size and attributes >> 32 == chunk:
            self.texts.release(attributes, row.attributes_size)
            place = moved.get(attributes)
            if place is None:
                place = moved[attributes] = self.texts.append(texts.attributes)
            else:
                self.texts.share(place, row.attributes_size)
            attributes = place
        self.write(number, row._replace(identity_offset=identity, attributes_offset=attributes))

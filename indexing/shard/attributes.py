"""What a shard's products are filtered, counted and found by word by: columns and words beside the forward index.

Written by the shard's writer, read by any thread without locks. The forward
index stays the one that is believed: what a column or a word finds is looked
up there before it is shown.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.attributes.bulk import load_columns
from indexing.attributes.cells import Cells
from indexing.rows.forward import ForwardIndex, Row
from indexing.rows.row_map import RowMap
from indexing.rows.usable import VALID, is_valid, valid_rows
from indexing.words.index import WordIndex
from schemas.query.indexed import Indexed

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ProductAttributes:
    """Columns by row, words by product; products are numbered in the order in which they came."""

    def __init__(self, indexed: Indexed, forward: ForwardIndex, rows: RowMap) -> None:
        """Over what is there already, which nobody writes meanwhile."""
        self.indexed = indexed
        self._forward = forward
        self._rows = rows
        self.columns = load_columns(indexed.fields, forward)
        self._hashes: Cells[np.uint64] = Cells(np.uint64)
        self._text_seqs: Cells[np.int64] = Cells(np.int64)
        self._last_text: tuple[int, bytes] = (-1, b"")
        self.words = self._load()

    def _load(self) -> WordIndex:
        """Hashes of all products, and the words of those on sale: of each its image with the latest state."""
        self._reserve(self.columns.products)
        latest = np.full(self.columns.products, -1, dtype=np.int64)
        for first, part in self._forward.parts():
            products = self.columns.product[first : first + len(part)]
            known = products >= 0
            image_ids = np.ascontiguousarray(part["image_id"][known]).view("<u8")[::2]
            self._hashes.array[products[known]] = image_ids
            # Ascending by state, so that of several images of a product the latest is written last.
            alive = np.flatnonzero(valid_rows(part) & known)
            alive = alive[np.argsort(part["state_seq"][alive], kind="stable")]
            seqs = part["state_seq"][alive]
            newer = seqs > self._text_seqs.array[products[alive]]
            chosen = alive[newer]
            self._text_seqs.array[products[chosen]] = part["state_seq"][chosen]
            latest[products[chosen]] = chosen + first
        on_sale = np.flatnonzero(latest >= 0)
        chosen = zip(on_sale.tolist(), latest[on_sale].tolist(), strict=True)
        texts = ((product, self._texts_of(row)) for product, row in chosen)
        return WordIndex.bulk(texts, self.indexed.language)

    def _texts_of(self, number: int) -> list[tuple[int, str]]:
        texts = self._forward.texts_of(self._forward.read(number))
        assert texts is not None, "nothing is written meanwhile"
        return self._texts(texts.attributes)

    def _texts(self, attributes: bytes) -> list[tuple[int, str]]:
        return self.indexed.texts(_decode(attributes)) if attributes else []

    # -- writer thread only ----------------------------------------------------------------------

    def place(self, number: int, image_id: bytes) -> None:
        """Gives a new row its product: that of the product's other images, or a new one."""
        columns = self.columns
        for other in self._rows.of_product(image_id[:8]):
            if other != number:
                product = int(columns.product[other])
                break
        else:
            product = columns.products
            self._reserve(product + 1)
            self._hashes.memory[product] = int.from_bytes(image_id[:8], "little")
        columns.set_product(number, product)

    def _reserve(self, products: int) -> None:
        self._hashes.reserve(products)
        self._text_seqs.reserve(products)

    def write(self, number: int, row: Row, attributes: bytes | None) -> None:
        """A row's numbers, and its attributes where they are others than before (else None)."""
        if attributes is None:
            self.columns.write_measures(number, row.price, row.sales, row.praise)
        else:
            self.columns.write(number, attributes, row.price, row.sales, row.praise)

    def note_words(self, number: int, row: Row, attributes: bytes | None) -> None:
        """The row is written: its product has these words, or none when it is on sale no more."""
        product = int(self.columns.product[number])
        if not row.flags & VALID:
            if self._text_seqs.memory[product] and not self._on_sale(row.image_id):
                self._text_seqs.memory[product] = 0
                self._last_text = (-1, b"")
                self.words.drop(product)
            return
        if row.state_seq < self._text_seqs.memory[product]:
            return
        known = attributes is None and self._text_seqs.memory[product] > 0
        self._text_seqs.memory[product] = row.state_seq
        if known:
            return
        if attributes is None:
            attributes = self._forward.texts.read(row.attributes_offset, row.attributes_size) or b""
        # The images of a product come one behind the other, with one object of attributes.
        if self._last_text != (product, attributes):
            self._last_text = (product, attributes)
            self.words.put(product, self._texts(attributes))

    def _on_sale(self, image_id: bytes) -> bool:
        return any(is_valid(self._forward.read(number).flags) for number in self._rows.of_product(image_id[:8]))

    def scrub(self, dead: list[int]) -> None:
        """Overwrites what erased products have left: the cells of these rows, names that no row has, replaced texts."""
        for number in dead:
            if number < len(self.columns) and not is_valid(self._forward.read(number).flags):
                product = int(self.columns.product[number])
                self.columns.clear(number)
                self.columns.set_product(number, product)
        self._last_text = (-1, b"")
        self.columns.scrub()
        self.words.compact(force=True)

    def tidy(self) -> None:
        """Leaves replaced texts behind where they are the greater part. After a batch."""
        self.words.compact()

    # -- any thread ------------------------------------------------------------------------------

    @property
    def products(self) -> int:
        """Numbers of products given so far: the next one."""
        return self.columns.products

    def hashes(self, products: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
        """Of these products: the first half of their images' ids."""
        hashes: NDArray[np.uint64] = self._hashes.array[products]
        return hashes

    @property
    def allocated(self) -> int:
        """Bytes of memory held."""
        return self.columns.allocated + self.words.allocated + self._hashes.array.nbytes + self._text_seqs.array.nbytes

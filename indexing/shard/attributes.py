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
from indexing.rows.usable import SAID, SUPERSEDED, VALID, is_valid, searchable_rows, valid_rows
from indexing.words.index import WordIndex
from schemas.features.objects import shown_code
from schemas.features.said import objects_said, words_said
from schemas.query.indexed import PICTURE_WEIGHT, Indexed

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ProductAttributes:
    """Columns by row, words by product; products are numbered in the order in which they came."""

    def __init__(self, indexed: Indexed, forward: ForwardIndex, rows: RowMap) -> None:
        """Over what is there already, which nobody writes meanwhile."""
        self.indexed = indexed
        self._forward = forward
        self._rows = rows
        self.columns = load_columns(indexed.fields, forward, indexed.picture_colours)
        self._hashes: Cells[np.uint64] = Cells(np.uint64)
        self._text_seqs: Cells[np.int64] = Cells(np.int64)
        self._text_rows: Cells[np.int32] = Cells(np.int32)
        """Whose attributes a product is found by: its valid image with the latest state; 0 in `_text_seqs`: none."""
        self._last_text: tuple[int, bytes] = (-1, b"")
        self._pictures_have_words = False
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
        self._text_rows.array[on_sale] = latest[on_sale]
        chosen = zip(on_sale.tolist(), latest[on_sale].tolist(), strict=True)
        pictures = self._picture_words()
        texts = ((product, self._texts_of(row) + _weighed(pictures.get(product, set()))) for product, row in chosen)
        return WordIndex.bulk(texts, self.indexed.language)

    def _picture_words(self) -> dict[int, set[str]]:
        """By product, the words in its pictures that are shown."""
        found: dict[int, set[str]] = {}
        for first, part in self._forward.parts():
            for place in np.flatnonzero(searchable_rows(part) & (part["flags"] & SAID != 0)).tolist():
                if words := words_said(self._forward.said_of(self._forward.read(first + place))):
                    found.setdefault(int(self.columns.product[first + place]), set()).add(words)
        self._pictures_have_words = bool(found)
        return found

    def _texts_of(self, number: int) -> list[tuple[int, str]]:
        texts = self._forward.texts_of(self._forward.read(number))
        assert texts is not None, "nothing is written meanwhile"
        return self._texts(texts.attributes)

    def _texts(self, attributes: bytes) -> list[tuple[int, str]]:
        """Nothing where they are no JSON object, as with columns."""
        try:
            return self.indexed.texts(_decode(attributes)) if attributes else []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []

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
        self._text_rows.reserve(products)

    def write(self, number: int, row: Row, attributes: bytes | None) -> None:
        """A row's numbers, and its attributes where they, or what its picture shows, are others than before (else
        None)."""
        if attributes is None:
            self.columns.write_measures(number, row.price, row.sales, row.praise)
        else:
            shown = shown_code(row.colours, objects_said(self._forward.said_of(row)))
            self.columns.write(number, attributes, row.price, row.sales, row.praise, shown)

    def note_words(self, number: int, row: Row, attributes: bytes | None) -> None:
        """The row is written: its product has these words, or none when it is on sale no more."""
        product = int(self.columns.product[number])
        seq, bearer = self._text_seqs.memory[product], self._text_rows.memory[product]
        if not row.flags & VALID:
            if seq and self._forward.read(bearer).image_id == row.image_id:
                self._hand_on_words(product, row.image_id)
            return
        if row.state_seq < seq:
            return
        self._text_seqs.memory[product], self._text_rows.memory[product] = row.state_seq, number
        if seq and attributes is None and (bearer == number or self._has_texts_of(row, bearer)):
            return
        if attributes is None:
            attributes = self._forward.texts.read(row.attributes_offset, row.attributes_size) or b""
        self._put(product, attributes, row.image_id)

    def note_picture(self, number: int, row: Row) -> None:
        """The row is written, and had or has words in its picture: they are its product's while it is shown."""
        self._pictures_have_words = True
        product = int(self.columns.product[number])
        if self._text_seqs.memory[product]:
            bearer = self._forward.read(self._text_rows.memory[product])
            self._last_text = (-1, b"")
            attributes = self._forward.texts.read(bearer.attributes_offset, bearer.attributes_size) or b""
            self._put(product, attributes, row.image_id)

    def _has_texts_of(self, row: Row, bearer: int) -> bool:
        """Whether the row, whose attributes stayed, has those that the product's words are from."""
        other = self._forward.read(bearer)
        if other.image_id == row.image_id:
            return True
        same = other.attributes_offset == row.attributes_offset and other.attributes_size == row.attributes_size
        # A dead row does not know where its texts went.
        return same and not other.flags & SUPERSEDED

    def _hand_on_words(self, product: int, image_id: bytes) -> None:
        """The image that the product's words are from is gone: they are those of another, or there are none."""
        self._last_text = (-1, b"")
        siblings = [(self._forward.read(number), number) for number in self._rows.of_product(image_id[:8])]
        alive = [(row.state_seq, number, row) for row, number in siblings if is_valid(row.flags)]
        if not alive:
            self._text_seqs.memory[product] = 0
            self.words.drop(product)
            return
        seq, number, row = max(alive)
        self._text_seqs.memory[product], self._text_rows.memory[product] = seq, number
        attributes = self._forward.texts.read(row.attributes_offset, row.attributes_size) or b""
        self._put(product, attributes, image_id)

    def _put(self, product: int, attributes: bytes, image_id: bytes) -> None:
        # The images of a product come one behind the other, with one object of attributes.
        if self._last_text != (product, attributes):
            self._last_text = (product, attributes)
            self.words.put(product, self._texts(attributes) + _weighed(self._words_in_pictures(image_id)))

    def _words_in_pictures(self, image_id: bytes) -> set[str]:
        """Those of the pictures that are shown of the image's product."""
        words: set[str] = set()
        if self._pictures_have_words:
            for number in self._rows.of_product(image_id[:8]):
                row = self._forward.read(number)
                if row.searchable and (read := words_said(self._forward.said_of(row))):
                    words.add(read)
        return words

    def scrub(self, dead: list[int]) -> None:
        """Overwrites what erased products have left: the cells of these rows, names that no row has, replaced texts."""
        for number in dead:
            if number < len(self.columns) and not is_valid(self._forward.read(number).flags):
                self.columns.clear(number)
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
        products = (self._hashes, self._text_seqs, self._text_rows)
        return self.columns.allocated + self.words.allocated + sum(cells.array.nbytes for cells in products)


def _weighed(words: set[str]) -> list[tuple[int, str]]:
    return [(PICTURE_WEIGHT, text) for text in sorted(words)]

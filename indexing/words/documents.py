"""The documents: which text is whose, which is the present one, how long it is, and its words in order.

A document is one version of a product's text. It gets a number and never
changes; `product_doc[product]`, one cell of 32 bits, says which of the
documents is the present one. Numbers only grow, so postings stay in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

GAP = -1
"""Stands in the word stream behind each field of a document: no phrase reaches over it."""
NO_DOCUMENT = -1


class Column:
    """An array that grows by another taking its place. Who reads the old one reads on, as of then."""

    __slots__ = ("_fill", "values")

    def __init__(self, values: NDArray[Any], fill: int = 0) -> None:
        self.values, self._fill = values, fill

    def reserve(self, size: int) -> None:
        """Makes room for `size` cells. Writer thread only."""
        held = len(self.values)
        if size > held:
            grown = np.empty(max(size, held + held // 2, 1 << 10), dtype=self.values.dtype)
            grown[:held] = self.values
            grown[held:] = self._fill
            self.values = grown


class Documents:
    """Columns by document and by product. Written by one thread; a reader takes `present` first."""

    def __init__(
        self,
        product_doc: NDArray[np.int32],
        fingerprints: NDArray[np.int64],
        doc_product: NDArray[np.int32],
        doc_length: NDArray[np.int32],
        doc_start: NDArray[np.int64],
        stream: NDArray[np.int32],
        total_length: int,
    ) -> None:
        """doc_start: one more than documents; where in `stream` (word ids and gaps) each begins."""
        self._product_doc = Column(product_doc, NO_DOCUMENT)
        self._fingerprints = Column(fingerprints)
        self._doc_product = Column(doc_product)
        self._doc_length = Column(doc_length)
        self._doc_start = Column(doc_start)
        self._stream = Column(stream, GAP)
        self.products = len(product_doc)
        """The highest product number so far and one."""
        self.count = len(doc_product)
        """Documents, dead ones too."""
        self.living = int((product_doc != NO_DOCUMENT).sum())
        self.total_length = total_length
        """Of the living documents, in weighted words."""

    @classmethod
    def empty(cls) -> Documents:
        """No documents."""
        none = np.empty(0, np.int32)
        return cls(none, np.empty(0, np.int64), none, none, np.zeros(1, np.int64), none, 0)

    # -- reading -------------------------------------------------------------------------------

    def present(self) -> NDArray[np.int32]:
        """A copy of the present document of every product, (products,), -1 for none. Any thread.

        A document in it has all its postings in place already, and keeps them.
        """
        return self._product_doc.values[: self.products].copy()

    @property
    def doc_product(self) -> NDArray[np.int32]:
        """Product by document. Any thread, for documents of postings that were read *before*."""
        values: NDArray[np.int32] = self._doc_product.values
        return values

    @property
    def doc_length(self) -> NDArray[np.int32]:
        """Weighted words by document; as `doc_product`."""
        values: NDArray[np.int32] = self._doc_length.values
        return values

    def words_in_order(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """(starts, stream): document d's word ids and gaps are stream[starts[d]:starts[d + 1]]; as `doc_product`."""
        starts = self._doc_start.values
        return starts, self._stream.values

    # -- writing: one thread -------------------------------------------------------------------

    def present_of(self, product: int) -> int:
        """The product's present document, -1 for none."""
        return int(self._product_doc.values[product]) if product < self.products else NO_DOCUMENT

    def fingerprint_of(self, product: int) -> int:
        """What `switch` was told last of a product that has a document."""
        return int(self._fingerprints.values[product])

    def append(self, product: int, length: int, words: Sequence[int]) -> int:
        """A document that is nobody's present one yet; returns its number. words: ids, a gap behind each field."""
        number = self.count
        start = int(self._doc_start.values[number])
        self._doc_product.reserve(number + 1)
        self._doc_length.reserve(number + 1)
        self._doc_start.reserve(number + 2)
        self._stream.reserve(start + len(words))
        self._doc_product.values[number] = product
        self._doc_length.values[number] = length
        self._stream.values[start : start + len(words)] = words
        self._doc_start.values[number + 1] = start + len(words)
        self.count = number + 1
        return number

    def switch(self, product: int, document: int, fingerprint: int) -> None:
        """Makes a document the present one: from here on readers find it and no longer the one before."""
        if product >= self.products:
            self._product_doc.reserve(product + 1)
            self._fingerprints.reserve(product + 1)
            self.products = product + 1
        self._fingerprints.values[product] = fingerprint
        self._product_doc.values[product] = document

    def account(self, document: int, sign: int) -> None:
        """Counts a document in (sign 1) or out (-1)."""
        self.living += sign
        self.total_length += sign * int(self._doc_length.values[document])

    def words_of(self, document: int) -> set[int]:
        """Ids of its words."""
        start, end = self._doc_start.values[document : document + 2].tolist()
        words = set(self._stream.values[start:end].tolist())
        words.discard(GAP)
        return words

    def fingerprints(self) -> NDArray[np.int64]:
        """By product, (products,)."""
        return self._fingerprints.values[: self.products].copy()

    @property
    def dead(self) -> int:
        """Documents that are nobody's present one."""
        return self.count - self.living

    @property
    def allocated(self) -> int:
        """Bytes of memory held. Any thread."""
        columns = (self._product_doc, self._fingerprints, self._doc_product, self._doc_length, self._doc_start)
        return sum(column.values.nbytes for column in (*columns, self._stream))

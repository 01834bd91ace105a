"""What writer and readers of a shard share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.lists.inverted_lists import InvertedLists
from indexing.lists.reranked import Lists
from indexing.look.looks import Look
from indexing.rows.digest import (
    NO_VECTOR,
    add_digest,
    digest_bytes,
    image_digest,
    subtract_digest,
    sum_digests,
    vector_hash,
)
from indexing.rows.forward import ForwardIndex, Row
from indexing.rows.row_map import RowMap
from indexing.rows.usable import SUPERSEDED, VALID, searchable_rows, valid_rows
from indexing.rows.validity import ValidityBitmap
from indexing.shard.attributes import ProductAttributes
from indexing.shard.progress import SourceProgress
from indexing.shard.refusals import Refusals

_NAN = float("nan")
NEW_ROW = Row(b"", 0, 0, 0, _NAN, -1, _NAN, 0, 0, 0, 0, 0, -1, -1, 0, NO_VECTOR, NO_VECTOR)
"""What an image is before its first delta."""


class NameCodes:
    """Names by dense code; codes are never given back. Written by one thread, read by any."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names: list[bytes] = []
        self._codes: dict[str, int] = {}
        for code, name in enumerate(names):
            self._names.append(name.encode())
            self._codes.setdefault(name, code)

    def code(self, name: str) -> int:
        """The name's code, a new one for a new name. Writer thread only."""
        code = self._codes.get(name)
        if code is None:
            self._names.append(name.encode())
            code = self._codes[name] = len(self._names) - 1
        return code

    def forget(self, used: Iterable[int]) -> None:
        """Drops the names whose codes are not among these; their codes stay taken. Writer thread only."""
        known = set(used)
        for code, name in enumerate(self._names):
            if name and code not in known:
                del self._codes[name.decode()]
                self._names[code] = b""

    def name(self, code: int) -> bytes:
        """UTF-8 of the name."""
        return self._names[code]

    def names(self) -> list[str]:
        """All names, by code."""
        return [name.decode() for name in self._names]


class ShardState:
    """The structures and counts of one shard. One thread writes, any thread reads."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.extractor_id = look.extractor_id
        self.dimension = look.dimension
        self.nprobe = 1
        self.effort = 1.0
        """How many times as much as was chosen with `nprobe` a query looks through."""
        self.training: dict[str, Any] = {}
        self.forward = ForwardIndex()
        self.validity = ValidityBitmap()
        self.lists: Lists = InvertedLists(look.dimension)
        self.progress = SourceProgress()
        self.rows = RowMap()
        self.refusals = Refusals()
        self.categories = NameCodes()
        self.brands = NameCodes()
        self.attributes: ProductAttributes | None = None
        """What filters and words are answered from, where the shard answers them."""
        self.digest = 0
        self.valid = 0
        self.searchable = 0
        self.applied_rows = 0
        self.ignored_vectors = 0
        self.ignored_rows = 0
        self.erased: set[bytes] = set()
        """Hashes of products of which something was erased since the shard was loaded."""
        self.unscrubbed = False
        """Bytes of erased images are still behind the rows, which nothing shows any more: see `scrub`."""

    @property
    def probes(self) -> int:
        """Lists that a query looks through unless it says otherwise."""
        return max(1, round(self.nprobe * self.effort))

    def take_over(self, forward: ForwardIndex) -> None:
        """Begins with these rows: finds them by image and product, counts them, sums their digests up.

        A chunk of rows at a time, so that no call holds the GIL for long:
        queries of another shard are answered meanwhile. Before there is a writer.
        """
        self.forward = forward
        ids: list[NDArray[np.void]] = [np.empty(0, "V16")]
        numbers: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        for first, rows in forward.parts():
            alive = np.nonzero(rows["flags"] & SUPERSEDED == 0)[0]
            ids.append(rows["image_id"][alive])
            numbers.append(alive + first)
            valid = valid_rows(rows)
            self.valid += int(valid.sum())
            self.searchable += int(searchable_rows(rows).sum())
            self.digest = add_digest(self.digest, digest_bytes(sum_digests(rows["digest"][valid])))
        self.rows = RowMap(np.concatenate(ids), np.concatenate(numbers))

    def note_erased(self, image_id: bytes) -> None:
        """The image was erased. Writer thread only."""
        self.erased.add(image_id[:8])
        self.unscrubbed = True

    def scrub(self) -> None:
        """Overwrites what erased images have left behind: dead rows, vectors, texts that no row refers to, names.

        Writer idle, and nobody writes contents that were taken before: vectors are overwritten in place.
        """
        if not self.unscrubbed:
            return
        bare: list[int] = []
        for number in self.forward.of_products(self.erased):
            row = self.forward.read(number)
            if row.flags & SUPERSEDED:
                self.forward.write(number, NEW_ROW._replace(image_id=row.image_id, flags=SUPERSEDED))
                bare.append(number)
            elif row.vector_hash == NO_VECTOR:
                bare.append(number)
        self.lists.erase(bare)
        if self.attributes is not None:
            self.attributes.scrub(bare)
        self.forward.scrub_texts()
        for column, names in (("category", self.categories), ("brand", self.brands)):
            used = [np.unique(part[column]) for _, part in self.forward.parts()]
            names.forget(np.unique(np.concatenate(used)).tolist() if used else ())
        self.unscrubbed = False

    def account(self, old: Row, row: Row) -> None:
        """Moves counts and digest on from an image's old row to its new one. Writer thread only."""
        if old.flags & VALID:
            self.digest = subtract_digest(self.digest, old.digest)
        if row.flags & VALID:
            self.digest = add_digest(self.digest, row.digest)
        self.valid += (row.flags & VALID) - (old.flags & VALID)
        self.searchable += row.searchable - old.searchable

    def digest_of(self, row: Row, attributes: bytes | None = None) -> bytes:
        """Digest of the image as this row has it; `attributes`: its own, if they are at hand. Writer thread only."""
        identity = self.forward.identity_of(row)
        if attributes is None:
            attributes = self.forward.texts.read(row.attributes_offset, row.attributes_size)
        assert identity is not None and attributes is not None, "the writer never reads a text that it dropped"
        product_id, url, _ = identity
        return image_digest(
            row.image_id,
            product_id,
            url,
            self.categories.name(row.category),
            self.brands.name(row.brand),
            attributes,
            state_seq=row.state_seq,
            image_seq=row.image_seq,
            price=row.price,
            sales=row.sales,
            praise=row.praise,
            vector_seq=row.vector_seq,
            vector=row.vector_hash,
        )

    def recompute_digest(self) -> bytes:
        """The digest from every row and vector anew, to check the one that is kept. Writer idle.

        It is of features: where a look changes them, what is left of a feature is its hash in the row.
        """
        total = 0
        for number in self.rows.numbers():
            row = self.forward.read(number)
            if row.flags & VALID:
                vector = self.lists.vector(number) if row.vector_hash != NO_VECTOR else None
                hashed = NO_VECTOR if vector is None else row.vector_hash
                if vector is not None and not self.look.changes:
                    hashed = vector_hash(vector.tobytes())
                total = add_digest(total, self.digest_of(row._replace(vector_hash=hashed)))
        return digest_bytes(total)

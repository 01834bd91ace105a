"""Rows of the forward index from whole images, without a shard: what the delta writer would have made of them."""

from __future__ import annotations

from itertools import compress

import numpy as np
from numpy.typing import NDArray

from indexing.build.spool import Spool, TextSpool
from indexing.look.looks import Look
from indexing.rows.digest import vector_hash
from indexing.rows.forward import ROW_DTYPE
from indexing.rows.usable import COLOURS_SHIFT, SAID_SHIFT, VALID
from indexing.shard.state import NameCodes
from schemas.deltas.delta import DeltaBatch
from schemas.errors import RejectedError
from schemas.features.colours.told import colour_codes
from schemas.features.said import said_behind
from schemas.features.stored import is_of_length

_NAN = float("nan")
_UNKNOWN = -1


class RowBuilder:
    """Appends images to the spools; a row's number is its place in the order of arrival. One thread.

    Vectors are kept without their rows' numbers in between: `vector_rows` has
    the row of each. Digests come later, from what was written; but where a look
    changes what it is given, the hash of the feature is in the row from here on.
    """

    def __init__(self, look: Look, rows: Spool, texts: Spool, vectors: Spool) -> None:
        self._look = look
        self._rows = rows
        self._texts = TextSpool(texts)
        self._vectors = vectors
        self._vector_rows: list[NDArray[np.int64]] = []
        self.categories = NameCodes()
        self.brands = NameCodes()
        self.refusals: dict[bytes, int] = {}
        self.count = 0
        self.ignored_vectors = 0

    def add(self, batch: DeltaBatch) -> None:
        """Appends a batch. Raises `RejectedError` for a row that is not a whole image; then none of it was added."""
        for image_id, state_seq in zip(batch.image_id, batch.state_seq, strict=True):
            if not isinstance(image_id, bytes) or len(image_id) != 16:
                raise RejectedError("invalid_image_id", f"{image_id!r}: an image id has 16 bytes; see schemas.ids")
            if not state_seq or state_seq < 0:
                raise RejectedError(
                    "image_without_state", f"image {image_id.hex()}: a build takes whole images, state and vector"
                )
        if len(batch):
            usable, hashes, colours = self._usable_vectors(batch)
            records = self._records(batch, usable)
            records["flags"][usable] |= np.array(colours, np.uint32) << COLOURS_SHIFT
            if self._look.changes:
                records["vector_hash"][usable] = np.frombuffer(b"".join(hashes), "V16")
            self._rows.append(records.tobytes())
            self._vector_rows.append(np.nonzero(usable)[0] + self.count)
            self.refusals |= {i: seq for i, seq in zip(batch.image_id, batch.refused_seq, strict=True) if seq}
            self.count += len(batch)

    def _usable_vectors(self, batch: DeltaBatch) -> tuple[NDArray[np.bool_], list[bytes], list[int]]:
        """Which rows have a feature that a shard would take, (n,); their hashes where the look changes them; colours.

        Appends their vectors.
        """
        usable = np.zeros(len(batch), dtype=np.bool_)
        look = self._look
        features: list[bytes] = []
        for i, (vector, vector_seq) in enumerate(zip(batch.vector, batch.vector_seq, strict=True)):
            if not vector or not vector_seq or vector_seq < 0:
                continue
            if batch.extractor_id != look.features_id or not is_of_length(vector, look.length, look.features_id):
                self.ignored_vectors += 1
                continue
            usable[i] = True
            features.append(vector)
        matrix = look.vectors(features) if features else np.empty((0, look.dimension), np.float32)
        finite = np.isfinite(matrix).all(axis=1)
        if not finite.all():
            self.ignored_vectors += int(np.count_nonzero(~finite))
            usable[usable] = finite
            matrix, features = matrix[finite], [*compress(features, finite)]
        self._vectors.append(np.ascontiguousarray(matrix).reshape(-1).view(np.uint8).data)
        hashes = [vector_hash(feature) for feature in features] if look.changes else []
        return usable, hashes, colour_codes(features, look.features_id)

    def _records(self, batch: DeltaBatch, usable: NDArray[np.bool_]) -> NDArray[np.void]:
        records = np.zeros(len(batch), dtype=ROW_DTYPE)
        valid = np.array([bool(value) for value in batch.valid])
        prices = [_NAN if value is None else value for value in batch.price]
        sales = [_UNKNOWN if value is None else value for value in batch.sales]
        praises = [_NAN if value is None else value for value in batch.praise]
        image_seqs = [value or 0 for value in batch.image_seq]
        # As the delta writer does it: of an erased image older vectors have no business here, nor has any text.
        vector_seqs = [
            seq if use else erased or 0
            for seq, use, erased in zip(batch.vector_seq, usable.tolist(), batch.erased_seq, strict=True)
        ]
        product_ids = [
            "" if erased and erased == state else each
            for each, erased, state in zip(batch.product_id, batch.erased_seq, batch.state_seq, strict=True)
        ]
        texts: list[tuple[int, int, int, int, int, int, int]] = []
        placed: dict[bytes, int] = {}
        length, said_sizes = self._look.length, []
        for product_id, image_url, category, brand, displayed, feature, use in zip(
            product_ids, batch.url, batch.category, batch.brand, batch.attributes, batch.vector, usable, strict=True
        ):
            said = said_behind(feature or b"", length) if use else b""
            said_sizes.append(len(said))
            product, url, attributes = (product_id or "").encode(), (image_url or "").encode(), displayed or b""
            place = placed.get(attributes)
            if place is None:
                place = placed[attributes] = self._texts.append(attributes)
            texts.append(
                (
                    self._texts.append(product + url + said),
                    place,
                    len(product),
                    len(url),
                    len(attributes),
                    self.categories.code(category or ""),
                    self.brands.code(brand or ""),
                )
            )
        records["image_id"] = np.frombuffer(b"".join(batch.image_id), dtype="V16")
        records["state_seq"], records["image_seq"], records["vector_seq"] = batch.state_seq, image_seqs, vector_seqs
        records["price"], records["sales"], records["praise"] = prices, sales, praises
        columns = np.array(texts, dtype=np.int64).T
        for name, column in zip(_TEXT_COLUMNS, columns, strict=True):
            records[name] = column
        records["flags"] = np.where(valid, VALID, 0) | np.array(said_sizes) << SAID_SHIFT
        return records

    def rows(self) -> NDArray[np.void]:
        """All records, mapped and writable; without digests, which `indexing.build.digest` fills in."""
        return self._rows.mapped(writable=True).view(ROW_DTYPE)

    def texts(self) -> list[memoryview]:
        """The text chunks that the records point into, mapped. Nothing can be added any more."""
        return self._texts.chunks()

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(vectors (n, dimension), mapped; their row numbers (n,)). Nothing can be added any more."""
        matrix = self._vectors.mapped().view(np.float32).reshape(-1, self._look.dimension)
        rows = np.concatenate(self._vector_rows) if self._vector_rows else np.empty(0, dtype=np.int64)
        return matrix, rows


_TEXT_COLUMNS = (
    "identity_offset",
    "attributes_offset",
    "product_size",
    "url_size",
    "attributes_size",
    "category",
    "brand",
)

"""The reading side of a shard: scan, then look every row up in the forward index. No locks, any thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.rows.digest import NO_VECTOR
from indexing.rows.forward import Row, Texts
from indexing.rows.results import ANSWER_ATTRIBUTES_BYTES, HIT_ATTRIBUTES_BYTES, ImageState, ProductState
from indexing.rows.usable import SUPERSEDED, VALID
from indexing.shard.passing import PassingRows
from indexing.shard.state import ShardState
from schemas.deltas.delta import DeltaBatch
from schemas.found import Hit
from schemas.ids import product_hash

_RESCANS = 4

_Scanned: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
_Scan: TypeAlias = Callable[[NDArray[np.float32], int], _Scanned]
"""(queries, k) -> scores and rows as `InvertedLists.scan`; asked again, it looks at what is there by then."""
_LookUp: TypeAlias = Callable[[int, float, int], Hit | None]
"""(row, score, longest attributes) -> the row as it may be shown now, if it may: `ForwardIndex.hit`."""


class ShardReader:
    """Searches and looks up in a shard's state while its writer goes on."""

    def __init__(self, state: ShardState) -> None:
        self._state = state

    def search(
        self, vectors: NDArray[np.float32], limit: int, nprobe: int = 0, with_vectors: bool = False
    ) -> list[list[Hit]]:
        """See `Shard.search`; `with_vectors`: hits come with theirs."""
        nprobe = nprobe or self._state.probes

        def scan(queries: NDArray[np.float32], k: int) -> _Scanned:
            return self._state.lists.scan(queries, k, self._state.validity.selector, nprobe)

        return self._search(vectors, limit, scan, self._state.forward.hit, with_vectors)

    def search_passing(
        self, vectors: NDArray[np.float32], limit: int, passing: PassingRows, with_vectors: bool = False
    ) -> list[list[Hit]]:
        """The same among rows that pass a filter."""
        return self._search(vectors, limit, passing.scan, passing.hit, with_vectors)

    def _search(
        self, vectors: NDArray[np.float32], limit: int, scan: _Scan, look_up: _LookUp, with_vectors: bool
    ) -> list[list[Hit]]:
        queries = self._checked(vectors)
        if limit < 1 or not len(queries):
            return [[] for _ in queries]
        k = max(1, min(limit + 1, len(self._state.forward)))
        scores, rows = scan(queries, k)
        results = []
        for i in range(len(queries)):
            query = queries[i : i + 1]
            results.append(self._hits(query, limit, scan, look_up, with_vectors, scores[i].tolist(), rows[i].tolist()))
        return results

    def _checked(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self._state.dimension:
            raise ValueError(
                f"query of shape {queries.shape}; "
                f"this index ({self._state.extractor_id}) takes (n, {self._state.dimension})"
            )
        if not np.isfinite(queries).all():
            raise ValueError("query vector holds NaN or infinite numbers; embed the photo again")
        return queries

    def _hits(
        self,
        query: NDArray[np.float32],
        limit: int,
        scan: _Scan,
        look_up: _LookUp,
        with_vectors: bool,
        scores: list[float],
        rows: list[int],
    ) -> list[Hit]:
        """Checks what a scan found against the forward index, and scans again where that is not enough.

        Twice it is not: a row was removed or replaced since the scan saw it and
        another should take its place; or as many rows as were asked for end in
        equal scores, so that which of them came first is chance.
        """
        forward = self._state.forward
        for attempt in range(_RESCANS + 1):
            hits: list[Hit] = []
            dropped = tied = False
            room = ANSWER_ATTRIBUTES_BYTES
            for score, number in zip(scores, rows, strict=True):
                if number < 0:
                    break
                if len(hits) >= limit and score != hits[-1].score:
                    break
                hit = look_up(number, score, min(room, HIT_ATTRIBUTES_BYTES))
                if hit is None:
                    dropped = True
                else:
                    if with_vectors:
                        hit = self.with_vector(hit, number)
                    hits.append(hit)
                    room -= len(hit.attributes)
            else:
                tied = len(hits) > limit and len(rows) < len(forward)
            if attempt == _RESCANS or not (tied or (dropped and len(hits) < limit)):
                break
            found_scores, found_rows = scan(query, min(2 * len(rows) + 16, len(forward)))
            scores, rows = found_scores[0].tolist(), found_rows[0].tolist()
        if len(set(scores)) < len(scores):
            hits.sort(key=lambda hit: (-hit.score, hit.image_id))
        return hits[:limit]

    def with_vector(self, hit: Hit, number: int) -> Hit:
        """The hit of a row with its vector; zeros where it has none of its present picture.

        Zeros, since all vectors of an answer are of one length.
        """
        vector = self._state.lists.vector(number) if self._state.forward.read(number).searchable else None
        found = bytes(4 * self._state.dimension) if vector is None else vector.tobytes()
        return msgspec.structs.replace(hit, vector=found)

    def _current(self, number: int) -> tuple[Row, Texts, int]:
        """The image's present row, its texts and its number, whichever of its rows `number` was."""
        while True:
            row = self._state.forward.read(number)
            if row.flags & SUPERSEDED:
                number = self._present(row.image_id)
            elif (texts := self._state.forward.texts_of(row)) is not None:
                return row, texts, number

    def _present(self, image_id: bytes) -> int:
        number = self._state.rows.get(image_id)
        assert number is not None, "a known image stays known"
        return number

    def with_shown(self, hit: Hit) -> Hit:
        """See `Shard.with_shown`."""
        row, texts, _ = self._current(self._present(hit.image_id))
        said = texts.said if row.usable_vector else b""
        return msgspec.structs.replace(hit, colours=row.colours, said=said)

    def product(self, product_id: str) -> list[ImageState]:
        """See `Shard.product`."""
        wanted = product_id.encode()
        images = []
        shared: dict[bytes, bytes] = {}
        for number in self._state.rows.of_product(product_hash(product_id)):
            row, texts, current = self._current(number)
            vector = self._vector_of(row, current)
            while (
                row.vector_hash != NO_VECTOR and vector is None and self._state.forward.read(current).flags & SUPERSEDED
            ):
                # Replaced since it was read, and a training has left its vector behind.
                row, texts, current = self._current(number)
                vector = self._vector_of(row, current)
            if texts.product_id == wanted:
                images.append(
                    ImageState(
                        row.image_id,
                        texts.url.decode(),
                        bool(row.flags & VALID),
                        row.searchable,
                        row.state_seq,
                        row.vector_seq,
                        row.price,
                        row.sales,
                        row.praise,
                        shared.setdefault(texts.attributes, texts.attributes),
                        b"" if vector is None else vector.tobytes(),
                    )
                )
        return sorted(images, key=lambda image: image.image_id)

    def takes_down(self, batch: DeltaBatch) -> int:
        """See `Shard.takes_down`."""
        count = 0
        for image, state_seq, valid in zip(batch.image_id, batch.state_seq, batch.valid, strict=True):
            if state_seq and not valid and (number := self._state.rows.get(image)) is not None:
                row = self._current(number)[0]
                count += bool(row.flags & VALID) and row.state_seq < state_seq
        return count

    def _vector_of(self, row: Row, number: int) -> NDArray[np.float32] | None:
        """None also where it was erased and its place in the lists is still there."""
        return self._state.lists.vector(number) if row.vector_hash != NO_VECTOR else None

    def shown(self, product_id: str) -> ProductState | None:
        """See `Shard.shown`."""
        wanted = product_id.encode()
        best: Row | None = None
        for number in self._state.rows.of_product(product_hash(product_id)):
            row, texts, _ = self._current(number)
            if row.flags & VALID and texts.product_id == wanted and (best is None or row.state_seq > best.state_seq):
                best, attributes = row, texts.attributes
        return None if best is None else ProductState(best.price, best.sales, best.praise, attributes)

"""The writing side of a shard: deltas into registers, rows, bits and lists."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from indexing.rows.digest import NO_VECTOR, vector_hash
from indexing.rows.forward import Row
from indexing.rows.row_texts import RowTexts
from indexing.rows.usable import COLOURS, COLOURS_SHIFT, SAID, SUPERSEDED, VALID
from indexing.shard.state import NEW_ROW, ShardState
from schemas.deltas.delta import DeltaBatch
from schemas.features.colours.told import colour_codes
from schemas.features.said import said_behind
from schemas.features.stored import is_of_length

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class _NewVector:
    """What is searched of a delta's feature, checked, with its list; and what the feature itself tells."""

    hash: bytes
    array: NDArray[np.float32]
    list_number: int
    code: NDArray[np.float32] | None
    colours: int
    said: bytes


class DeltaWriter:
    """Applies deltas to a shard's state. One thread at a time."""

    def __init__(self, state: ShardState) -> None:
        self._state = state
        self._places = RowTexts(state.forward, state.rows)

    def apply(self, batch: DeltaBatch) -> None:
        """See `Shard.apply`."""
        vectors = self._usable_vectors(batch)
        self._places = RowTexts(self._state.forward, self._state.rows)
        for i, image_id in enumerate(batch.image_id):
            if not isinstance(image_id, bytes) or len(image_id) != 16:
                self._state.ignored_rows += 1
                continue
            self._apply_row(batch, i, image_id, vectors.get(i))
        self._state.applied_rows += len(batch)
        self._state.forward.reclaim_texts()
        if self._state.attributes is not None:
            self._state.attributes.tidy()
        self._state.progress.advance(batch.progress)

    def _usable_vectors(self, batch: DeltaBatch) -> dict[int, _NewVector]:
        """The batch's vectors that may be news, made of its features and assigned to lists in one go."""
        look = self._state.look
        positions: list[int] = []
        contents: list[bytes] = []
        for i, (vector, vector_seq) in enumerate(zip(batch.vector, batch.vector_seq, strict=True)):
            if not vector or not vector_seq or vector_seq < 0:
                continue
            if batch.extractor_id != look.features_id or not is_of_length(vector, look.length, look.features_id):
                self._state.ignored_vectors += 1
                continue
            row = self._state.rows.get(batch.image_id[i])
            if row is None or self._state.forward.read(row).vector_seq < vector_seq:
                positions.append(i)
                contents.append(vector)
        if not positions:
            return {}
        matrix = look.vectors(contents)
        finite = np.isfinite(matrix).all(axis=1)
        if not finite.all():
            self._state.ignored_vectors += int((~finite).sum())
            positions, contents = [*compress(positions, finite)], [*compress(contents, finite)]
            matrix = matrix[finite]
        numbers, codes = self._state.lists.placed(matrix)
        colours = colour_codes(contents, look.features_id)
        return {
            i: _NewVector(
                vector_hash(contents[j]),
                matrix[j],
                numbers[j],
                None if codes is None else codes[j],
                colours[j],
                said_behind(contents[j], look.length),
            )
            for j, i in enumerate(positions)
        }

    def _apply_row(self, batch: DeltaBatch, i: int, image_id: bytes, vector: _NewVector | None) -> None:
        number = self._state.rows.get(image_id)
        old = NEW_ROW if number is None else self._state.forward.read(number)
        new_state = (batch.state_seq[i] or 0) > old.state_seq
        new_vector = vector is not None and batch.vector_seq[i] > old.vector_seq
        erased_seq = batch.erased_seq[i] or 0
        forgets_vector = erased_seq > old.vector_seq
        refusals = self._state.refusals
        refused = refusals.concern(old)
        if batch.refused_seq[i] and batch.extractor_id == self._state.look.features_id:
            refusals.note(image_id, batch.refused_seq[i])
        if not new_state and not new_vector and not forgets_vector:
            refusals.count += refusals.concern(old) - refused
            return
        row = self._with_state(image_id, old, batch, i) if new_state else old
        if erased_seq:
            row = self._erased(row, image_id, new_state)
        elif number is None or not row.product_size:
            row = self._places.identified(row, image_id, batch.product_id[i] or "", batch.url[i] or "")
        elif new_state and not old.url_size and batch.url[i]:
            # Known from its vector or a tombstone alone until now: the URL comes with the first valid state.
            row = self._places.identified(row, image_id, batch.product_id[i] or "", batch.url[i] or "")
        if new_vector:
            assert vector is not None
            row = row._replace(
                vector_seq=batch.vector_seq[i],
                vector_hash=vector.hash,
                flags=row.flags & ~COLOURS | vector.colours << COLOURS_SHIFT,
            )
        elif forgets_vector:
            # A register with nothing in it: older vectors lose against it as against any newer one.
            row = row._replace(vector_seq=erased_seq, vector_hash=NO_VECTOR, flags=row.flags & ~COLOURS)
        if new_vector or forgets_vector:
            row = self._places.with_said(row, vector.said if vector is not None and new_vector else b"")
        attributes = (batch.attributes[i] or b"") if new_state else None
        row = row._replace(digest=self._state.digest_of(row, attributes) if row.flags & VALID else NO_VECTOR)
        moved = number is None or row.attributes_offset != old.attributes_offset
        changed = attributes if moved or row.attributes_size != old.attributes_size else None
        cells = changed
        repictured = new_vector or forgets_vector or row.image_seq != old.image_seq
        if changed is None and repictured and (row.colours != old.colours or row.said_size or old.said_size):
            # The attributes stayed, but what the picture tells where they say nothing is another.
            cells = self._state.forward.texts.read(row.attributes_offset, row.attributes_size)
        if vector is not None and new_vector and vector.hash != old.vector_hash:
            number = self._write_vector(number, old, row, vector, cells)
        else:
            number = self._write_state(number, row, cells)
        if new_state and self._state.attributes is not None:
            self._state.attributes.note_words(number, row, changed)
        if (old.flags | row.flags) & SAID and self._state.attributes is not None:
            self._state.attributes.note_picture(number, row)
        self._state.account(old, row)
        refusals.count += refusals.concern(row) - refused
        if row.usable_vector:
            refusals.forget(image_id)

    def _with_state(self, image_id: bytes, old: Row, batch: DeltaBatch, i: int) -> Row:
        attributes = batch.attributes[i] or b""
        offset, size = old.attributes_offset, old.attributes_size
        if size != len(attributes) or self._state.forward.texts.read(offset, size) != attributes:
            self._state.forward.texts.release(offset, size)
            offset, size = self._places.attributes(image_id, attributes), len(attributes)
        price, sales, praise = batch.price[i], batch.sales[i], batch.praise[i]
        return old._replace(
            state_seq=batch.state_seq[i],
            image_seq=batch.image_seq[i] or 0,
            price=_NAN if price is None else price,
            sales=-1 if sales is None else sales,
            praise=_NAN if praise is None else praise,
            attributes_offset=offset,
            attributes_size=size,
            category=self._state.categories.code(batch.category[i] or ""),
            brand=self._state.brands.code(batch.brand[i] or ""),
            flags=old.flags & (COLOURS | SAID) | (VALID if batch.valid[i] else 0),
        )

    def _erased(self, row: Row, image_id: bytes, new_state: bool) -> Row:
        """The row without texts where its state is erased; what is behind them goes with `ShardState.scrub`."""
        self._state.note_erased(image_id)
        if not new_state:
            return row._replace(image_id=image_id)
        self._state.forward.texts.release(row.identity_offset, row.identity_size)
        row = row._replace(identity_offset=0, product_size=0, url_size=0, flags=row.flags & ~SAID)
        return row._replace(image_id=image_id, attributes_offset=0, category=-1, brand=-1)

    def _write_state(self, number: int | None, row: Row, changed: bytes | None) -> int:
        """Returns the row's number; `changed`: its attributes where its cells are others than before."""
        if number is None:
            number = self._state.forward.append(row)
            self._state.validity.reserve(number + 1)
            if self._state.attributes is not None:
                self._state.attributes.place(number, row.image_id)
            self._state.rows.add(row.image_id, number)
        self._write_row(number, row, changed)
        if row.searchable:
            self._state.validity.set(number)
        else:
            self._state.validity.clear(number)
        return number

    def _write_row(self, number: int, row: Row, changed: bytes | None) -> None:
        """The forward row, and its cells: of what filters see whole or not at all."""
        described = self._state.attributes
        if described is None:
            self._state.forward.write(number, row)
            return
        columns = described.columns
        if not row.searchable:
            columns.set_searchable(number, False)
        if not row.flags & VALID:
            columns.set_valid(number, False)
        columns.begin(number)
        try:
            described.write(number, row, changed)
            self._state.forward.write(number, row)
        finally:
            columns.end()
        if row.flags & VALID:
            columns.set_valid(number, True)
        if row.searchable:
            columns.set_searchable(number, True)

    def _write_vector(self, number: int | None, old: Row, row: Row, vector: _NewVector, changed: bytes | None) -> int:
        """A row's vector never changes: another vector is another row, and the old row is dead."""
        described = self._state.attributes
        in_place = number is not None and not old.vector_seq
        target = number if number is not None and in_place else self._state.forward.append(row)
        self._state.validity.reserve(target + 1)
        self._state.lists.append(vector.list_number, target, vector.array, vector.code)
        if number is None:
            if described is not None:
                described.place(target, row.image_id)
            self._state.rows.add(row.image_id, target)
        elif not in_place:
            if described is not None:
                described.columns.copy(number, target)
                # Until `_write_row` ends it: who follows the image to this row waits for its cells.
                described.columns.begin(target)
            self._state.rows.move(row.image_id, target)
            # Dead before its successor can be found: no scan ever yields both.
            self._state.forward.write(number, old._replace(flags=SUPERSEDED))
        self._write_row(target, row, changed)
        if row.searchable:
            self._state.validity.set(target)
        if number is not None and not in_place:
            self._state.validity.clear(number)
            if described is not None:
                described.columns.clear(number)
        return target

"""Images that extraction gave up: valid ones among them are refused, not pending, until a vector comes after all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from indexing.rows.forward import Row
from indexing.rows.usable import VALID


class Refusals:
    """By image the greatest `image_seq` that was given up. One thread writes; any thread reads `count`.

    A register like the others: refusal, state and vector may come in any order.
    Few images are refused, so that these are a dictionary and no field of the rows.
    """

    def __init__(self, given_up: Mapping[bytes, int] | None = None) -> None:
        self._given_up = dict(given_up or {})
        self.count = 0
        """Valid images that wait for a vector in vain."""

    def note(self, image_id: bytes, image_seq: int) -> None:
        """No vector will come for that version of the image."""
        self._given_up[image_id] = max(image_seq, self._given_up.get(image_id, 0))

    def concern(self, row: Row) -> bool:
        """Whether the image as this row has it waits in vain."""
        if not self._given_up or not row.flags & VALID or row.usable_vector:
            return False
        return self._given_up.get(row.image_id, -1) >= row.image_seq

    def forget(self, image_id: bytes) -> None:
        """Its vector came."""
        self._given_up.pop(image_id, None)

    def recount(self, rows: Iterable[Row]) -> None:
        """Counts anew; `rows`: the present one of every image that `images` names and the shard knows."""
        self.count = sum(self.concern(row) for row in rows)

    def images(self) -> list[bytes]:
        return list(self._given_up)

    def table(self) -> dict[bytes, int]:
        """A copy, to be written."""
        return dict(self._given_up)

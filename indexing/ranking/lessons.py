"""What is learned from: answers as they were shown, product by product, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Lessons:
    """Answers one after the other, each a run of rows in the order of their positions.

    `rows` (n, features): see `features.matrix`; `positions` (n,): from 1; `values`
    (n,): what the shopper did was worth, 0: nothing. `starts` (answers + 1,):
    where each answer begins, and the end; `days` (answers,): of each, as numbers.
    `declared`: by name (n,), what orders that were declared score each row with.
    """

    rows: NDArray[np.float32]
    positions: NDArray[np.int64]
    values: NDArray[np.float32]
    starts: NDArray[np.intp]
    days: NDArray[np.int64]
    declared: Mapping[str, NDArray[np.float64]]

    @property
    def answers(self) -> NDArray[np.intp]:
        """(n,): of each row, the number of its answer."""
        return np.repeat(np.arange(len(self.days)), np.diff(self.starts))

    @property
    def clicked(self) -> NDArray[np.bool_]:
        """(answers,): whether anything of it was clicked."""
        if not len(self.days):
            return np.zeros(0, np.bool_)
        taken: NDArray[np.bool_] = np.maximum.reduceat(self.values, self.starts[:-1]) > 0
        return taken

    def of(self, chosen: NDArray[np.bool_]) -> Lessons:
        """Those answers alone."""
        kept = np.repeat(chosen, np.diff(self.starts))
        sizes = np.diff(self.starts)[chosen]
        return Lessons(
            self.rows[kept],
            self.positions[kept],
            self.values[kept],
            starts_of(sizes),
            self.days[chosen],
            {name: scores[kept] for name, scores in self.declared.items()},
        )


def starts_of(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each of so many rows begins, one answer after the other, and the end."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)

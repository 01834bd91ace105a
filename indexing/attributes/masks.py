"""Filters over columns: of many rows at once, those that a tree of conditions takes; and one row's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas.query.filters import AllOf, And, AnyOf, Below, Between, Condition, Filter, Known, Not, Or

Rows: TypeAlias = slice | NDArray[np.int64]
"""Rows to look at: all up to one (a slice from 0 on), or these numbers, (n,)."""


class Conditional(Protocol):
    """A column, as far as filters go."""

    def fulfilling(self, condition: Condition, rows: Rows) -> NDArray[np.bool_]:
        """Which of these rows fulfil the condition, (n,), the caller's own."""

    def value(self, row: int) -> tuple[str, ...] | float:
        """What the row has, as `schemas.query.fields.values_of` gives it."""


class RowValues(Mapping[str, tuple[str, ...] | float]):
    """Values of one row for `filters.holds`, each read when it is asked for."""

    def __init__(self, columns: Mapping[str, Conditional], row: int) -> None:
        self._columns = columns
        self._row = row

    def __getitem__(self, name: str) -> tuple[str, ...] | float:
        return self._columns[name].value(self._row)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def fulfilling(columns: Mapping[str, Conditional], tree: Filter, rows: Rows) -> NDArray[np.bool_]:
    """Which of these rows the filter takes, (n,), the caller's own: `filters.holds` for each."""
    match tree:
        case And(parts):
            return _all(columns, parts, rows)
        case Or(parts):
            found = np.zeros(_number(rows), np.bool_)
            for part in parts:
                found |= fulfilling(columns, part, rows)
            return found
        case Not(part):
            found = fulfilling(columns, part, rows)
            return np.logical_not(found, out=found)
        case AnyOf() | Below() | AllOf() | Between() | Known():
            return columns[tree.field].fulfilling(tree, rows)


def _number(rows: Rows) -> int:
    number: int = rows.stop if isinstance(rows, slice) else len(rows)
    return number


def _all(columns: Mapping[str, Conditional], parts: tuple[Filter, ...], rows: Rows) -> NDArray[np.bool_]:
    if not parts:
        return np.ones(_number(rows), np.bool_)
    found = fulfilling(columns, parts[0], rows)
    for part in parts[1:]:
        if not found.any():
            break
        found &= fulfilling(columns, part, rows)
    return found

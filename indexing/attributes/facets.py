"""Facets: of the products that a query matches, how many have each keyword, and how their numbers are spread.

Products are counted, not their images: the first matching row of each stands
for it. Of colours and objects, which are each picture's own where the shop gives none, a
product counts once for every value that one of its matching rows has. Every
count is exact for what the columns hold while it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexing.attributes.columns import Columns
from indexing.attributes.figures import FigureColumn
from indexing.attributes.keyword_lists import ListColumn
from indexing.attributes.keywords import KeywordColumn, among
from indexing.attributes.names import NONE, Names, ancestors
from schemas.query.facets import FacetCounts, FacetWanted
from schemas.query.fields import COLOUR, COLOURS, OBJECTS, FieldKind
from schemas.query.filters import Filter
from schemas.query.scopes import scope_of

_MARKED = 1 << 24
"""Up to so many numbers are told apart by a mark for each, a third of the time that sorting takes."""


def distinct_products(columns: Columns, rows: NDArray[np.int64]) -> int:
    """How many products these rows are of. Any thread."""
    products = _products(columns, rows)
    seen = np.zeros(_room(products), np.bool_)
    seen[products] = True
    return int(np.count_nonzero(seen[:-1]))


def one_row_each(columns: Columns, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of rows, (n,), ascending, the first of each product, by product number. Any thread."""
    products = _products(columns, rows)
    first = np.full(_room(products), -1, np.int64)
    # Of cells that are written more than once the last one stays: backwards, that is the first row.
    first[products[::-1]] = rows[::-1]
    return first[:-1][first[:-1] >= 0]


def _products(columns: Columns, rows: NDArray[np.int64]) -> NDArray[np.intp]:
    # As numpy wants an index: by one of 32 bits it scatters in twice the time.
    return columns.product.take(rows).astype(np.intp)


def _room(products: NDArray[np.intp]) -> int:
    """A cell for each product and, as the last one, one for rows (-1) whose product is not known yet."""
    return int(products.max(initial=-1)) + 2


def count_within(
    columns: Columns,
    tree: Filter | None,
    wanted: Sequence[FacetWanted],
    matching: Callable[[Filter | None], NDArray[np.int64]],
) -> list[FacetCounts]:
    """What is wanted, in that order, each over what matches within its scope of the filter `tree`. Any thread.

    matching: the rows, (n,), ascending, that match within a filter; asked once for each filter that there is.
    """
    scopes: dict[Filter | None, list[int]] = {}
    for place, facet in enumerate(wanted):
        scopes.setdefault(scope_of(facet, tree), []).append(place)
    counts: dict[int, FacetCounts] = {}
    for scope, places in scopes.items():
        found = count(columns, matching(scope), [wanted[place] for place in places])
        counts.update(zip(places, found, strict=True))
    return [counts[place] for place in range(len(wanted))]


def count(columns: Columns, rows: NDArray[np.int64], wanted: Sequence[FacetWanted]) -> list[FacetCounts]:
    """Of the products of these rows, (n,), ascending, what is wanted, in that order. Any thread.

    Raises `KeyError` for a field that is not among the columns' fields.
    """
    chosen = [(facet, columns.columns[facet.field]) for facet in wanted]
    if not chosen:
        return []
    products = one_row_each(columns, rows)
    counts = []
    for facet, column in chosen:
        match column:
            case FigureColumn():
                counts.append(_figures(facet, column.cells.array.take(products)))
            case KeywordColumn() if facet.field == COLOUR:
                cells = column.cells.array.take(rows)
                counts.append(_of_any_row(columns, rows, facet, column, cells))
            case ListColumn() if facet.field in (COLOURS, OBJECTS):
                counts.append(_of_any_row(columns, rows, facet, column, column.sets(rows)))
            case KeywordColumn():
                counts.append(_keywords(facet.field, column, column.cells.array.take(products)))
            case ListColumn():
                per_code, having = column.counts(products)
                counts.append(_named(facet.field, column.names, per_code, having))
    return counts


def _figures(facet: FacetWanted, figures: NDArray[np.float64]) -> FacetCounts:
    known = figures[~np.isnan(figures)]
    if not len(known):
        return FacetCounts(facet.field, bucket_counts=[0] * (len(facet.ranges) + 1) if facet.ranges else [])
    buckets: list[int] = []
    if facet.ranges:
        places = np.searchsorted(np.array(facet.ranges), known, side="right")
        buckets = np.bincount(places, minlength=len(facet.ranges) + 1).tolist()
    return FacetCounts(
        facet.field,
        bucket_counts=buckets,
        low=float(known.min()),
        high=float(known.max()),
        products=len(known),
    )


def _keywords(field: str, column: KeywordColumn, codes: NDArray[np.int32]) -> FacetCounts:
    found = _named(field, column.names, np.bincount(codes), int(np.count_nonzero(codes != NONE)))
    if column.kind is FieldKind.PATH:
        # A product has one path, so it counts once for each of the path's ancestors; /shoes lies below nothing.
        totals: dict[str, int] = {}
        for path, products in zip(found.values, found.counts, strict=True):
            for ancestor in filter(None, ancestors(path)):
                totals[ancestor] = totals.get(ancestor, 0) + products
        found.values, found.counts = list(totals), list(totals.values())
    return found


def products_with(column: KeywordColumn, codes: NDArray[np.int32], value: str) -> int:
    """How many of these products, by the code of each, (n,), have the value; of a path, it or what lies below it."""
    wanted = column.names.below([value]) if column.kind is FieldKind.PATH else column.names.of([value])
    return int(np.count_nonzero(among(codes, wanted, column.names)))


def _of_any_row(
    columns: Columns,
    rows: NDArray[np.int64],
    facet: FacetWanted,
    column: KeywordColumn | ListColumn,
    cells: NDArray[np.int32],
) -> FacetCounts:
    """Of rows, (n,), ascending, with these cells: how many products have each value in any of them.

    Most products have one cell, whose values count as ever; of the others every pair of product and value counts.
    """
    products = _products(columns, rows)
    first = np.zeros(_room(products), cells.dtype)
    first[products[::-1]] = cells[::-1]
    several = np.zeros(len(first), np.bool_)
    several[products[cells != first.take(products)]] = True
    several[-1] = False  # of rows whose product is not known yet
    varied = several.take(products)
    plain = one_row_each(columns, rows[~varied])
    places, codes = column.entries(rows[varied])
    of = products[varied][places]
    if isinstance(column, KeywordColumn):
        plain_codes = column.cells.array.take(plain)
        per_code, having = np.bincount(plain_codes), int(np.count_nonzero(plain_codes != NONE))
    else:
        per_code, having = column.counts(plain)
    span = max(len(per_code), int(codes.max(initial=0)) + 1)
    total = np.zeros(span, np.int64)
    total[: len(per_code)] += per_code
    total += np.bincount(_distinct(of * span + codes, len(first) * span) % span, minlength=span)
    return _named(facet.field, column.names, total, having + len(_distinct(of, len(first))))


def _distinct(numbers: NDArray[np.intp], end: int) -> NDArray[np.intp]:
    """Those that there are of these numbers from 0 to below `end`, each once."""
    if end > _MARKED:
        return np.unique(numbers)
    seen = np.zeros(end, np.bool_)
    seen[numbers] = True
    return np.flatnonzero(seen)


def _named(field: str, names: Names, per_code: NDArray[np.int64], products: int) -> FacetCounts:
    present = np.flatnonzero(per_code)
    found = FacetCounts(field, products=products)
    for code, number in zip(present.tolist(), per_code[present].tolist(), strict=True):
        # Names that were erased since the codes were read are nobody's any more.
        if text := names.text(code):
            found.values.append(text)
            found.counts.append(number)
    return found

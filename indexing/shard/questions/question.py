"""What a shard is asked beyond the nearest vectors, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.found import Hit
from schemas.query.facets import FacetCounts, FacetWanted
from schemas.query.filters import Filter


@dataclass(frozen=True, slots=True)
class ShardQuestion:
    """Any of: images near vectors; products by words, or all of them in an order; counts. All within one filter.

    vectors: (n, dimension) float32, n may be 0. limit: images wanted for each.
    nprobe 0: the index's own. words: "" for none; any_word: one of them is
    enough. listing: without words, all that passes is listed. order_by: a
    numeric field, "-" before it for descending; "": by score. list_limit:
    products wanted in the list. facets: counted over what matches: with
    vectors all that can be found and passes, else all that is listed; one that
    excludes its own filter over what would match without it.
    """

    vectors: NDArray[np.float32]
    limit: int
    nprobe: int = 0
    tree: Filter | None = None
    words: str = ""
    any_word: bool = False
    listing: bool = False
    order_by: str = ""
    list_limit: int = 0
    facets: tuple[FacetWanted, ...] = ()
    with_vectors: bool = False


@dataclass(slots=True)
class ShardAnswer:
    """found: of each vector its images, best first. listed: one image a product, in order, scores of words.

    matches: products that match, however many are listed. corrected: words that
    no product has, and what was searched for instead. plan: how it was done.
    """

    found: list[list[Hit]]
    listed: list[Hit] = field(default_factory=list)
    facets: list[FacetCounts] = field(default_factory=list)
    matches: int = 0
    corrected: dict[str, str] = field(default_factory=dict)
    plan: str = ""

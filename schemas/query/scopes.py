"""What a facet is counted within: the whole filter, or the filter without what it says of the facet's own field.

The second are the disjunctive facets of other systems (Algolia; Solr excludes
a tagged filter, Elasticsearch has a post filter): of brands, of which one is
chosen already, they count what else could be chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.query.facets import FacetWanted
from schemas.query.filters import And, Filter, conditions


def scope_of(facet: FacetWanted, tree: Filter | None) -> Filter | None:
    """The filter that products are counted within; None: all of them."""
    return without_field(tree, facet.field) if facet.exclude_own else tree


def without_field(tree: Filter | None, name: str) -> Filter | None:
    """The filter without its conditions on one field; the tree itself where there are none, None where nothing is left.

    A filter is parts that all hold. Those that speak of this field and of no
    other go, `not` and `any` among them; one that speaks of others as well
    stays whole, since what it says of the field is not to be had apart.
    """
    if tree is None:
        return None
    parts = list(_parts(tree))
    kept = [part for part in parts if {condition.field for condition in conditions(part)} != {name}]
    if len(kept) == len(parts):
        return tree
    if not kept:
        return None
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def _parts(tree: Filter) -> Iterator[Filter]:
    if not isinstance(tree, And):
        yield tree
        return
    for part in tree.parts:
        yield from _parts(part)

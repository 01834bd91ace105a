"""Pictures of the catalogue to learn from: drawn evenly over its products."""

from __future__ import annotations

import msgspec
import numpy as np

from feature_store.open import catalogue_store
from feature_store.products import ProductReader
from indexing.look.worth import HELD_BACK
from jobs.full_index.build.cut import Cut
from schemas.events.record import ProductRecord
from schemas.ids import product_hash

MOST_OF_A_PRODUCT = 4
"""Further pictures of a product are views of it."""


class Drawn(msgspec.Struct, frozen=True):
    """A product: its id, URLs of its first pictures, and its category, "" for none."""

    product_id: str
    urls: list[str]
    category: str

    @property
    def held_back(self) -> bool:
        """Whether nothing is ever learned from it: one in `HELD_BACK`, the same at every build."""
        return int.from_bytes(product_hash(self.product_id)[-4:], "little") % HELD_BACK == 0


def draw_pictures(cut: Cut, count: int, seed: int) -> list[Drawn]:
    """Products on sale with `count` pictures together at most.

    One pass over the copy of the catalogue, which holds `count` products at a time (Vitter's algorithm R).
    """
    random = np.random.default_rng(seed)
    drawn: list[Drawn] = []
    seen = 0
    products = ProductReader(catalogue_store(cut.catalogue, cut.event_partitions))
    try:
        for partition in range(cut.event_partitions):
            for record in products.scan(partition):
                if (shown := _shown(record)).urls:
                    seen += 1
                    if len(drawn) < count:
                        drawn.append(shown)
                    elif (place := int(random.integers(seen))) < count:
                        drawn[place] = shown
    finally:
        products.close()
    chosen: list[Drawn] = []
    room = count
    for number in random.permutation(len(drawn)):
        if not room:
            break
        chosen.append(msgspec.structs.replace(drawn[number], urls=drawn[number].urls[:room]))
        room -= len(chosen[-1].urls)
    return chosen


def _shown(record: ProductRecord) -> Drawn:
    category = record.attributes.get("category")
    urls = [entry.url for entry in record.images if entry.attached] if record.listed else []
    return Drawn(record.product_id, urls[:MOST_OF_A_PRODUCT], category if isinstance(category, str) else "")

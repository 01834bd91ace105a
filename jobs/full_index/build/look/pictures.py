"""Pictures of the catalogue to learn from: drawn evenly over its products."""

from __future__ import annotations

import numpy as np

from feature_store.open import catalogue_store
from feature_store.products import ProductReader
from jobs.full_index.build.cut import Cut
from schemas.product_record import ProductRecord

MOST_OF_A_PRODUCT = 4
"""Further pictures of a product are views of it."""


def draw_pictures(cut: Cut, count: int, seed: int) -> list[list[str]]:
    """URLs of `count` pictures at most that are on sale, by product; of each product the first ones.

    One pass over the copy of the catalogue, which holds `count` products at a time (Vitter's algorithm R).
    """
    random = np.random.default_rng(seed)
    drawn: list[list[str]] = []
    seen = 0
    products = ProductReader(catalogue_store(cut.catalogue, cut.event_partitions))
    try:
        for partition in range(cut.event_partitions):
            for record in products.scan(partition):
                if urls := _shown(record):
                    seen += 1
                    if len(drawn) < count:
                        drawn.append(urls)
                    elif (place := int(random.integers(seen))) < count:
                        drawn[place] = urls
    finally:
        products.close()
    chosen: list[list[str]] = []
    for number in random.permutation(len(drawn)):
        urls = drawn[number][: count - sum(map(len, chosen))]
        if not urls:
            break
        chosen.append(urls)
    return chosen


def _shown(record: ProductRecord) -> list[str]:
    if not record.listed:
        return []
    return [entry.url for entry in record.images if entry.attached][:MOST_OF_A_PRODUCT]

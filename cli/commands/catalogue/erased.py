"""Says where an erased product is gone, and what still waits for what.

Reads the catalogue store, the searchers' snapshots on the disk of this machine,
and the full indexes (out of an object store it fetches them). Exit code 1: something is left that it can see.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from feature_store.open import live_catalogue
from feature_store.products import ProductReader
from generations.folder import Generations
from indexing.snapshot.remains import remains, snapshot_remains
from schemas.errors import OperatorError
from schemas.events.record import Erased, ProductRecord
from schemas.ids import EPOCH_SHIFT, kafka_partition
from schemas.layout import Layout
from schemas.settings import Settings, load_settings

NAME = "erased"

_WAITS = (
    ("product-events, extract-requests, index-deltas", "what was written before: gone after 8 days (their retention)"),
    ("dead-letters", "letters about it: gone after 30 days"),
    ("search-log, clicks", "its id where it was shown: gone after VITRINE_SEARCH_LOG_DAYS, and a day at most"),
    ("feature store", "vectors that no other product has: gone with the next vitrine replay"),
    ("catalogue-records", "what was written before: gone when Kafka compacts the partition"),
    ("image-features", "marked deleted by that replay, gone when Kafka compacts the partition"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("product_id", help="as in its events")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    product_id: str = arguments.product_id
    record = _record(settings, product_id)
    if record is None:
        raise OperatorError(f"the catalogue store knows no product {product_id!r}; nothing of it was ever applied")
    if record.erased is None:
        raise OperatorError(
            f'product {product_id!r} was not erased; produce {{"type": "product_erased", "product_id": ...}} first'
        )
    print(f"{'catalogue store':48}{_catalogue(record.erased)}")
    left = 0 if record.erased.gone else 1
    for place, rows, way_out in _places(settings.layout, product_id):
        print(f"{place:48}{f'{rows} rows are left: {way_out}' if rows else 'gone'}")
        left += rows
    for place, wait in _WAITS:
        print(f"{place:48}{wait}")
    return 1 if left else 0


def _record(settings: Settings, product_id: str) -> ProductRecord | None:
    reader = ProductReader(live_catalogue(settings))
    try:
        partition = kafka_partition(product_id.encode(), settings.event_partitions)
        return reader.get_many(partition, [product_id])[0]
    finally:
        reader.close()


def _catalogue(erased: Erased) -> str:
    offset = (erased.sequence & ((1 << EPOCH_SHIFT) - 1)) - 1
    when = f"by the event at offset {offset} of its partition of product-events"
    return f"gone, {when}" if erased.gone else f"erased {when}, and added anew since"


def _places(layout: Layout, product_id: str) -> Iterator[tuple[str, int, str]]:
    """Each with the rows that are left in it, and what takes them away."""
    shards = layout.shards
    for folder in sorted(shards.glob("*/*/snapshot*")):
        what = f"snapshot {folder.relative_to(shards).parent}"
        if folder.name == "snapshot":
            way_out = "gone with its next snapshot; see vitrine status whether the searcher follows"
            yield what, snapshot_remains(folder, product_id), way_out
        else:
            rows = sum(remains(each.parent, product_id) for each in folder.glob("*/rows.bin"))
            yield f"{what}, set aside", rows, f"remove {folder}"
    generations = Generations(layout.generations)
    for name in generations.names():
        rows = sum(remains(each, product_id) for each in _shards(generations, name))
        yield f"full index {name}", rows, "gone once a later vitrine build is published and this one is removed"


def _shards(generations: Generations, name: str) -> Iterator[Path]:
    for shard in range(len(generations.read(name).shards)):
        yield generations.shard_folder(name, shard)

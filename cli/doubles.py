"""Products that show one picture, over all shards of the index that serves, from the files on this machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from cli.tables import table
from generations.folder import Generations
from indexing.doubles.groups import Group, groups
from indexing.snapshot.current import read_current
from indexing.snapshot.listed import Listed, ListedImage, listed_images
from schemas.errors import OperatorError
from schemas.full_index.generation import LIVE, Generation
from schemas.settings import Settings

_SHOWN_PRODUCTS = 5
"""Of a group, in the table; JSON has all."""


class Double(msgspec.Struct, frozen=True, kw_only=True):
    """A product by the picture that it shares. `similarity`: to the group's most typical one."""

    product_id: str
    url: str
    price: float | None
    similarity: float


class DoublesView(msgspec.Struct, frozen=True, kw_only=True):
    """`groups`: of two products and more, the largest first; `products`: in all of them; `images`: compared."""

    generation: str
    extractor_id: str
    likeness: float
    images: int
    products: int
    groups: list[list[Double]]


def doubles_of(settings: Settings, least_of: Callable[[str], float]) -> DoublesView:
    """Compares all pictures. `least_of`: by extractor id, how alike two must be.

    Raises `OperatorError` where a shard has no files here.
    """
    generations = Generations(settings.layout.generations)
    serving = generations.serving()
    count = settings.shards if serving is None else len(serving.shards)
    shards = [_listed(settings, generations, serving, shard) for shard in range(count)]
    name = LIVE if serving is None else serving.name
    images = [image for shard in shards for image in shard.images]
    vectors = np.concatenate([shard.vectors for shard in shards])
    extractor_id = shards[0].extractor_id
    least = least_of(extractor_id)
    colours = [image.colour for image in images]
    found = [each for group in groups(vectors, least, colours) if len(each := _products(group, images)) > 1]
    found.sort(key=lambda each: -len(each))
    return DoublesView(
        generation=name,
        extractor_id=extractor_id,
        likeness=least,
        images=len(images),
        products=len({double.product_id for each in found for double in each}),
        groups=found,
    )


def _listed(settings: Settings, generations: Generations, serving: Generation | None, shard: int) -> Listed:
    """Out of a snapshot here or, where there is none, of the full index that serves."""
    generation = LIVE if serving is None else serving.name
    for replica in range(settings.replicas):
        snapshot = settings.layout.shard_folder(shard, replica, generation) / "snapshot"
        if (found := read_current(snapshot, listed_images)) is not None:
            return found
    if serving is not None:
        return listed_images(generations.shard_folder(generation, shard))
    raise OperatorError(
        f"shard {shard} of {generation} has no snapshot in {settings.layout.shards}: ask on the machine of its "
        f"searcher, or {settings.snapshot_interval_s:.0f} s after vitrine start"
    )


def _products(group: Group, images: list[ListedImage]) -> list[Double]:
    """A product once, by its picture most like the others; most like first."""
    best: dict[str, Double] = {}
    order = np.argsort(-group.likeness, kind="stable")
    for row, likeness in zip(group.rows[order].tolist(), group.likeness[order].tolist(), strict=True):
        image = images[row]
        price = None if math.isnan(image.price) else image.price
        double = Double(product_id=image.product_id, url=image.url, price=price, similarity=round(likeness, 4))
        best.setdefault(image.product_id, double)
    return list(best.values())


def as_json(found: DoublesView) -> str:
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def as_text(found: DoublesView, limit: int) -> str:
    """The largest groups, and how many there are."""
    counted = (
        f"{found.generation}: {len(found.groups)} pictures are shown by several products, {found.products} in all, "
        f"of {found.images} images compared (alike from {found.likeness:g} on)"
    )
    if not found.groups:
        return counted
    rows = list(_rows(found.groups[:limit]))
    more = len(found.groups) - limit
    lines = [table(("", "products", "least alike", "which"), rows), counted]
    return "\n".join([*lines, *([f"{more} more: --limit N, or --json for all"] if more > 0 else [])])


def _rows(shown: list[list[Double]]) -> Iterator[tuple[str, str, str, str]]:
    for number, each in enumerate(shown, 1):
        names = [double.product_id for double in each[:_SHOWN_PRODUCTS]]
        names += ["..."] * (len(each) > _SHOWN_PRODUCTS)
        least = min(double.similarity for double in each)
        yield str(number), str(len(each)), f"{least:.4f}", ", ".join(names)

"""The shop whose events the end-to-end benchmarks produce: one image a product, so an event is one image update.

JD counts image updates (Middleware 2018, section 5): 32 % change attributes,
53 % add an image, 98.5 % of which are known already, 14 % remove one; the
hundredth left over counts as attribute updates here.
"""

from __future__ import annotations

import io
import json
import random
from collections import deque
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from PIL import Image, ImageDraw

from benchmarks.load.drawn import DrawnFeatures, Features
from feature_store.open import feature_store
from schemas.features.record import FeatureRecord
from schemas.ids import content_hash, image_key
from schemas.settings import Settings

REMOVALS = 0.14
ADDITIONS = 0.53
NEW_AMONG_ADDITIONS = 0.015
OFF_SHELF = 0.05
"""Share of the products that is taken down at any time; beyond it additions list the oldest of them again."""

NEW_PRODUCTS = 10_000_000
"""Numbers from here on are products that come with a new image."""

_encode = msgspec.json.Encoder().encode


class Kind(Enum):
    """What an event does."""

    ATTRIBUTES = "attributes"
    TITLE = "title"
    REMOVED = "removed"
    KNOWN_IMAGE = "known_image"
    NEW_IMAGE = "new_image"


class Event(NamedTuple):
    """One record for `product-events`; `price` is the event's own, by which it is recognised (None: removal)."""

    kind: Kind
    key: bytes
    value: bytes
    price: float | None


def retitled(event: Event, word: str) -> Event:
    """The same change of attributes, with a title that has this word."""
    value = json.loads(event.value)
    value["product"]["title"] = f"Renamed {word} of the benchmark"
    return event._replace(kind=Kind.TITLE, value=_encode(value))


_LOOKS = ("red", "green", "blue", "black", "white", "grey", "brown", "pink", "yellow", "navy")
_STUFFS = ("cotton", "wool", "linen", "leather", "denim", "silk", "canvas", "suede", "fleece", "nylon")
_KINDS = ("shoe", "boot", "shirt", "jacket", "coat", "dress", "skirt", "hat", "scarf", "belt")


def title(number: int) -> str:
    """Three words that many products share, and the number."""
    look, stuff, kind = _LOOKS[number % 10], _STUFFS[number // 10 % 10], _KINDS[number // 100 % 10]
    return f"{look.capitalize()} {stuff} {kind} of the benchmark, number {number}"


def words_of(number: int, count: int) -> str:
    """The first `count` of the words that a shopper would ask for this product by, from 1 to 3."""
    return " ".join(title(number).lower().split()[:3][-count:])


def product_id(number: int) -> str:
    return f"sku-{number:08d}"


def image_url(number: int) -> str:
    return f"https://images.shop.example/{number:08d}.jpg"


class Shop:
    """Makes events about the products `first` to `first + images - 1`.

    `new_pictures`: file URLs, one for each new image in turn; without any, no image is new.
    """

    def __init__(self, images: int, seed: int = 1, new_pictures: Sequence[str] = (), first: int = 0) -> None:
        self.images = images
        self._first = first
        self._random = random.Random(seed)
        self._off_shelf: deque[int] = deque()
        self._is_off = bytearray(images)
        self._new_pictures = deque(new_pictures)
        self._new = 0
        self._made = 0

    def listings(self) -> Iterator[Event]:
        """The whole shop, a product after the other."""
        for number in range(self.images):
            yield self._added(number)

    def prices(self) -> Iterator[Event]:
        """Attribute updates of listed products without end."""
        while True:
            yield self._attributes(self._listed())

    def mix(self) -> Iterator[Event]:
        """JD's mix without end."""
        while True:
            draw = self._random.random()
            if draw < REMOVALS:
                yield self._removed(self._listed())
            elif draw >= REMOVALS + ADDITIONS:
                yield self._attributes(self._listed())
            elif self._new_pictures and self._random.random() < NEW_AMONG_ADDITIONS:
                yield self._new_image(self._new_pictures.popleft())
            elif len(self._off_shelf) > OFF_SHELF * self.images:
                number = self._off_shelf.popleft()
                self._is_off[number] = 0
                yield self._added(number)
            else:
                yield self._added(self._listed())

    def _listed(self) -> int:
        while self._is_off[number := self._random.randrange(self.images)]:
            pass
        return number

    def _price(self) -> float:
        self._made += 1
        return self._made / 100

    def _attributes(self, number: int) -> Event:
        product, price = product_id(self._first + number), self._price()
        value = {"type": "product_updated", "product_id": product, "product": {"price": price, "sales": self._made}}
        return Event(Kind.ATTRIBUTES, product.encode(), _encode(value), price)

    def _removed(self, number: int) -> Event:
        self._off_shelf.append(number)
        self._is_off[number] = 1
        product = product_id(self._first + number)
        return Event(Kind.REMOVED, product.encode(), _encode({"type": "product_removed", "product_id": product}), None)

    def _added(self, number: int) -> Event:
        return self._listing(Kind.KNOWN_IMAGE, self._first + number, image_url(self._first + number))

    def _new_image(self, url: str) -> Event:
        self._new += 1
        return self._listing(Kind.NEW_IMAGE, NEW_PRODUCTS + self._new, url)

    def _listing(self, kind: Kind, number: int, url: str) -> Event:
        product, price = product_id(number), self._price()
        attributes: dict[str, Any] = {
            "title": title(number),
            "category": f"category/{number % 50}",
            "brand": f"brand-{number % 300}",
            "colour": "blue",
            "price": price,
            "sales": self._made,
            "praise": 0.96,
        }
        value = {"type": "product_added", "product_id": product, "product": attributes, "images": [{"url": url}]}
        return Event(kind, product.encode(), _encode(value), price)


def fill_feature_store(settings: Settings, drawn: DrawnFeatures, images: int) -> Features:
    """Makes the shop's images known: what 98.5 % of additions find. Only before the job owns the store.

    Returns their features, of which row number is the product's.
    """
    features = drawn.features(images)
    writer = feature_store(settings.layout.feature_store, settings.feature_partitions).writer()
    try:
        for start in range(0, images, 1000):
            numbers = range(start, min(start + 1000, images))
            writer.put_many(_feature(number, drawn.extractor_id, features[number].tobytes()) for number in numbers)
    finally:
        writer.close()
    return features


def _feature(number: int, extractor_id: str, feature: bytes) -> FeatureRecord:
    key = image_key(image_url(number))
    return FeatureRecord(key, extractor_id, feature, content_hash(key), 1, 30.0, image_url(number))


def draw_photo(seed: int, side: int = 320) -> bytes:
    """A JPEG of coloured shapes, about 15 KB."""
    chooser = random.Random(seed)
    picture = Image.effect_noise((side, side), 20).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = chooser.randrange(side), chooser.randrange(side)
        colour = (chooser.randrange(256), chooser.randrange(256), chooser.randrange(256))
        pen.ellipse((x, y, x + chooser.randrange(20, side // 2), y + chooser.randrange(20, side // 2)), fill=colour)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def draw_pictures(folder: Path, count: int, motifs: int = 50) -> list[str]:
    """`count` JPEG files with different bytes, hence each an extraction of its own; their file URLs.

    They share `motifs` drawings and differ in a JPEG comment: the network does
    not mind, and content hashes differ.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [draw_photo(seed) for seed in range(min(motifs, count))]
    urls = []
    for number in range(count):
        comment = f"picture {number}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        motif = drawn[number % len(drawn)]
        file = folder / f"{number:06d}.jpg"
        file.write_bytes(motif[:2] + segment + motif[2:])
        urls.append(file.resolve().as_uri())
    return urls

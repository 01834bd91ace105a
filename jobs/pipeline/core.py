"""The pure core: what an event does to a product. Knows no Flink, Kafka, RocksDB or clock.

The streaming job, the nightly replay and the tests call the same `apply`, so
*stream equals batch* holds by construction: a record is a function of its
product's events in log order, and an image's state is a function of the
record (DESIGN section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from schemas.deltas.delta import DeltaBatch, attributes_json
from schemas.errors import RejectedError
from schemas.events.event import (
    MAX_EVENT_BYTES,
    MAX_IMAGES,
    ImageRef,
    ProductAdded,
    ProductErased,
    ProductEvent,
    ProductRemoved,
    ProductUpdated,
)
from schemas.events.record import Erased, ImageEntry, ProductRecord
from schemas.ids import image_id, product_hash, url_hash


class Outcome(Enum):
    """What became of an event; also the name of its counter."""

    APPLIED = "events_applied"
    STALE_VERSION = "events_stale_version"
    DUPLICATE_FORWARD = "events_duplicate_forward"


class Origin(NamedTuple):
    """Where a forwarded event lay first."""

    partition: int
    sequence: int


@dataclass(slots=True)
class Applied:
    """`record`: the product afterwards. `changed`: URLs of images whose state is another now.

    `wanted`: URLs of valid images whose vector the index may lack.
    """

    record: ProductRecord
    outcome: Outcome
    changed: set[str]
    wanted: set[str]


def apply(record: ProductRecord | None, event: ProductEvent, sequence: int, origin: Origin | None = None) -> Applied:
    """One event, applied to the product's record (None: never seen). Leaves `record` untouched.

    A producer version older than the applied one drops the event, as does an
    origin that was applied before. Raises `RejectedError`: `unknown_product`
    for an update of a product that was never added, `too_large` for a product
    that would outgrow the limits of an event.
    """
    if isinstance(event, ProductUpdated) and (record is None or (record.erased is not None and record.erased.gone)):
        what = "was never added" if record is None else "was erased"
        raise RejectedError(
            "unknown_product",
            f"product {event.product_id!r} {what}; produce its product_added, then put this letter back",
        )
    if record is None:
        record = ProductRecord(event.product_id, 0, False, None, {}, [])
    if event.version is not None and record.version is not None and event.version < record.version:
        return Applied(record, Outcome.STALE_VERSION, set(), set())
    forwarded = record.forwarded
    if origin is not None:
        if forwarded.get(origin.partition, 0) >= origin.sequence:
            return Applied(record, Outcome.DUPLICATE_FORWARD, set(), set())
        forwarded = {**forwarded, origin.partition: origin.sequence}
    version = record.version if event.version is None else event.version

    if isinstance(event, ProductErased):
        after = ProductRecord(record.product_id, sequence, False, version, {}, [], forwarded, _erased(record, sequence))
        return Applied(after, Outcome.APPLIED, set(), set())
    erased = record.erased
    if isinstance(event, ProductRemoved):
        listed, attributes, images = False, record.attributes, record.images
        changed, wanted = set[str](), set[str]()
    elif isinstance(event, ProductAdded):
        listed = True
        if erased is not None and erased.gone:
            erased = Erased(erased.sequence, erased.urls, gone=False)
        attributes = record.attributes if event.product is None else _merged({}, event.product)
        images, changed, wanted = _replaced(record.images, event.images, sequence)
    else:
        listed = record.listed
        attributes = _merged(record.attributes, event.product) if event.product else record.attributes
        images, changed, wanted = _edited(record.images, event, sequence)

    if listed != record.listed or (listed and attributes != record.attributes):
        changed |= {entry.url for entry in images if entry.attached}
    if listed and not record.listed:
        wanted |= {entry.url for entry in images if entry.attached}
    if not (listed or record.listed):
        changed, wanted = set(), set()
    _check_size(event, attributes, images)
    if changed:
        images = [
            ImageEntry(e.url, e.version, e.image_seq, sequence, e.attached) if e.url in changed else e for e in images
        ]
    images = _without_old_tombstones(images, sequence)
    after = ProductRecord(record.product_id, sequence, listed, version, attributes, images, forwarded, erased)
    return Applied(after, Outcome.APPLIED, changed, wanted)


def _erased(record: ProductRecord, sequence: int) -> Erased:
    """The record's images, those of an earlier erasure included until its delta has surely been delivered."""
    urls = [url_hash(entry.url) for entry in record.images]
    before = record.erased
    if before is not None and before.sequence > sequence - FORGET_AFTER:
        urls = list(dict.fromkeys(before.urls + urls))[-2 * MAX_ENTRIES :]
    return Erased(sequence, urls)


MAX_ENTRIES = 10_000
"""Images that a record holds, tombstones included."""
MAX_IMAGE_TEXT_BYTES = 2_000_000
"""Image URLs and versions that a record holds, tombstones included. With its attributes a product stays below 3 MB."""
REMEMBERED_ENTRIES = 1000
FORGET_AFTER = 1_000_000
"""A tombstone is forgotten once its record has over `REMEMBERED_ENTRIES` images and the log went on by so many events.

By then its delta has long been delivered: a replay, which says a product's
tombstones again, goes back to the last checkpoint. Its feature stays.
"""


def _without_old_tombstones(images: list[ImageEntry], sequence: int) -> list[ImageEntry]:
    if len(images) <= REMEMBERED_ENTRIES:
        return images
    return [entry for entry in images if entry.attached or entry.state_seq > sequence - FORGET_AFTER]


def _check_size(event: ProductEvent, attributes: dict[str, Any], images: list[ImageEntry]) -> None:
    """What single events respect, many together must too: else a product outgrows a call of the stage."""
    if len(images) > MAX_IMAGES and sum(entry.attached for entry in images) > MAX_IMAGES:
        raise RejectedError("too_large", f"product {event.product_id!r} would have more than {MAX_IMAGES} images")
    if len(images) > MAX_ENTRIES:
        detail = f"product {event.product_id!r} had {MAX_ENTRIES} different image URLs lately; keep an image's URL"
        raise RejectedError("too_large", detail)
    if _brings_images(event):
        size = sum(len(entry.url) + len(entry.version or "") for entry in images)
        if size > MAX_IMAGE_TEXT_BYTES:
            raise RejectedError(
                "too_large",
                f"product {event.product_id!r} would have {size} characters of image URLs, those it had lately "
                f"included; {MAX_IMAGE_TEXT_BYTES} fit: use shorter URLs, or keep an image's URL",
            )
    patch = event.product if isinstance(event, ProductAdded | ProductUpdated) else None
    if patch and any(isinstance(value, str | list | dict) for value in patch.values()):
        size = len(msgspec.msgpack.encode(attributes))
        if size > MAX_EVENT_BYTES:
            raise RejectedError(
                "too_large",
                f"product {event.product_id!r} would have {size} bytes of attributes; {MAX_EVENT_BYTES} fit",
            )


def _brings_images(event: ProductEvent) -> bool:
    match event:
        case ProductAdded():
            return bool(event.images)
        case ProductUpdated():
            return bool(event.images_added)
        case ProductRemoved() | ProductErased():
            return False


def _merged(attributes: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7386) at the top level: null deletes; nested objects are replaced whole."""
    merged = {**attributes, **patch}
    if None in patch.values():
        return {name: value for name, value in merged.items() if value is not None}
    return merged


def _replaced(
    images: list[ImageEntry], wanted: list[ImageRef] | None, sequence: int
) -> tuple[list[ImageEntry], set[str], set[str]]:
    """`product_added`: exactly the wanted images are attached; without a list those that were stay."""
    if wanted is None:
        return images, set(), {entry.url for entry in images if entry.attached}
    keep = {image.url for image in wanted}
    detached = {entry.url for entry in images if entry.attached and entry.url not in keep}
    return _attached(_detached(images, detached), wanted, sequence, detached)


def _edited(
    images: list[ImageEntry], event: ProductUpdated, sequence: int
) -> tuple[list[ImageEntry], set[str], set[str]]:
    """`product_updated`: removals first, so that a URL in both lists ends attached."""
    removed = {entry.url for entry in images if entry.attached and entry.url in set(event.images_removed)}
    return _attached(_detached(images, removed), event.images_added, sequence, removed)


def _detached(images: list[ImageEntry], urls: set[str]) -> list[ImageEntry]:
    if not urls:
        return images
    return [ImageEntry(e.url, e.version, e.image_seq, e.state_seq, e.attached and e.url not in urls) for e in images]


def _attached(
    images: list[ImageEntry], refs: list[ImageRef], sequence: int, changed: set[str]
) -> tuple[list[ImageEntry], set[str], set[str]]:
    """Attaches `refs`; a new version of a known image gets a new `image_seq`, one left out keeps the old."""
    by_url = {entry.url: entry for entry in images}
    touched = set(changed)
    for ref in refs:
        entry = by_url.get(ref.url)
        version = ref.version_text
        if entry is None:
            by_url[ref.url] = ImageEntry(ref.url, version, sequence, sequence)
            touched.add(ref.url)
        elif version is not None and version != entry.version:
            by_url[ref.url] = ImageEntry(ref.url, version, sequence, entry.state_seq)
            touched.add(ref.url)
        elif not entry.attached:
            by_url[ref.url] = ImageEntry(ref.url, entry.version, entry.image_seq, entry.state_seq)
            touched.add(ref.url)
    return list(by_url.values()), touched, {ref.url for ref in refs}


def display_attributes(record: ProductRecord) -> bytes:
    """The `attributes` column of the product's deltas; the same for all its images."""
    return attributes_json(record.attributes) if record.listed else b""


def add_erased(batch: Callable[[], DeltaBatch], record: ProductRecord, but: Collection[bytes] = ()) -> None:
    """Appends that every image which the product had until it was erased is to be forgotten.

    `batch`: gives the one to append the next row to. `but`: hashes of URLs that are left out.
    """
    erased = record.erased
    if erased is None:
        return
    product = product_hash(record.product_id)
    for url in erased.urls:
        if url in but:
            continue
        batch().add(
            product + url,
            record.product_id,
            state_seq=erased.sequence,
            image_seq=erased.sequence,
            erased_seq=erased.sequence,
        )


def add_state(
    batch: DeltaBatch,
    record: ProductRecord,
    entry: ImageEntry,
    vector: bytes | None,
    attributes: bytes,
    *,
    refused: bool = False,
) -> None:
    """Appends the image's whole state, with its vector when it is known, to the batch of its shard.

    `attributes`: the product's `display_attributes`. A tombstone carries none.
    `refused`: extraction gave this version of the image up.
    """
    image = image_id(record.product_id, entry.url)
    vector_seq = entry.image_seq if vector is not None else 0
    if not (record.listed and entry.attached):
        batch.add(
            image,
            record.product_id,
            state_seq=entry.state_seq,
            image_seq=entry.image_seq,
            vector_seq=vector_seq,
            vector=vector,
        )
        return
    product = record.attributes
    batch.add(
        image,
        record.product_id,
        state_seq=entry.state_seq,
        valid=True,
        image_seq=entry.image_seq,
        url=entry.url,
        category=product.get("category", ""),
        brand=product.get("brand", ""),
        price=product.get("price", _NAN),
        sales=product.get("sales", -1),
        praise=product.get("praise", _NAN),
        attributes=attributes,
        vector_seq=vector_seq,
        vector=vector,
        refused_seq=entry.image_seq if refused else 0,
    )


_NAN = float("nan")

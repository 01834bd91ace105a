"""What the blender answers: one definition for the bytes and for OpenAPI. Of the index itself see `of_index`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, NotRequired, TypedDict

import msgspec
from msgspec import Meta

from schemas.events.event import MAX_PRODUCT_ID_BYTES
from schemas.search_log import MAX_POSITION, ClickKind
from search_report.figures import DayReport
from serving.blender.ranking.explain import Explain


class AlsoAt(TypedDict):
    """A product that shows the same picture as the one it is named under; `similarity`: of the two, up to 1."""

    product_id: str
    similarity: float
    image_url: str
    title: str | None
    price: float | None


class Result(TypedDict):
    """One product, shown by its best matching image. Attributes unknown to Vitrine stand beside these.

    `also_at`: products that show the same picture, best first, where doubles are merged.
    """

    product_id: str
    score: float
    image_url: str
    title: str | None
    category: str | None
    brand: str | None
    colour: NotRequired[str]
    price: float | None
    sales: int | None
    praise: float | None
    attributes_trimmed: NotRequired[bool]
    also_at: NotRequired[list[AlsoAt]]
    explain: NotRequired[Explain]


class TookMs(msgspec.Struct, frozen=True):
    """Milliseconds, as the blender saw them; waiting for a batch included."""

    total: float
    embed: float
    search: float


class FacetValue(msgspec.Struct, frozen=True):
    """A keyword, and how many products have it; of a path also those below it."""

    value: str
    count: int


class FacetBucket(msgspec.Struct, frozen=True):
    """How many products have a number from `low` (null: any) to below `high` (null: any)."""

    low: float | None
    high: float | None
    count: int


class FacetAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of the products that match, counted by one field.

    `products`: those that have a value of it; `values`: of a field of keywords,
    the most frequent first; `buckets`: of a numeric field, where ranges were
    asked for; `low`, `high`: the least and the greatest number.
    """

    products: int
    values: list[FacetValue] = []
    buckets: list[FacetBucket] = []
    low: float | None = None
    high: float | None = None


class MergedHow(msgspec.Struct, frozen=True):
    """How doubles were merged.

    `likeness`: inner product from which on two pictures were taken for one; `compared`: products whose pictures were;
    `merged`: those of them that are named under another.
    """

    likeness: float
    compared: int
    merged: int


class SearchedHow(msgspec.Struct, frozen=True, omit_defaults=True):
    """`shards`: a line of each, how much passed the filter and what was scanned for it. `doubles`: where merged."""

    shards: list[str]
    doubles: MergedHow | None = None


class CategoryTold(msgspec.Struct, frozen=True):
    """One of the shop's categories, and how probable it is that the photo shows it."""

    name: str
    p: float


class ItemSeen(msgspec.Struct, frozen=True):
    """Something that stands out in a photo. `box`: x0, y0, x1, y1; `score`: from 0 to 1, how clearly."""

    box: tuple[float, float, float, float]
    score: float


class PhotoSeen(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a photo that was asked with. `box`: the part that was searched, [0, 0, 1, 1] all of it.

    Boxes are parts of the photo's width and height, upright. `items`: what else could be searched, the best first.
    """

    box: tuple[float, float, float, float]
    items: list[ItemSeen] | None = None


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Products, best first: by similarity, unless words, a profile or an order were asked for.

    `watermark`: the results reflect every event up to then (RFC 3339; null
    until every partition was heard of). `pending_images`: images that still
    wait for their vector and so cannot be found yet; `refused_images`: those
    that could not be fetched or read, and are not found until they are put back
    or change. `partial`: the shards in
    `missing_shards` did not answer, their products are missing.
    `generation`: the full index that answered, as a whole; "live" where there
    is none yet.

    What follows is there where it was asked for. `matches`: products that match,
    with words, facets or without a look to compare. `facets`: counts over all of
    them, by field. `cursor`: asks for the next page. `match`: how many of the
    words a product needs. `by_meaning`: products are among them that were found
    by what the words look like, as no product has all of them. `learned_rank`:
    their order is that learned from clicks. `corrected`: words that no product
    has, and what was searched for instead. `category`: what the photo shows, the
    most probable first, where the shop's pictures teach that. `explain`: how it was searched.
    `search_id`: where the search log is on, the answer's name, which its clicks
    refer to. `photos`: of each photo the part that was searched, where that is not
    all of it, and its items.
    """

    results: list[Result]
    watermark: str | None
    partial: bool
    missing_shards: list[int]
    pending_images: int
    refused_images: int
    took_ms: TookMs
    generation: str
    matches: int | None = None
    facets: dict[str, FacetAnswer] | None = None
    cursor: str | None = None
    match: str | None = None
    by_meaning: bool = False
    learned_rank: bool = False
    corrected: dict[str, str] | None = None
    category: list[CategoryTold] | None = None
    explain: SearchedHow | None = None
    search_id: str | None = None
    photos: list[PhotoSeen] | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """`reason`: stable word; `detail`: what was found and what to do."""

    reason: str
    detail: str


class BatchEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer, or why there is none."""

    answer: SearchAnswer | None = None
    error: ErrorBody | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """An entry for each question, in their order."""

    answers: list[BatchEntry]


class Suggestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text with its last word completed, and how many products have that word; or a whole name that it begins.

    `field`: of a name, whose value it is (`brand`, `category`, `title`);
    `products` then have it, of a title at least so many.
    """

    text: str
    products: int
    field: str | None = None


class Suggestions(msgspec.Struct, frozen=True):
    """Words, the most frequent first, then brands and categories, then titles."""

    suggestions: list[Suggestion]


class ErasureAccepted(msgspec.Struct, frozen=True):
    """The erasure is in the log, there; the receipt of the product says when no replica has it any more."""

    product_id: str
    partition: int
    offset: int


class ClickAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shopper did with a product. `search_id`: of the answer; `position`: in it, from 1, counted over pages."""

    search_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
    product_id: Annotated[str, Meta(min_length=1, max_length=MAX_PRODUCT_ID_BYTES)]
    position: Annotated[int, Meta(ge=1, le=MAX_POSITION)]
    kind: ClickKind = "click"


class ClicksAccepted(msgspec.Struct, frozen=True):
    """So many clicks are in the log."""

    clicks: int


class ReportAnswer(msgspec.Struct, frozen=True):
    """The search log as of `at`, oldest day first. `unreadable`: records in it that are none of the log's."""

    at: str
    days: list[DayReport]
    unreadable: int


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every answer of status 400 and above."""

    error: ErrorBody


def rfc3339(unix_ms: int) -> str | None:
    """2026-01-01T10:00:00.123Z; None for 0, which means not known."""
    if unix_ms <= 0:
        return None
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

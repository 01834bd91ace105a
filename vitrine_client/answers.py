"""What a Vitrine answers. Fields that this client does not know, of a newer server, are passed over."""

from __future__ import annotations

from typing import Any

import msgspec

from vitrine_client.explained import Explain


class AlsoAt(msgspec.Struct, frozen=True, kw_only=True):
    """A product that shows the same picture as the one it is named under; `similarity`: of the two, up to 1."""

    product_id: str
    similarity: float
    image_url: str
    title: str | None
    price: float | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A product, shown by its best matching image. `attributes`: whatever else the shop says of it.

    `attributes_trimmed`: there are more, for which the answer had no room. `also_at`: products of the same picture,
    where they are merged. `explain`: where it was asked for.
    """

    product_id: str
    score: float
    image_url: str
    title: str | None = None
    category: str | None = None
    brand: str | None = None
    colour: str | None = None
    price: float | None = None
    sales: int | None = None
    praise: float | None = None
    attributes: dict[str, Any] = {}
    attributes_trimmed: bool = False
    also_at: list[AlsoAt] = []
    explain: Explain | None = None


class TookMs(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds in the server, waiting for a batch included."""

    total: float
    embed: float
    search: float


class FacetValue(msgspec.Struct, frozen=True, kw_only=True):
    """A keyword, and how many products have it; of a path also those below it."""

    value: str
    count: int


class FacetBucket(msgspec.Struct, frozen=True, kw_only=True):
    """How many products have a number from `low` (None: any) to below `high` (None: any)."""

    low: float | None
    high: float | None
    count: int


class FacetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Of the products that match, counted by one field.

    `products`: those that have a value of it; `values`: the most frequent first; `buckets`: of a numeric field,
    where ranges were asked for; `low`, `high`: the least and the greatest number.
    """

    products: int
    values: list[FacetValue] = []
    buckets: list[FacetBucket] = []
    low: float | None = None
    high: float | None = None


class MergedHow(msgspec.Struct, frozen=True, kw_only=True):
    """`likeness`: from which on pictures were taken for one; `compared`: products; `merged`: those named only."""

    likeness: float
    compared: int
    merged: int


class SearchedHow(msgspec.Struct, frozen=True, kw_only=True):
    """`shards`: a line of each, how much passed the filter and what was scanned for it. `doubles`: where merged."""

    shards: list[str]
    doubles: MergedHow | None = None


class CategoryTold(msgspec.Struct, frozen=True, kw_only=True):
    """One of the shop's categories, and how probable it is that the photo shows it."""

    name: str
    p: float


class ItemSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stands out in a photo: `box` to search by it, `score` from 0 to 1, how clearly."""

    box: tuple[float, float, float, float]
    score: float


class PhotoSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Of a photo that was asked with: the part that was searched, and what else could be; None where nobody looked."""

    box: tuple[float, float, float, float]
    items: list[ItemSeen] | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Products, best first.

    `watermark`: the results reflect every event up to then (RFC 3339; None until every partition was heard of).
    `partial`: the shards in `missing_shards` did not answer, their products are missing. `pending_images` wait for
    their vector, `refused_images` could not be used. `generation`: the full index that answered.

    Where it was asked for: `matches`: products that match; `facets`: counts over all of them, by field; `cursor`: of
    the next page, None at the end; `match`: how many of the words a product needs; `by_meaning`: some were found by
    what the words look like; `learned_rank`: their order is learned from clicks; `corrected`: words that no product
    has, and what was searched for instead; `category`: what the photo shows; `explain`: how it was searched.
    `search_id`: where the shop keeps a search log, the answer's name, for `click`. `photos`: of each photo, where a
    part of one was searched or `items` were asked for.
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


class BatchEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, or why there is none."""

    answer: Answer | None = None
    error: ErrorBody | None = None


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """The text with its last word completed, and how many products have that word; or a whole name that it begins.

    `field`: of a name, whose value it is ("brand", "category", "title"); `products` then have it, of a title at least
    so many.
    """

    text: str
    products: int
    field: str | None = None


class ImageReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """One image as a replica holds it. `valid`: listed; `searchable`: valid and with its vector."""

    image_id: str
    url: str
    valid: bool
    searchable: bool
    state_seq: int
    vector_seq: int


class ReplicaReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica shows of the product, in one of the generations it holds; `error` when it did not answer."""

    generation: str
    shard: int
    replica: int
    answered: bool
    searchable: bool
    watermark: str | None
    price: float | None
    sales: int | None
    praise: float | None
    attributes: dict[str, Any]
    images: list[ImageReceipt]
    error: str | None


class ProductReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The takedown receipt.

    `known`: some replica has heard of the product; `searchable`: some replica can show it; `complete`: every
    replica answered for every generation that it holds.
    """

    product_id: str
    known: bool
    searchable: bool
    complete: bool
    watermark: str | None
    replicas: list[ReplicaReceipt]


class ErasureAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The erasure is in the log, there; the receipt of the product says when no replica has it any more."""

    product_id: str
    partition: int
    offset: int


class ClicksAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """So many clicks are in the search log."""

    clicks: int


class SearcherStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of one shard of one generation. `digest`: equal wherever the same was applied.

    `serving`: of the generation that answers queries which name none; `health`: what the broker thinks of it;
    `refused`: what was not taken since the start, by reason. `recall`: @10, the mean of `recall_queries` live queries
    of the last hour, None without any; `recall_spread`: the standard deviation of one query's. These are queries
    without a filter; `filtered_recall` and so on are of those with one (0 from a server of before).
    """

    generation: str
    serving: bool
    health: str
    refused: dict[str, int]
    shard: int
    replica: int
    ready: bool
    images: int
    searchable: int
    pending: int
    refused_images: int
    rows: int
    digest: str
    watermark: str | None
    delta_offset: int
    lag: int
    extractor_id: str
    index_kind: str
    memory_bytes: int
    nprobe: int
    recall: float | None
    recall_spread: float
    recall_queries: int
    error: str | None
    filtered_recall: float | None = None
    filtered_recall_spread: float = 0.0
    filtered_recall_queries: int = 0


class GenerationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A full index that searchers hold. `complete`: each of its `shards` has a replica that answers queries."""

    name: str
    extractor_id: str
    shards: int
    complete: bool
    searchable: int


class IndexStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole index. Counts are of the generation `serving`; `shards`: every replica of every generation.

    `look_parts`: what a question's `look` may weigh.
    """

    ready: bool
    serving: str
    extractor_id: str
    dimension: int
    images: int
    searchable: int
    pending: int
    refused_images: int
    watermark: str | None
    generations: list[GenerationStatus]
    shards: list[SearcherStatus]
    look_parts: list[str] = []


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`waiting_for` names what is not there yet."""

    ready: bool
    waiting_for: list[str]

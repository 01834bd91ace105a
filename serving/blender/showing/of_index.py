"""What the blender says of the index: its generations and replicas, one product in each of them, readiness."""

from __future__ import annotations

from typing import Any

import msgspec


class ImageReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """One image as a replica holds it. `valid`: listed; `searchable`: valid and with its vector."""

    image_id: str
    url: str
    valid: bool
    searchable: bool
    state_seq: int
    vector_seq: int


class ReplicaReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica shows of the product, in one of the generations it holds.

    `error` (and nothing else) when it did not answer.
    """

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

    `searchable`: some replica that answers can show the product. `complete`:
    every replica answered for every generation that it holds; one that did not
    answer shows nothing at present, and catches up with the log before it does
    again. `known`: some replica has heard of the product.
    """

    product_id: str
    known: bool
    searchable: bool
    complete: bool
    watermark: str | None
    replicas: list[ReplicaReceipt]


class SearcherStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of one shard of one generation. `digest`: 32 hex digits, equal wherever the same deltas were applied.

    `serving`: of the generation that answers queries which name none.
    `health`: what the broker thinks of the process: serving; suspect (asked
    last); ejected (silent, not asked, probed until it answers); on_trial.
    `refused_images`: valid ones that extraction gave up, not among `pending`.
    `refused`: parts of index-deltas that were not taken since the start, by reason.
    `nprobe`: lists that a query looks through. `recall`: @10, the mean of the
    `recall_queries` sampled live queries of the last hour, None without any;
    `recall_spread`: the standard deviation of one query's; with `filtered_` the
    same of queries with a filter, which the others are without.
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
    filtered_recall: float | None
    filtered_recall_spread: float
    filtered_recall_queries: int
    error: str | None


class GenerationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A full index that searchers hold. `complete`: each of its `shards` has a replica that answers queries."""

    name: str
    extractor_id: str
    shards: int
    complete: bool
    searchable: int


class IndexStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole index. Counts are of the generation `serving`, over its shards, each by its first ready replica.

    `generations`: all that searchers hold, the serving one first; `shards`:
    every replica of each of them. `look_parts`: what a question's `look` may
    weigh, where this blender asks with the serving extractor and it has parts.
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

"""What every replica holds, put into words: the takedown receipt and the state of the index."""

from __future__ import annotations

from schemas.features.ids import dimension_of
from schemas.search_pb2 import ProductResponse, ReplicaStatus, ShardStatus, StatusResponse
from serving.blender.showing.answers import rfc3339
from serving.blender.showing.of_index import (
    GenerationStatus,
    ImageReceipt,
    IndexStatus,
    ProductReceipt,
    ReplicaReceipt,
    SearcherStatus,
)
from serving.blender.showing.products import decode_attributes, known_or_none


def product_receipt(product_id: str, answer: ProductResponse) -> ProductReceipt:
    """The receipt over all replicas of the product's shard, in every generation that they hold."""
    replicas = [_replica(status) for status in answer.replicas]
    answered = [status for status in answer.replicas if not status.error]
    return ProductReceipt(
        product_id=product_id,
        known=any(replica.images for replica in replicas),
        searchable=any(replica.searchable for replica in replicas),
        complete=bool(replicas) and all(replica.answered for replica in replicas),
        watermark=rfc3339(min((status.watermark_ms for status in answered), default=0)),
        replicas=replicas,
    )


def _replica(status: ReplicaStatus) -> ReplicaReceipt:
    known = bool(status.images)
    return ReplicaReceipt(
        generation=status.generation,
        shard=status.shard,
        replica=status.replica,
        answered=not status.error,
        searchable=any(image.searchable for image in status.images),
        watermark=rfc3339(status.watermark_ms),
        price=known_or_none(status.price) if known else None,
        sales=status.sales if known and status.sales >= 0 else None,
        praise=known_or_none(status.praise) if known else None,
        attributes=decode_attributes(status.attributes),
        images=[
            ImageReceipt(
                image_id=image.image_id.hex(),
                url=image.url,
                valid=image.valid,
                searchable=image.searchable,
                state_seq=image.state_seq,
                vector_seq=image.vector_seq,
            )
            for image in status.images
        ],
        error=status.error or None,
    )


def index_status(answer: StatusResponse) -> IndexStatus:
    """All searchers, and totals over the shards of the generation that serves."""
    serving = [status for status in answer.shards if status.serving]
    counted = _first_ready(serving)
    shards = max((status.shards for status in serving), default=0)
    ready = shards > 0 and len(counted) == shards
    extractor = answer.serving_extractor_id
    names = sorted({status.generation for status in answer.shards if status.generation}, reverse=True)
    names.sort(key=lambda name: name != answer.serving)
    return IndexStatus(
        ready=ready,
        serving=answer.serving,
        extractor_id=extractor,
        dimension=dimension_of(extractor) if extractor else 0,
        images=sum(status.images for status in counted),
        searchable=sum(status.searchable for status in counted),
        pending=sum(status.pending for status in counted),
        refused_images=sum(status.refused_images for status in counted),
        watermark=rfc3339(min(status.watermark_ms for status in counted)) if ready else None,
        generations=[_generation(name, [s for s in answer.shards if s.generation == name]) for name in names],
        shards=[_searcher(status) for status in answer.shards],
    )


def waiting_for(index: IndexStatus) -> list[str]:
    """Why shards of the serving generation do not answer, a line for each replica."""
    serving = [searcher for searcher in index.shards if searcher.serving]
    if not serving:
        problems = [f"searcher {each.shard}-{each.replica}: {each.error}" for each in index.shards if each.error]
        return problems or ["no searcher holds an index yet"]
    ready = {searcher.shard for searcher in serving if searcher.ready}
    waiting = [
        f"shard {searcher.shard}, replica {searcher.replica}: {searcher.error}"
        for searcher in serving
        if searcher.shard not in ready
    ]
    return waiting if waiting or index.ready else [f"some shard of {index.serving} is held by no searcher"]


def _first_ready(statuses: list[ShardStatus]) -> list[ShardStatus]:
    """One ready replica per shard."""
    counted: dict[int, ShardStatus] = {}
    for status in statuses:
        if status.ready:
            counted.setdefault(status.shard, status)
    return list(counted.values())


def _generation(name: str, statuses: list[ShardStatus]) -> GenerationStatus:
    counted = _first_ready(statuses)
    shards = max(status.shards for status in statuses)
    return GenerationStatus(
        name=name,
        extractor_id=next((status.extractor_id for status in statuses if status.extractor_id), ""),
        shards=shards,
        complete=0 < shards == len(counted),
        searchable=sum(status.searchable for status in counted),
    )


def _searcher(status: ShardStatus) -> SearcherStatus:
    return SearcherStatus(
        generation=status.generation,
        serving=status.serving,
        health=status.health,
        refused=dict(status.refused),
        shard=status.shard,
        replica=status.replica,
        ready=status.ready,
        images=status.images,
        searchable=status.searchable,
        pending=status.pending,
        refused_images=status.refused_images,
        rows=status.rows,
        digest=status.digest.hex(),
        watermark=rfc3339(status.watermark_ms),
        delta_offset=status.delta_offset,
        lag=status.lag,
        extractor_id=status.extractor_id,
        index_kind=status.index_kind,
        memory_bytes=status.memory_bytes,
        nprobe=status.nprobe,
        recall=status.recall if status.recall_queries else None,
        recall_spread=status.recall_spread,
        recall_queries=status.recall_queries,
        filtered_recall=status.filtered_recall if status.filtered_recall_queries else None,
        filtered_recall_spread=status.filtered_recall_spread,
        filtered_recall_queries=status.filtered_recall_queries,
        error=status.error or None,
    )

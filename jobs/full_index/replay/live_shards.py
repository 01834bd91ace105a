"""The shards as the broker shows them, compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from generations.broker import broker_of
from jobs.full_index.replay.report import SampleResult
from jobs.full_index.truth.audit import MAX_EXAMPLES, ExpectedProduct
from schemas.access.tier import TierAccess
from schemas.features.ids import features_of
from schemas.search_pb2 import ReplicaStatus, StatusResponse


class ReplicaState(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of the serving generation. `lag`: records of `index-deltas` that it has not read."""

    shard: int
    replica: int
    digest: str
    lag: int


class LiveShards(msgspec.Struct, frozen=True, kw_only=True):
    """The generation that serves, of which features, and its replicas that answer.

    `generation` is empty when nothing is held at all.
    """

    generation: str
    extractor_id: str
    shards: int
    replicas: list[ReplicaState]


def live_shards(tier: TierAccess) -> LiveShards:
    """Raises `TransientError` when the broker does not answer."""
    with broker_of(tier) as broker:
        return of_serving(broker.status())


def of_serving(response: StatusResponse) -> LiveShards:
    """Of all that searchers hold, the serving generation alone: the others have shards of their own."""
    serving = [status for status in response.shards if status.generation == response.serving]
    return LiveShards(
        generation=response.serving,
        extractor_id=features_of(response.serving_extractor_id),
        shards=max((status.shards for status in serving), default=0),
        replicas=[
            ReplicaState(shard=status.shard, replica=status.replica, digest=status.digest.hex(), lag=max(0, status.lag))
            for status in serving
            if not status.error
        ],
    )


def ask_sample(tier: TierAccess, generation: str, sample: Sequence[ExpectedProduct], end_sequence: int) -> SampleResult:
    """Asks every replica of `generation` about these products.

    An image with a state after `end_sequence` is not compared.
    """
    result = SampleResult()
    with broker_of(tier) as broker:
        for product in sample:
            replicas = broker.product(generation, product.product_id)
            result.asked += 1
            verdicts = [verdict_on(product, replica, end_sequence) for replica in replicas if not replica.error]
            if "moved on" in verdicts:
                result.skipped += 1
            elif wrong := next((verdict for verdict in verdicts if verdict), None):
                result.wrong[product.shard] = result.wrong.get(product.shard, 0) + 1
                if len(result.examples) < MAX_EXAMPLES:
                    result.examples.append(f"{product.product_id}: {wrong}")
    return result


def verdict_on(product: ExpectedProduct, replica: ReplicaStatus, end_sequence: int) -> str:
    """Empty when the replica shows what it should; `moved on` when it cannot be compared; else what is wrong."""
    shown = {image.image_id.hex(): image for image in replica.images}
    if any(image.state_seq > end_sequence for image in replica.images):
        return "moved on"
    for expected in product.images:
        image = shown.get(expected.image_id)
        if image is None:
            if expected.valid:
                return f"shard {replica.shard} replica {replica.replica} lacks image {expected.image_id}"
            continue
        if (image.state_seq, image.valid) != (expected.state_seq, expected.valid):
            return (
                f"shard {replica.shard} replica {replica.replica} has state {image.state_seq} of image "
                f"{expected.image_id} ({'valid' if image.valid else 'removed'}), the log says {expected.state_seq}"
            )
        if expected.valid and image.vector_seq < expected.vector_seq:
            return f"shard {replica.shard} replica {replica.replica} lacks the vector of image {expected.image_id}"
    return ""

"""The broker, asked by whoever is no server: what serves, what searchers hold, what a generation answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import numpy as np
from numpy.typing import NDArray

from schemas.access.grpc import channel
from schemas.access.tier import TierAccess
from schemas.errors import TransientError
from schemas.found import decode_found
from schemas.search_pb2 import ProductRequest, ReplicaStatus, SearchRequest, ShardStatus, StatusRequest, StatusResponse
from schemas.search_pb2_grpc import SearchStub

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
ANSWER_S = 30.0
QUERIES_AT_ONCE = 50
REACH_S = 2.0
"""Of several brokers one that cannot be connected to for so long is passed over."""

Vectors = NDArray[np.float32]


class Broker:
    """One thread. Every method raises `TransientError('broker_unreachable', ...)` when it does not answer."""

    def __init__(self, channel: grpc.Channel, address: str) -> None:
        self._stub = SearchStub(channel)  # type: ignore[no-untyped-call]
        self.address = address

    def status(self, timeout_s: float = 10.0) -> StatusResponse:
        """What serves, and an entry per replica and generation."""
        try:
            response: StatusResponse = self._stub.Status(StatusRequest(), timeout=timeout_s)
        except grpc.RpcError as error:
            raise self._silent(error) from error
        return response

    def best_images(self, generation: str, extractor_id: str, queries: Vectors, limit: int) -> list[list[bytes]]:
        """Ids of the `limit` best images in `generation`, by query. Incomplete answers are a `TransientError` too."""
        answers: list[list[bytes]] = []
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            part = queries[start : start + QUERIES_AT_ONCE]
            request = SearchRequest(
                vectors=part.astype("<f4").tobytes(),
                count=len(part),
                limit=limit,
                extractor_id=extractor_id,
                generation=generation,
            )
            try:
                response = self._stub.Search(request, timeout=ANSWER_S)
            except grpc.RpcError as error:
                raise self._silent(error) from error
            if response.missing_shards:
                raise TransientError("partial", f"{generation}: no answer from shards {list(response.missing_shards)}")
            answers += [[hit.image_id for hit in hits] for hits in decode_found(response.found, len(part))]
        return answers

    def product(self, generation: str, product_id: str, timeout_s: float = ANSWER_S) -> list[ReplicaStatus]:
        """What every replica of the product's shard in `generation` has of it; `error` of those that are silent."""
        request = ProductRequest(product_id=product_id, generation=generation)
        try:
            return list(self._stub.Product(request, timeout=timeout_s).replicas)
        except grpc.RpcError as error:
            raise self._silent(error) from error

    def vector(self, generation: str, product_id: str, image_id: bytes) -> bytes:
        """The vector that `generation` has of an image (little-endian float32); empty when it has none."""
        images = (image for replica in self.product(generation, product_id) for image in replica.images)
        return next((image.vector for image in images if image.image_id == image_id and image.vector), b"")

    def _silent(self, error: grpc.RpcError) -> TransientError:
        return TransientError("broker_unreachable", f"{self.address}: {error.details()}")


@contextmanager
def broker_of(tier: TierAccess) -> Iterator[Broker]:
    """Connects lazily: that nobody is there shows at the first question. Of several the first that can be reached."""
    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    *others, last = tier.all_brokers
    for address in others:
        with channel(tier, address, options) as connected:
            if _is_there(connected):
                yield Broker(connected, address)
                return
    with channel(tier, last, options) as connected:
        yield Broker(connected, last)


def _is_there(connected: grpc.Channel) -> bool:
    try:
        grpc.channel_ready_future(connected).result(timeout=REACH_S)
    except grpc.FutureTimeoutError:
        return False
    return True


def replicas_of(status: StatusResponse, generation: str) -> dict[int, list[ShardStatus]]:
    """The replicas that hold a generation, or should, by shard."""
    found: dict[int, list[ShardStatus]] = {}
    for entry in status.shards:
        if entry.generation == generation:
            found.setdefault(entry.shard, []).append(entry)
    return found

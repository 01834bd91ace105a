"""What a replica shows of a product against what the log says."""

from __future__ import annotations

import pytest

from jobs.full_index.replay.live_shards import verdict_on
from jobs.full_index.truth.audit import ExpectedImage, ExpectedProduct
from schemas.search_pb2 import ImageStatus, ReplicaStatus

IMAGE = bytes(range(16))
VALID = ExpectedProduct("p", 0, [ExpectedImage(IMAGE.hex(), True, 5, 3)])
REMOVED = ExpectedProduct("p", 0, [ExpectedImage(IMAGE.hex(), False, 5, 0)])


def shown(*, state_seq: int = 5, valid: bool = True, vector_seq: int = 3) -> ReplicaStatus:
    image = ImageStatus(image_id=IMAGE, valid=valid, state_seq=state_seq, vector_seq=vector_seq)
    return ReplicaStatus(shard=0, replica=0, images=[image])


def test_replica_that_shows_the_truth_is_right() -> None:
    assert verdict_on(VALID, shown(), 10) == ""
    assert verdict_on(REMOVED, shown(valid=False, vector_seq=0), 10) == ""


def test_removed_image_that_a_shard_never_knew_is_right() -> None:
    assert verdict_on(REMOVED, ReplicaStatus(), 10) == ""


@pytest.mark.parametrize(
    "replica, word",
    [
        (ReplicaStatus(), "lacks image"),
        (shown(state_seq=4), "state 4"),
        (shown(state_seq=7), "state 7"),
        (shown(valid=False), "removed"),
        (shown(vector_seq=2), "lacks the vector"),
    ],
)
def test_difference_is_named(replica: ReplicaStatus, word: str) -> None:
    assert word in verdict_on(VALID, replica, 10)


def test_product_that_changed_after_the_range_is_not_compared() -> None:
    assert verdict_on(VALID, shown(state_seq=11), 10) == "moved on"

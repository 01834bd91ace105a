"""Replicas that applied the same deltas and hold other images are noticed, and no others."""

from __future__ import annotations

from schemas.search_pb2 import ShardStatus
from serving.blender.agreement import disagreements


def replica(shard: int, digest: bytes, offset: int = 7, *, ready: bool = True, serving: bool = True) -> ShardStatus:
    return ShardStatus(shard=shard, digest=digest, delta_offsets={0: offset}, ready=ready, serving=serving)


def test_equal_replicas_agree() -> None:
    assert disagreements([replica(0, b"a"), replica(0, b"a"), replica(1, b"b")]) == {0: False, 1: False}


def test_other_images_after_the_same_deltas_are_a_disagreement() -> None:
    assert disagreements([replica(0, b"a"), replica(0, b"b"), replica(1, b"c")]) == {0: True, 1: False}


def test_replicas_elsewhere_in_the_topic_say_nothing_about_each_other() -> None:
    assert disagreements([replica(0, b"a"), replica(0, b"b", offset=8)]) == {0: False}


def test_what_does_not_serve_yet_or_still_catches_up_is_left_out() -> None:
    assert disagreements([replica(0, b"a"), replica(0, b"b", ready=False), replica(0, b"c", serving=False)]) == {
        0: False
    }
    assert disagreements([]) == {}

"""Whether the replicas of a shard agree: what the same deltas were applied to is the same index, to the bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from schemas.search_pb2 import ShardStatus


def disagreements(statuses: Iterable[ShardStatus]) -> dict[int, bool]:
    """By shard of the generation that serves: whether two ready replicas at the same offsets have other digests.

    Replicas that stand at different offsets say nothing about each other.
    """
    digests: defaultdict[tuple[int, tuple[tuple[int, int], ...]], set[bytes]] = defaultdict(set)
    for status in statuses:
        if status.serving and status.ready:
            digests[status.shard, tuple(sorted(status.delta_offsets.items()))].add(status.digest)
    found = dict.fromkeys(sorted({shard for shard, _ in digests}), False)
    for (shard, _), seen in digests.items():
        found[shard] |= len(seen) > 1
    return found

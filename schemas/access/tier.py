"""Where broker and searchers are, and how one gets in: the settings `grpc_*` as one value that their clients take.

It names files and holds no secret, like `KafkaAccess`; `schemas/access/grpc.py`
reads them when it connects.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.access.hosts import near_host


@dataclass(frozen=True, slots=True)
class TierAccess:
    """`host`: what servers bind to; `port`: the broker's, searchers have those after it. The files are PEM."""

    host: str
    port: int
    replicas: int = 1
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def broker(self) -> str:
        """host:port by which this machine reaches the broker."""
        return f"{near_host(self.host)}:{self.port}"

    def searcher(self, shard: int, replica: int = 0) -> str:
        """host:port by which this machine reaches a searcher."""
        return f"{near_host(self.host)}:{self.searcher_port(shard, replica)}"

    def searcher_port(self, shard: int, replica: int = 0) -> int:
        return self.port + 1 + shard * self.replicas + replica

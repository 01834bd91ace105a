"""Where broker and searchers are, and how one gets in: the settings `grpc_*` as one value that their clients take.

It names files and holds no secret, like `KafkaAccess`; `schemas/access/grpc.py`
reads them when it connects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.access.addresses import (
    address_of,
    brokers_of,
    check_brokers,
    check_searchers,
    is_file,
    read_addresses,
)
from schemas.access.hosts import near_host
from schemas.errors import OperatorError


@dataclass(frozen=True, slots=True)
class TierAccess:
    """`host`: what servers bind to; `port`: the broker's, searchers have those after it. The files are PEM.

    `broker_address`, `searcher_address`: how they are reached if not on this machine, see `schemas.access.addresses`.
    Raises `OperatorError` for what is no address.
    """

    host: str
    port: int
    replicas: int = 1
    ca: str = ""
    certificate: str = ""
    key: str = ""
    broker_address: str = ""
    searcher_address: str = ""

    def __post_init__(self) -> None:
        check_brokers(self.broker_address)
        check_searchers(self.searcher_address, self.replicas)

    @property
    def all_brokers(self) -> tuple[str, ...]:
        """host:port of each: any of them answers any question."""
        return brokers_of(self.broker_address) or (f"{near_host(self.host)}:{self.port}",)

    @property
    def broker(self) -> str:
        """host:port by which this machine reaches the broker, the first where there are several."""
        return self.all_brokers[0]

    @property
    def addresses_file(self) -> Path | None:
        """The file that says where searchers are, if one does."""
        return Path(self.searcher_address) if is_file(self.searcher_address) else None

    def searcher(self, shard: int, replica: int = 0) -> str:
        """host:port by which this machine reaches a searcher. Raises `OperatorError` where a file names it not."""
        port = self._usual_port(shard, replica)
        if (file := self.addresses_file) is not None:
            shards = read_addresses(file)
            if shard >= len(shards) or replica >= len(shards[shard]):
                raise OperatorError(f"setting searcher_address: {file} has no replica {replica} of shard {shard}")
            return shards[shard][replica]
        if self.searcher_address:
            return address_of(self.searcher_address, shard, replica, port)
        return f"{near_host(self.host)}:{port}"

    def searcher_port(self, shard: int, replica: int = 0) -> int:
        """What a searcher listens on."""
        port = self._usual_port(shard, replica)
        if self.searcher_address and self.addresses_file is None:
            return int(address_of(self.searcher_address, shard, replica, port).rpartition(":")[2])
        return port

    def _usual_port(self, shard: int, replica: int) -> int:
        return self.port + 1 + shard * self.replicas + replica

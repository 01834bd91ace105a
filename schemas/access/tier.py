"""Where broker and searchers are, and how one gets in: the settings `grpc_*` as one value that their clients take.

It names files and holds no secret, like `KafkaAccess`; `schemas/access/grpc.py`
reads them when it connects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.access.hosts import near_host
from schemas.errors import OperatorError

_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class TierAccess:
    """`host`: what servers bind to; `port`: the broker's, searchers have those after it. The files are PEM.

    `broker_address`, `searcher_address`: how others reach them where that is not this machine, see `Settings`.
    Raises `OperatorError` for an address that is none.
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
        if self.broker_address:
            _check(self.broker_address, "broker_address", "broker.example:7100")
        if self.searcher_address:
            _check(self.searcher(0), "searcher_address", "searcher-{shard}-{replica}.example:{port}")
            wanted = ("{shard}", "{replica}") if self.replicas > 1 else ("{shard}",)
            several = not all(each in self.searcher_address for each in wanted)
            if several and "{port}" not in self.searcher_address:
                raise OperatorError(
                    f"searcher_address {self.searcher_address!r} is one address for several searchers: "
                    f"put {' and '.join(wanted)} into it, or {{port}}"
                )

    @property
    def broker(self) -> str:
        """host:port by which the broker is reached from here."""
        return self.broker_address or f"{near_host(self.host)}:{self.port}"

    def searcher(self, shard: int, replica: int = 0) -> str:
        """host:port by which a searcher is reached from here."""
        port = self.port + 1 + shard * self.replicas + replica
        if not self.searcher_address:
            return f"{near_host(self.host)}:{port}"
        named = self.searcher_address.replace("{shard}", str(shard)).replace("{replica}", str(replica))
        return named.replace("{port}", str(port))

    def searcher_port(self, shard: int, replica: int = 0) -> int:
        """What a searcher listens on."""
        return int(self.searcher(shard, replica).rpartition(":")[2])


def _check(address: str, setting: str, example: str) -> None:
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[1]) < 65536:
        raise OperatorError(f"{setting}: {address!r} is no host:port; write it like {example}")

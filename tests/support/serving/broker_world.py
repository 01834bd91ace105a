"""Brokers over searchers of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.backend import SearchBackend
from serving.broker.service import BrokerService


def broker_over(rows: Sequence[Sequence[SearchBackend]], **options: Any) -> BrokerService:
    """A broker over `rows[shard][replica]`."""
    return BrokerService(lambda shard, replica: rows[shard][replica], len(rows), len(rows[0]), **options)

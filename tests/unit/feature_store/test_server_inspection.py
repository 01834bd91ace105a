"""Which servers may be a store, by what they say of themselves."""

from __future__ import annotations

import pytest

from feature_store.server.inspection import check
from schemas.errors import OperatorError

KVROCKS = {"redis_version": "4.0.0", "kvrocks_version": "2.11.1"}


@pytest.mark.parametrize(
    "server",
    [KVROCKS, {"redis_version": "7.2.4", "valkey_version": "9.1.2"}, {"redis_version": "7.0.15"},
     {"redis_version": "6.2.0"}, {"kvrocks_version": "v2.4.0-rc1"}],
)  # fmt: skip
def test_a_server_that_has_what_a_store_asks_is_taken(server: dict[str, str]) -> None:
    check(server, {"maxmemory": "0", "maxmemory_policy": "allkeys-lru"}, "host:1")
    check(server, {"maxmemory": "100", "maxmemory_policy": "noeviction"}, "host:1")
    check(server, {}, "host:1")


@pytest.mark.parametrize(
    "server",
    [{"redis_version": "6.0.16"}, {"redis_version": "7.2.4", "kvrocks_version": "2.3.0"},
     {"redis_version": "7.2.4", "valkey_version": "7.0.0"}, {"redis_version": "unknown"}, {}],
)  # fmt: skip
def test_one_that_is_too_old_or_says_nothing_is_refused(server: dict[str, str]) -> None:
    with pytest.raises(OperatorError, match=r"host:1 .*wanted: Apache Kvrocks 2\.4"):
        check(server, {}, "host:1")


def test_a_cache_that_throws_records_away_is_no_store() -> None:
    with pytest.raises(OperatorError, match="set maxmemory-policy to noeviction"):
        check(KVROCKS, {"maxmemory": "100", "maxmemory_policy": "allkeys-lru"}, "host:1")

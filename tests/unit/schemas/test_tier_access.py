"""Where broker and searchers are: on one machine by port, on many by name."""

from __future__ import annotations

import pytest

from schemas.access.tier import TierAccess
from schemas.errors import OperatorError
from schemas.settings import load_settings

BY_NAME = "searcher-{shard}-{replica}.searcher:7101"


def test_on_one_machine_searchers_have_the_ports_after_the_brokers() -> None:
    tier = TierAccess("0.0.0.0", 7100, replicas=2)
    assert (tier.broker, tier.searcher(1, 1), tier.searcher_port(1, 1)) == ("127.0.0.1:7100", "127.0.0.1:7104", 7104)


def test_on_many_machines_each_has_the_address_that_the_settings_name() -> None:
    settings = load_settings(
        {"VITRINE_SEARCHER_ADDRESS": BY_NAME, "VITRINE_BROKER_ADDRESS": "broker:7100", "VITRINE_HOST": "0.0.0.0"},
        home="/nowhere", replicas=2,
    )  # fmt: skip
    tier = settings.tier
    assert (tier.broker, tier.host) == ("broker:7100", "0.0.0.0")
    assert (tier.searcher(3, 1), tier.searcher_port(3, 1)) == ("searcher-3-1.searcher:7101", 7101)


def test_ports_may_go_on_by_number_on_hosts_with_names() -> None:
    tier = TierAccess("10.0.0.5", 7100, replicas=2, searcher_address="host-{replica}.example:{port}")
    assert tier.searcher(1, 1) == "host-1.example:7104"
    assert tier.searcher_port(1, 1) == 7104


@pytest.mark.parametrize(
    "address", ["searcher", "searcher:", "searcher:0", "searcher:70000", "a b:1", "s-{shard}:{prot}", "http://s:1"]
)
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(OperatorError, match=r"searcher_address: .* is no host:port; write it like searcher-\{shard\}"):
        TierAccess("0.0.0.0", 7100, searcher_address=address)
    if "{" not in address:
        with pytest.raises(OperatorError, match=r"broker_address: .* write it like broker.example:7100"):
            TierAccess("0.0.0.0", 7100, broker_address=address)


def test_one_address_for_several_searchers_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"put \{shard\} and \{replica\} into it, or \{port\}"):
        TierAccess("0.0.0.0", 7100, replicas=2, searcher_address="searcher-{shard}.example:7101")
    assert TierAccess("0.0.0.0", 7100, searcher_address="searcher-{shard}.example:7101").searcher(2)

"""Where searchers are: by their ports, by a pattern of names, by a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import OperatorError
from schemas.settings import load_settings


def test_without_a_word_all_are_on_this_machine(tmp_path: Path) -> None:
    tier = load_settings({}, home=str(tmp_path), replicas=2, grpc_port=7000).tier
    assert [tier.searcher(1, 0), tier.searcher(1, 1), tier.broker] == [
        "127.0.0.1:7003",
        "127.0.0.1:7004",
        "127.0.0.1:7000",
    ]
    assert tier.all_brokers == ("127.0.0.1:7000",)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("searcher-{shard}-{replica}.search:7101", "searcher-1-0.search:7101"),
        ("10.0.{shard}.{replica}:{port}", "10.0.1.0:7003"),
        ("searchers.example:{port}", "searchers.example:7003"),
        ("[fd00::{shard}:{replica}]:9000", "[fd00::1:0]:9000"),
    ],
)
def test_pattern_names_each(tmp_path: Path, pattern: str, expected: str) -> None:
    settings = load_settings({"VITRINE_SEARCHER_ADDRESS": pattern}, home=str(tmp_path), replicas=2, grpc_port=7000)
    assert settings.tier.searcher(1, 0) == expected
    assert settings.tier.searcher_port(1, 0) == int(expected.rpartition(":")[2])


def test_pattern_tells_replicas_apart(tmp_path: Path) -> None:
    one = {"VITRINE_SEARCHER_ADDRESS": "searcher-{shard}.search:7101"}
    assert load_settings(one, home=str(tmp_path)).tier.searcher(1) == "searcher-1.search:7101"
    with pytest.raises(OperatorError, match=r"put \{shard\} and \{replica\} into it"):
        load_settings(one, home=str(tmp_path), replicas=2)


def test_file_names_each_and_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "searchers.json").write_text('[["a:1", "b:2"], ["c:3"]]')
    monkeypatch.chdir(tmp_path)
    tier = load_settings({"VITRINE_SEARCHER_ADDRESS": "searchers.json"}, home=str(tmp_path)).tier
    monkeypatch.chdir("/")
    assert [tier.searcher(0, 1), tier.searcher(1)] == ["b:2", "c:3"]
    for shard, replica in ((1, 1), (2, 0)):
        with pytest.raises(OperatorError, match=rf"has no replica {replica} of shard {shard}"):
            tier.searcher(shard, replica)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("SEARCHER_ADDRESS", "searcher:7101", "one address for several searchers"),
        ("SEARCHER_ADDRESS", "searcher-{shard}", "no host:port"),
        ("SEARCHER_ADDRESS", "search er-{shard}:1", "no host:port"),
        ("SEARCHER_ADDRESS", "searcher-{shard}:70000", "no host:port"),
        ("BROKER_ADDRESS", "broker-0:7100,broker-1", "'broker-1' is no host:port"),
    ],
)
def test_what_is_no_address_is_said_at_once(tmp_path: Path, setting: str, value: str, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        load_settings({f"VITRINE_{setting}": value}, home=str(tmp_path))


def test_brokers_are_asked_where_they_are(tmp_path: Path) -> None:
    tier = load_settings({"VITRINE_BROKER_ADDRESS": "one:7100,two:7100"}, home=str(tmp_path)).tier
    assert (tier.broker, tier.all_brokers) == ("one:7100", ("one:7100", "two:7100"))

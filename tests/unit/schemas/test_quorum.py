"""Which of several brokers a machine runs, by its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import OperatorError
from schemas.settings import Settings, load_settings

THREE = "10.0.0.4:9092,10.0.0.5:9092,10.0.0.6:9192"


def settings(home: Path, **chosen: Any) -> Settings:
    return load_settings({}, home=str(home), **{"kafka_bootstrap": THREE, "host": "10.0.0.5", **chosen})


def test_voters_are_the_list_and_the_machine_is_one_of_it(tmp_path: Path) -> None:
    node = settings(tmp_path, kafka_node=2).own_broker
    assert node is not None
    assert (node.address, node.port, node.binds) == ("10.0.0.5:9092", 9092, "10.0.0.5")
    assert node.voters == "1@10.0.0.4:9093,2@10.0.0.5:9093,3@10.0.0.6:9193"
    assert (node.replicas, node.joins) == (3, False)


def test_id_is_the_same_on_all_machines_and_another_of_other_brokers(tmp_path: Path) -> None:
    first, second = (settings(tmp_path, kafka_node=n, host=f"10.0.0.{3 + n}").own_broker for n in (1, 2))
    other = settings(tmp_path, kafka_node=1, kafka_bootstrap="10.0.0.5:9092,10.0.0.4:9092").own_broker
    assert first is not None and second is not None and other is not None
    assert first.cluster == second.cluster != other.cluster
    assert len(first.cluster) == 22


def test_which_machines_run_a_broker(tmp_path: Path) -> None:
    assert settings(tmp_path, kafka_bootstrap="").runs_kafka
    assert settings(tmp_path, kafka_node=1).runs_kafka
    assert not settings(tmp_path).runs_kafka
    assert settings(tmp_path).own_broker is None


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"kafka_node": 4}, "kafka_node: 4 is not one of Kafka's 3 brokers"),
        ({"kafka_node": 1, "kafka_bootstrap": "10.0.0.5:9092,10.0.0.5:9092"}, "list every broker once"),
        ({"kafka_node": 1, "kafka_bootstrap": "kafka"}, "'kafka' is no host:port"),
        ({"kafka_node": 2, "host": "127.0.0.1"}, "set VITRINE_HOST to the address that 10.0.0.5"),
        ({"kafka_node": 1, "kafka_cluster": "mine"}, "kafka_cluster: 'mine' is no id"),
        (
            {
                "kafka_node": 1,
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_username": "u",
                "kafka_sasl_password_file": "/p",
            },
            "by certificates, not by passwords",
        ),
    ],
)
def test_settings_that_make_no_kafka_are_refused_with_the_next_step(
    tmp_path: Path, chosen: dict[str, Any], says: str
) -> None:
    with pytest.raises(OperatorError, match=says):
        settings(tmp_path, **chosen)

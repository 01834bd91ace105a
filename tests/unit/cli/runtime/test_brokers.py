"""What several brokers are told, and on which folders they refuse to start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.runtime.kafka import broker_part
from cli.runtime.kafka.joining import check_empty, check_folder
from cli.runtime.kafka.properties import node_properties
from schemas.access.kafka import KafkaAccess
from schemas.access.quorum import KafkaNode
from schemas.errors import OperatorError
from schemas.settings import load_settings

NODES = (("10.0.0.4", 9092), ("10.0.0.5", 9092), ("10.0.0.6", 9092))
ID = "UXYQp6O41-EJkj500g39Jg"


def node(number: int = 2, count: int = 3, **chosen: Any) -> KafkaNode:
    return KafkaNode(number, NODES[:count], NODES[number - 1][0], **{"cluster": ID, **chosen})


def values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_broker_of_several_listens_at_its_address_and_keeps_three_replicas(tmp_path: Path) -> None:
    said = values(node_properties(node(), KafkaAccess("10.0.0.4:9092"), tmp_path / "data"))
    assert said["node.id"] == "2"
    assert said["listeners"] == "PLAINTEXT://10.0.0.5:9092,CONTROLLER://10.0.0.5:9093"
    assert said["controller.quorum.voters"] == "1@10.0.0.4:9093,2@10.0.0.5:9093,3@10.0.0.6:9093"
    assert (said["default.replication.factor"], said["min.insync.replicas"]) == ("3", "2")
    assert said["offsets.topic.replication.factor"] == "3"
    assert "metadata.max.idle.interval.ms" not in said


def test_certificates_are_demanded_of_clients_and_of_the_other_brokers(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
    for name, text in {"ca.pem": "authority", "own.pem": "certificate\n", "own.key": key}.items():
        (tmp_path / name).write_text(text)
    access = KafkaAccess(
        "10.0.0.4:9092",
        protocol="SSL",
        ca=str(tmp_path / "ca.pem"),
        certificate=str(tmp_path / "own.pem"),
        key=str(tmp_path / "own.key"),
    )
    text = node_properties(node(), access, tmp_path / "data")
    said = values(text)
    assert said["listeners"] == "SSL://10.0.0.5:9092,CONTROLLER://10.0.0.5:9093"
    assert said["listener.security.protocol.map"] == "SSL:SSL,CONTROLLER:SSL"
    assert said["ssl.client.auth"] == "required"
    assert "c2VjcmV0" not in text
    store = Path(said["ssl.keystore.location"])
    assert store.read_text() == key + "certificate\n"
    assert store.stat().st_mode & 0o777 == 0o600


def test_open_broker_at_an_address_of_the_network_is_refused(tmp_path: Path) -> None:
    chosen = {"kafka_bootstrap": "10.0.0.4:9092,10.0.0.5:9092", "kafka_node": 2, "host": "10.0.0.5"}
    settings = load_settings({}, home=str(tmp_path), **chosen)
    with pytest.raises(OperatorError, match=r"Kafka would be open to every machine.*kafka_tls_ca"):
        broker_part(settings)
    half = load_settings({}, home=str(tmp_path), **chosen, kafka_security_protocol="SSL", kafka_tls_ca="/ca.pem")
    with pytest.raises(OperatorError, match="needs kafka_tls_certificate, kafka_tls_key"):
        broker_part(half)


def formatted(folder: Path, number: int = 2, cluster: str = ID) -> Path:
    (folder / "meta.properties").write_text(f"#\nversion=1\ncluster.id={cluster}\nnode.id={number}\n")
    return folder


def test_folder_of_another_kafka_or_broker_is_refused_with_what_to_set(tmp_path: Path) -> None:
    check_folder(node(), formatted(tmp_path), "1@a:1,2@b:1,3@c:1")
    with pytest.raises(OperatorError, match="VITRINE_KAFKA_CLUSTER=another"):
        check_folder(node(), formatted(tmp_path, cluster="another"), "")
    with pytest.raises(OperatorError, match="VITRINE_KAFKA_NODE=3"):
        check_folder(node(), formatted(tmp_path, 3), "")


@pytest.mark.parametrize(("before", "after", "may"), [(1, 2, True), (2, 3, True), (3, 2, True), (1, 3, False)])
def test_kafka_grows_by_one_broker_at_a_time(tmp_path: Path, before: int, after: int, may: bool) -> None:
    data, voters = formatted(tmp_path, 1), ",".join(f"{n}@a:1" for n in range(1, before + 1))
    if may:
        check_folder(node(1, after), data, voters)
    else:
        with pytest.raises(OperatorError, match="grows by one at a time"):
            check_folder(node(1, after), data, voters)


def test_empty_folder_waits_for_those_that_have_the_log_unless_it_cannot_outvote_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cli.runtime.kafka.joining.ANSWER_S", 0.0)
    nobody = KafkaAccess("127.0.0.1:1")
    check_empty(node(2), nobody)
    check_empty(node(2, 2, joins=True), nobody)
    for number in (2, 3):
        with pytest.raises(OperatorError, match=f"broker {number} has an empty folder, and the others do not answer"):
            check_empty(node(number, joins=True), nobody)

"""How clients are told the way into Kafka: librdkafka's, and Flink's."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.pipeline.flink.kafka_properties import connector_properties
from jobs.pipeline.flink.topology import kafka_options
from messaging.access import client_options
from schemas.access.kafka import KafkaAccess
from schemas.errors import OperatorError

PASSWORD = 'a "long" \\ and {odd}'
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def access(tmp_path: Path) -> KafkaAccess:
    files = {"password": PASSWORD + "\n", "ca.pem": "authority", "client.pem": "certificate\n", "client.key": KEY}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return KafkaAccess(
        "kafka-1:9093,kafka-2:9093",
        protocol="SASL_SSL",
        username='shop"1',
        password_file=str(tmp_path / "password"),
        ca=str(tmp_path / "ca.pem"),
        certificate=str(tmp_path / "client.pem"),
        key=str(tmp_path / "client.key"),
        flink_secrets=str(tmp_path / "flink" / "kafka-secrets.properties"),
    )


def test_open_kafka_is_an_address_alone() -> None:
    options = client_options("127.0.0.1:9092")
    assert (options["bootstrap.servers"], options["security.protocol"]) == ("127.0.0.1:9092", "PLAINTEXT")
    assert not [name for name in options if name.startswith(("sasl.", "ssl."))]
    assert connector_properties("127.0.0.1:9092") == {"bootstrap.servers": "127.0.0.1:9092"}


def test_librdkafka_gets_the_password_and_the_files(access: KafkaAccess) -> None:
    options = client_options(access)
    assert options["sasl.password"] == PASSWORD
    assert options["sasl.mechanism"] == "SCRAM-SHA-512"
    assert options["ssl.ca.location"] == access.ca
    assert options["ssl.key.location"] == access.key


def test_job_names_the_file_of_secrets_and_holds_none(access: KafkaAccess) -> None:
    options = kafka_options(access)
    for shown in (str(options), pickle.dumps(access).decode("latin-1"), repr(access), str(access)):
        assert "odd" not in shown
        assert "c2VjcmV0" not in shown
    file = Path(access.flink_secrets)
    assert options["properties.sasl.jaas.config"] == f"${{file:{file}:sasl.jaas.config}}"
    assert options["properties.ssl.keystore.key"] == f"${{file:{file}:ssl.keystore.key}}"
    assert file.stat().st_mode & 0o777 == 0o600
    login, chain, key = file.read_text().splitlines()
    # Once quoted for the login module, once more for a file of Java properties.
    assert login.endswith(r'required username="shop\\"1" password="a \\"long\\" \\\\ and {odd}";')
    assert chain == r"ssl.keystore.certificate.chain=certificate\n"
    assert key.startswith(r"ssl.keystore.key=-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n")


def test_file_of_secrets_is_made_anew_with_each_job(access: KafkaAccess) -> None:
    connector_properties(access)
    Path(access.password_file).write_text("changed")
    connector_properties(access)
    folder = Path(access.flink_secrets).parent
    assert 'password="changed"' in Path(access.flink_secrets).read_text()
    assert len(list(folder.iterdir())) == 1


def test_key_that_java_cannot_read_is_refused_with_the_command_that_mends_it(access: KafkaAccess) -> None:
    Path(access.key).write_text("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n")
    with pytest.raises(OperatorError, match="openssl pkcs8") as refused:
        connector_properties(access)
    assert "c2VjcmV0" not in str(refused.value)


def test_files_that_cannot_be_used_are_named(access: KafkaAccess, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"gone \(kafka_sasl_password_file\) cannot be read: No such file"):
        client_options(replace(access, password_file=str(tmp_path / "gone")))
    Path(access.password_file).write_text("\n")
    with pytest.raises(OperatorError, match="is empty"):
        client_options(access)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"protocol": "SASL_SSL"}, "kafka_sasl_username and kafka_sasl_password_file"),
        ({"protocol": "SASL_SSL", "username": "u"}, "kafka_sasl_password_file"),
        ({"protocol": "SSL", "username": "u"}, "SASL_SSL"),
        ({"password_file": "/p"}, "SASL_SSL"),
        ({"ca": "/ca"}, "SSL or SASL_SSL"),
        ({"protocol": "SSL", "certificate": "/c"}, "belong together"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, str], says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        KafkaAccess("kafka:9093", **values)

"""What Kafka, Flink and the services are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cli.runtime.environment import child_environment, settings_environment
from cli.runtime.flink.access import KEY_HEADER, FlinkAccess, flink_key
from cli.runtime.flink.configuration import flink_config, write_configuration
from cli.runtime.flink.jvm import DOORS_JAR, doors_option, java_options
from cli.runtime.flink.parts import client_environment, flink_environment
from cli.runtime.flink.rest import root_cause
from cli.runtime.kafka import server_properties
from cli.runtime.programs import REPOSITORY
from cli.runtime.services import services
from schemas.access.exposure import check_grpc_exposure, check_http_exposure, is_loopback
from schemas.errors import OperatorError
from schemas.layout import Layout
from schemas.settings import load_settings


def test_settings_survive_the_environment_of_a_child(tmp_path: Path) -> None:
    settings = load_settings(
        {}, home=str(tmp_path), shards=3, fetch_allowed_hosts=["a.example", "*.b.example"], snapshot_interval_s=1.5
    )
    assert load_settings(settings_environment(settings)) == settings
    profiles = {"popular": {"relevance": 1.0, "sales": {"weight": 0.3, "half": 500}}}
    ranked = load_settings({}, home=settings.home, rank_profiles=profiles, filter_attributes=["material:keyword"])
    assert load_settings(settings_environment(ranked)) == ranked
    assert ranked.profiles["popular"].measures[0][1].half == 500
    assert ranked.profiles["learned"].learned
    assert load_settings({}, home=settings.home, learned_rank=False).profiles == {}


def test_child_gets_no_setting_of_its_parents_environment(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("VITRINE_KAFKA_BOOTSTRAP", "elsewhere:9092")
    monkeypatch.setenv("VITRINE_SHARED", "/kept")
    environment = child_environment(load_settings({}, home=str(tmp_path)))
    assert environment["VITRINE_KAFKA_BOOTSTRAP"] == ""
    assert environment["VITRINE_SHARED"] == "/kept"


def test_kafka_listens_on_loopback_only(tmp_path: Path) -> None:
    text = server_properties(
        load_settings({}, home=str(tmp_path), host="0.0.0.0", kafka_port=19092).kafka_port, tmp_path
    )
    values = dict(line.split("=", 1) for line in text.splitlines())
    assert values["listeners"] == "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert values["auto.create.topics.enable"] == "false"
    assert values["message.max.bytes"] == str(16 * 1024 * 1024)


def test_flink_configuration_is_yaml_and_stays_on_loopback(tmp_path: Path) -> None:
    settings = load_settings({}, home=str(tmp_path), host="0.0.0.0", flink_port=18999, parallelism=3)
    config = yaml.safe_load(flink_config(settings, 4711))
    assert config["rest.port"] == 18999
    assert config["rest.bind-address"] == config["taskmanager.bind-host"] == "127.0.0.1"
    assert config["taskmanager.numberOfTaskSlots"] >= 2 * settings.parallelism
    assert config["jobmanager.rpc.port"] == 4711


def test_flink_of_several_machines_listens_on_their_own_address_for_whoever_has_the_key(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("of: the machines\n")
    settings = load_settings(
        {},
        home=str(tmp_path / "home"),
        host="10.0.0.6",
        flink_address="10.0.0.5",
        flink_tls_keystore_file=str(tmp_path / "flink.p12"),
        flink_tls_password_file=str(tmp_path / "password"),
    )
    write_configuration(settings)
    file = settings.layout.flink_conf / "config.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    config = yaml.safe_load(file.read_text())
    assert (config["jobmanager.rpc.address"], config["jobmanager.rpc.port"]) == ("10.0.0.5", 6123)
    assert config["taskmanager.host"] == config["taskmanager.bind-host"] == "10.0.0.6"
    assert config["rest.bind-address"] == "127.0.0.1"
    assert config["security.ssl.internal.enabled"] is True
    assert config["security.ssl.internal.keystore-password"] == "of: the machines"
    open_to_all = load_settings({}, home=str(tmp_path), host="10.0.0.6", flink_address="10.0.0.5")
    with pytest.raises(OperatorError, match="set flink_tls_keystore_file, flink_tls_password_file"):
        write_configuration(open_to_all)


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"flink_address": "a b"}, "no host"),
        ({"flink_address": "stream:70000"}, "no host"),
        ({"flink_address": "stream", "host": "0.0.0.0"}, "set VITRINE_HOST to the address"),
        ({"flink_address": "10.0.0.5"}, "set VITRINE_HOST to the address"),
        ({"flink_address": "10.0.0.5", "host": "10.0.0.5", "flink_tls_keystore_file": "/k"}, "belong together"),
        ({"flink_tls_keystore_file": "/k"}, "name its job manager in flink_address"),
    ],
)
def test_settings_of_flinks_network_that_contradict_each_other_say_so(chosen: dict[str, str], problem: str) -> None:
    with pytest.raises(OperatorError, match=problem):
        _ = load_settings({}, home="/nowhere", **chosen).flink_network


def test_flink_lets_nobody_submit_or_cancel_by_its_dashboard(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    config = yaml.safe_load(flink_config(load_settings({}, home=str(tmp_path)), 4711))
    assert not any(config[f"web.{what}.enable"] for what in ("submit", "cancel", "rescale"))
    assert not config["rest.profiling.enabled"]
    assert config["web.access-control-allow-origin"] == "http://127.0.0.1:8081"
    assert config["vitrine.doors.key-file"] == str(layout.flink_key)
    assert "-javaagent:" in config["env.java.opts.all"]
    assert "--add-opens=java.base/java.lang=ALL-UNNAMED" in config["env.java.opts.all"]


def test_key_is_made_once_and_told_to_the_clients_of_this_home_alone(tmp_path: Path) -> None:
    settings, layout = load_settings({}, home=str(tmp_path)), Layout(tmp_path)
    key = flink_key(layout)
    assert len(key) == 64
    assert flink_key(layout) == key
    assert layout.flink_key.stat().st_mode & 0o777 == 0o600
    assert client_environment(settings, FlinkAccess.of(settings))["FLINK_REST_CLIENT_HEADERS"] == f"{KEY_HEADER}:{key}"
    assert key not in str(client_environment(settings, FlinkAccess("flink.example.com:8081")))
    assert key not in str(flink_environment(settings))


def test_jars_in_a_folder_that_flink_cannot_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "with space" / "doors"
    folder.mkdir(parents=True)
    (folder / DOORS_JAR).touch()
    monkeypatch.setenv("VITRINE_JARS", str(folder.parent))
    with pytest.raises(OperatorError, match="VITRINE_JARS"):
        doors_option()


def test_container_of_flink_makes_the_same_choices(tmp_path: Path) -> None:
    ours = yaml.safe_load(flink_config(load_settings({}, home=str(tmp_path)), 4711))
    theirs = yaml.safe_load((REPOSITORY / "docker" / "flink" / "config.yaml").read_text())
    same = [key for key in ours if key.startswith(("web.", "rest.profiling")) and key.endswith(("enable", "enabled"))]
    assert len(same) == 4
    same += [key for key in ours if key.startswith(("heartbeat.", "cluster.", "classloader."))]
    for key in (*same, "jobmanager.bind-host", "taskmanager.bind-host", "jobmanager.rpc.address", "taskmanager.host"):
        assert theirs[key] == ours[key], key
    modules = [option for option in java_options() if option.startswith("--")]
    assert theirs["env.java.opts.all"].split()[1:] == modules
    assert theirs["vitrine.doors.key-file"] == "/var/lib/vitrine/flink/key"
    assert theirs["rest.bind-address"] == "0.0.0.0"
    assert f"{DOORS_JAR}=8081 " in theirs["env.java.opts.all"], "the published port, and no other, on every address"


def test_containers_are_open_only_where_they_say_so() -> None:
    services = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text())["services"]
    settings = {
        name: load_settings(service["environment"])
        for name, service in services.items()
        if service.get("image", "").startswith("vitrine-")
    }
    assert [name for name, each in settings.items() if each.allow_open_address] == ["blender"]
    assert [name for name, each in settings.items() if not is_loopback(each.host)] == ["blender"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    check_http_exposure(settings["blender"])
    check_grpc_exposure(settings["broker"])


def test_every_shard_and_replica_has_a_searcher_of_its_own_port(tmp_path: Path) -> None:
    settings = load_settings({}, home=str(tmp_path), shards=3, replicas=2)
    names = [service.name for service in services(settings) if service.name.startswith("searcher")]
    assert names == ["searcher-0-0", "searcher-0-1", "searcher-1-0", "searcher-1-1", "searcher-2-0", "searcher-2-1"]
    ports = [settings.tier.searcher_port(shard, replica) for shard in range(3) for replica in range(2)]
    assert len({*ports, settings.grpc_port}) == 7


def test_root_cause_prefers_the_python_error() -> None:
    trace = """java.lang.RuntimeException: Failed to create stage bundle factory!
\tat org.apache.flink.Some.method(Some.java:1)
Caused by: java.util.concurrent.ExecutionException: wrapped
Caused by: Error received from SDK harness: Traceback (most recent call last):
  File "x.py", line 1, in process
schemas.errors.OperatorError: the store is locked by process 7
"""
    assert root_cause(trace) == "schemas.errors.OperatorError: the store is locked by process 7"


def test_root_cause_of_a_java_trace_is_its_innermost_cause() -> None:
    trace = "java.lang.RuntimeException: outer\n\tat a.b.C\nCaused by: java.io.IOException: disk full\n\tat a.b.D"
    assert root_cause(trace) == "Caused by: java.io.IOException: disk full"

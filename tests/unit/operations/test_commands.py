"""Every command that an image or a unit is told to run is a command of ours, for a part that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.main import build_parser, main
from cli.runtime.flink.parts import JOB_MANAGER, TASK_MANAGER
from cli.runtime.kafka import NAME as KAFKA
from cli.runtime.launch.becoming import part_names
from cli.runtime.programs import flink_home
from cli.runtime.services import service_parts, services
from cli.runtime.watchdog.state import NAME as WATCHDOG
from schemas.settings import load_settings
from tests.support.deployed import cluster_settings, compose, image_commands, of_kind, unit_commands, units

INSTALLED = "/opt/vitrine/.venv/bin/vitrine"
COMMANDS = [*image_commands(), *unit_commands()]


def words(command: list[str]) -> list[list[str]]:
    """The `vitrine` commands in it, without the program's name."""
    if command[:2] == ["sh", "-c"]:
        return [part.split()[1:] for part in re.split(r"; |&& ", command[2])]
    return [command[1:]] if command[0] in ("vitrine", INSTALLED) else []


@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=[where for where, _ in COMMANDS])
def test_command_is_one_that_can_be_run(where: str, command: list[str]) -> None:
    if command[0].endswith(".sh"):
        assert (flink_home() / "bin" / command[0]).exists()
    elif command[0] == "python":
        compile(command[2], where, "exec")
    else:
        assert words(command)
        for arguments in words(command):
            assert build_parser().parse_args(arguments).run


def test_compose_runs_the_parts_that_start_would() -> None:
    run = {name: service["command"] for name, service in compose().items() if service["image"] == "vitrine-serving"}
    settings = load_settings(compose()["broker"]["environment"], home="/var/lib/vitrine")
    assert run == {service.name: ["vitrine", "part", service.name] for service in services(settings)}
    flink = [name for name, service in compose().items() if service["image"] == "vitrine-flink"]
    assert [f"flink-{name}" for name in flink] == [JOB_MANAGER, TASK_MANAGER]


def test_cluster_runs_the_parts_that_start_would() -> None:
    run = []
    for document in of_kind("StatefulSet"):
        (container,) = document["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["vitrine", "part", "$(POD_NAME)"]
        run += [f"{document['metadata']['name']}-{pod}" for pod in range(document["spec"]["replicas"])]
    for document in of_kind("Deployment"):
        (container,) = document["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["vitrine", "part", document["metadata"]["name"]]
        run.append(document["metadata"]["name"])
    assert sorted(run) == sorted(service.name for service in services(cluster_settings()))


def test_target_wants_the_parts_that_start_would() -> None:
    wanted = [
        unit for _, name, value in units()["vitrine.target"] if name == "Wants" for unit in value.split()
    ]  # fmt: skip
    parts = part_names(load_settings({}, home="/var/lib/vitrine"))
    assert wanted[: len(parts)] == [f"vitrine@{name}.service" for name in parts]
    assert {f"{name.partition('.')[0]}.timer" for name in units() if name.endswith(".timer")} == set(
        wanted[len(parts) :]
    )


def test_parts_are_listed_and_a_wrong_one_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    monkeypatch.setenv("VITRINE_SHARDS", "1")
    assert main(["part"]) == 0
    listed = capsys.readouterr().out.split()
    assert listed == [KAFKA, JOB_MANAGER, TASK_MANAGER, WATCHDOG, "searcher-0-0", "broker", "blender", "heartbeat"]
    assert main(["part", "searcher-1-0"]) == 2
    assert capsys.readouterr().err.startswith("vitrine: there is no part searcher-1-0; there are kafka, ")
    monkeypatch.setenv("VITRINE_KAFKA_BOOTSTRAP", "kafka.example:9092")
    assert KAFKA not in part_names(load_settings())


def test_blender_has_the_environment_that_embedding_needs(tmp_path: Path) -> None:
    blender = next(part for part in service_parts(load_settings({}, home=str(tmp_path))) if part.name == "blender")
    assert any(name.startswith("MALLOC_") for name in blender.environment)

"""What Kafka's and Flink's JVMs are started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.runtime.class_data import class_data, class_options, recording
from cli.runtime.flink.jvm import (
    JOB_MANAGER_MEMORY,
    TASK_MANAGER_MEMORY,
    client_command,
    doors_option,
    job_jars,
    job_manager_command,
    task_manager_command,
)
from cli.runtime.programs import jar_folder
from schemas.layout import Layout


def test_archive_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_JARS", str(tmp_path))
    assert class_options("kafka", "a.jar") == ["-cp", "a.jar"]
    class_data().mkdir()
    archive = class_data() / "kafka.jsa"
    archive.touch()
    assert class_options("kafka", "a.jar")[0] == f"-XX:SharedArchiveFile={archive}"
    assert class_options("flink-client", "a.jar") == ["-cp", "a.jar"]


def test_recording_writes_down_classes_and_uses_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_JARS", str(tmp_path))
    class_data().mkdir()
    (class_data() / "kafka.jsa").touch()
    with recording(tmp_path) as recorded:
        options = class_options("kafka", "a.jar:b.jar")
    assert options == [f"-XX:DumpLoadedClassList={recorded.classes('kafka')}", "-cp", "a.jar:b.jar"]
    assert recorded.programs == {"kafka": "a.jar:b.jar"}
    assert "SharedArchiveFile" in class_options("kafka", "a.jar:b.jar")[0]


def test_heap_and_direct_memory_are_what_the_configuration_divides(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    manager, worker = job_manager_command(layout), task_manager_command(layout)
    assert f"-Xmx{JOB_MANAGER_MEMORY['heap.size']}m" in manager
    assert "-Xmx813m" in worker
    assert "-XX:MaxDirectMemorySize=704m" in worker
    totals = [
        sum(size for name, size in memory.items() if not name.endswith(".min"))
        for memory in (JOB_MANAGER_MEMORY, TASK_MANAGER_MEMORY)
    ]
    assert totals == [896, 2112]


def test_clocks_of_flinks_rpc_system_are_slow_in_both_its_processes(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for command in (job_manager_command(layout), task_manager_command(layout)):
        # In front of the main class: behind it the JVM would not see it.
        assert command.index("-Dpekko.scheduler.tick-duration=100ms") < command.index("--configDir") - 1


def test_task_manager_offers_what_slots_may_ask_for_and_writes_a_log_of_its_own(tmp_path: Path) -> None:
    plain = task_manager_command(Layout(tmp_path))
    command = task_manager_command(Layout(tmp_path), offers={"extraction": 4}, log="extraction-0")
    at = command.index("--configDir")
    assert command[at + 2 :] == ["-Dexternal-resources=extraction", "-Dexternal-resource.extraction.amount=4"]
    assert plain[plain.index("--configDir") + 2 :] == []
    logs = [next(option for option in each if option.startswith("-Dlog.file=")) for each in (plain, command)]
    assert "taskexecutor-0" in logs[0]
    assert "extraction-0" in logs[1]


@pytest.fixture
def jars_of_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the jars that Maven brought and that are ours, and nothing that is made of Flink's."""
    folder = tmp_path / "jars"
    folder.mkdir()
    for kind in ("doors", "flink"):
        (folder / kind).symlink_to(jar_folder() / kind)
    monkeypatch.setenv("VITRINE_JARS", str(folder))
    return folder


def class_path(command: list[str]) -> list[str]:
    return command[command.index("-cp") + 1].split(":")


@pytest.mark.usefixtures("jars_of_setup")
def test_every_jvm_of_flink_has_closed_doors_and_the_distribution_behind_its_other_jars(tmp_path: Path) -> None:
    for command, further in (
        (job_manager_command(Layout(tmp_path)), job_jars()),
        (client_command(Layout(tmp_path)), []),
    ):
        assert doors_option() in command
        found = class_path(command)
        own = found[: len(found) - len(further)]
        assert Path(own[-1]).name.startswith("flink-dist")
        assert own[:-1] == sorted(own[:-1])
        assert found[len(own) :] == [str(jar) for jar in further]


def test_jars_that_setup_unpacked_stand_for_their_loaders(tmp_path: Path, jars_of_setup: Path) -> None:
    layout = Layout(tmp_path)
    before = {"client": class_path(client_command(layout)), "manager": class_path(job_manager_command(layout))}
    unpacked = jars_of_setup / "unpacked"
    unpacked.mkdir()
    names = "vitrine-unpacked.jar", "flink-rpc-akka.jar", "flink-table-planner.jar"
    for name in names[:-1]:
        (unpacked / name).touch()
    manager = class_path(job_manager_command(layout))
    assert manager == [*before["manager"], *(str(unpacked / name) for name in names[:2])]
    assert class_path(task_manager_command(layout)) == manager
    assert class_path(client_command(layout)) == before["client"], "the planner is not there yet"
    (unpacked / names[-1]).touch()
    (loader,) = (jar for jar in before["client"] if "planner-loader" in jar)
    kept = [jar for jar in before["client"] if jar != loader]
    assert class_path(client_command(layout)) == [*kept, str(unpacked / names[-1])]

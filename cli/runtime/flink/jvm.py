"""Flink's Java programs, their memory and their command lines.

Flink's shell scripts start two JVMs more for each of them, a second each, to
read the configuration that we have just written and to divide the memory that
we could as well have divided; so they are started without.
"""

from __future__ import annotations

import glob
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cli.runtime.class_data import archive_options, class_options
from cli.runtime.jit import LATE, QUICK
from cli.runtime.programs import flink_home, jar_folder, jars, java
from schemas.errors import OperatorError
from schemas.layout import Layout

DOORS_JAR = "vitrine-doors.jar"

JOB_MANAGER_MEMORY = {
    "heap.size": 384,
    "off-heap.size": 128,
    "jvm-metaspace.size": 192,
    "jvm-overhead.min": 192,
    "jvm-overhead.max": 192,
}
"""MiB by Flink's names, 896 in all."""

TASK_MANAGER_MEMORY = {
    "framework.heap.size": 128,
    "task.heap.size": 685,
    "framework.off-heap.size": 128,
    "task.off-heap.size": 512,
    "managed.size": 128,
    "network.min": 64,
    "network.max": 64,
    "jvm-metaspace.size": 256,
    "jvm-overhead.min": 211,
    "jvm-overhead.max": 211,
}
"""2,112 in all. Flink's own defaults would reserve 40 % for state that we keep in RocksDB.

Off the heap there is room for what passes to and from the Python workers: a
batch of the longest events is a message of `max.partition.fetch.bytes` and
more, which Beam keeps whole; none of it is used by short ones.
"""

_TICK = "-Dpekko.scheduler.tick-duration=100ms"
"""How often the clocks of Flink's RPC system look, two in each process, by default a hundred times a second.

They time what was asked and not answered, seconds; Flink's heartbeats have a clock of their own.
"""

_RPC = ("vitrine-unpacked.jar", "flink-rpc-akka.jar")
_PLANNER = ("flink-table-planner.jar",)
_PLANNER_LOADER = "flink-table-planner-loader"

CLIENT_OPTIONS = ("-Xmx384m", *QUICK)


@dataclass(frozen=True, slots=True)
class _Program:
    """`log`: its part of the log file's name."""

    name: str
    main: str
    log: str
    log4j: str = "log4j-console.properties"


_JOB_MANAGER = _Program(
    "flink-jobmanager", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "standalonesession-0"
)
_TASK_MANAGER = _Program(
    "flink-taskmanager", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "taskexecutor-0"
)
_CLIENT = _Program("flink-client", "org.apache.flink.client.cli.CliFrontend", "client", "log4j-cli.properties")


def job_manager_command(layout: Layout) -> list[str]:
    memory = JOB_MANAGER_MEMORY
    heap, metaspace = memory["heap.size"], memory["jvm-metaspace.size"]
    options = [*QUICK, f"-Xms{heap}m", f"-Xmx{heap}m", f"-XX:MaxMetaspaceSize={metaspace}m"]
    return [*_java(_JOB_MANAGER, layout, options), "--configDir", str(layout.flink_conf)]


def task_manager_command(
    layout: Layout, *, offers: Mapping[str, int] | None = None, log: str | None = None
) -> list[str]:
    """`offers`: units by name of the external resources that slots may ask for, which only count for Flink.

    `log`: its part of the log file's name, where another task manager of this machine has the usual one.
    """
    memory = TASK_MANAGER_MEMORY
    heap = memory["framework.heap.size"] + memory["task.heap.size"]
    direct = memory["framework.off-heap.size"] + memory["task.off-heap.size"] + memory["network.max"]
    options = [
        *LATE,
        *(f"-Xms{heap}m", f"-Xmx{heap}m", f"-XX:MaxDirectMemorySize={direct}m"),
        f"-XX:MaxMetaspaceSize={memory['jvm-metaspace.size']}m",
    ]
    program = _TASK_MANAGER if log is None else replace(_TASK_MANAGER, log=log)
    offered = offers or {}
    resources = [f"-Dexternal-resources={';'.join(offered)}"] if offered else []
    resources += [f"-Dexternal-resource.{name}.amount={amount}" for name, amount in offered.items()]
    return [*_java(program, layout, options), "--configDir", str(layout.flink_conf), *resources]


def client_command(layout: Layout) -> list[str]:
    """`flink` of the command line; its action (`run ...`) is to follow."""
    return _java(_CLIENT, layout, CLIENT_OPTIONS)


def gateway_options() -> list[str]:
    """Of the JVM that PyFlink starts for a job on a Flink of its own; class path and the rest it adds by itself."""
    home = flink_home()
    # As PyFlink finds them, in its order.
    found = [*glob.glob(str(home / "lib" / "*.jar")), *glob.glob(str(home / "opt" / "flink-python*.jar"))]  # noqa: PTH207
    return [*CLIENT_OPTIONS, *archive_options("flink-gateway", ":".join(found))]


def flink_variables() -> dict[str, str]:
    """What Flink's programs read from their environment, of those that its scripts set."""
    home = flink_home()
    folders = {name.upper(): str(home / name) for name in ("bin", "lib", "opt", "plugins")}
    return {
        "FLINK_HOME": str(home),
        **{f"FLINK_{name}_DIR": folder for name, folder in folders.items()},
        "MAX_LOG_FILE_NUMBER": "10",
        "ROOT_LOG_LEVEL": "INFO",
    }


def java_options() -> list[str]:
    """Of every JVM of Flink's: closed doors, and the modules that Flink opens in a JDK 17."""
    return ["-XX:+IgnoreUnrecognizedVMOptions", doors_option(), *_module_options(flink_home())]


def doors_option() -> str:
    """Keeps every server of a JVM on the loopback address, and guards Flink's REST server in it."""
    jar = next((jar for jar in jars("doors") if jar.name == DOORS_JAR), None)
    if jar is None:
        raise OperatorError(f"{DOORS_JAR} is missing: remove .cache/done/jars and run `make setup`")
    if " " in str(jar):
        raise OperatorError(f"{jar} has a space, which Flink cannot read: copy the jars elsewhere, VITRINE_JARS")
    return f"-javaagent:{jar}"


def _java(program: _Program, layout: Layout, options: tuple[str, ...] | list[str]) -> list[str]:
    log = layout.logs / f"flink-vitrine-{program.log}-{socket.gethostname()}.log"
    log4j = (layout.flink_conf / program.log4j).as_uri()
    return [
        java(),
        *os.environ.get("JVM_ARGS", "").split(),
        *options,
        *java_options(),
        *(f"-Dlog.file={log}", f"-Dlog4j.configurationFile={log4j}", "-Dconsole.log.level=WARN", _TICK),
        *class_options(program.name, _class_path(program)),
        program.main,
    ]


def job_jars() -> list[Path]:
    """Jars that each job brings: where jobs run, their classes come from the archive too, and once for all jobs."""
    return [*(flink_home() / "opt").glob("flink-python*.jar"), *jars("flink")]


def _class_path(program: _Program) -> str:
    """Flink's jars in the order of its scripts, by name, the distribution last; then those of jobs.

    Where setup has taken them out of Flink's jars, the planner lies there for
    the client and the RPC system for the others, in place of the loaders that
    would unpack them at each start (docs/adr/0059-jars-unpacked-once.md).
    """
    found = sorted((flink_home() / "lib").glob("*.jar"), key=lambda jar: (jar.name.startswith("flink-dist"), jar.name))
    if program is not _CLIENT:
        found += [*job_jars(), *_unpacked(_RPC)]
    elif planner := _unpacked(_PLANNER):
        found = [jar for jar in found if not jar.name.startswith(_PLANNER_LOADER)] + planner
    return ":".join(map(str, found))


def _unpacked(names: Sequence[str]) -> list[Path]:
    """All of them, or none where one is missing."""
    found = [jar_folder() / "unpacked" / name for name in names]
    return found if all(jar.exists() for jar in found) else []


def _module_options(home: Path) -> list[str]:
    """Those of Flink's own configuration; taken from there, since they change."""
    file = home / "conf" / "config.yaml"
    found = re.search(
        r"^ {6}all: (--add-\S.*)$|^env\.java\.opts\.all: (.*)$", file.read_text() if file.exists() else "", re.MULTILINE
    )
    if found is None:
        raise OperatorError(f"{file} lacks env.java.opts.all: run `make setup` to reinstall Flink")
    return next(group for group in found.groups() if group).split()

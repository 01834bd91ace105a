"""The job as it was planned last, kept on disk, so that a new job manager need not wait for it to be planned again.

Planning takes a JVM, the SQL planner and a Python process some seconds; what
comes out is always the same while settings, log and code are: functions lie in
it by their names. Flink's REST interface takes it as it is: the serialized graph, the jars, the files that go with it.
Knows no Flink: the client that plans hands the JVM's object over as it is.
"""

from __future__ import annotations

import secrets
import shutil
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import CorruptError

_PLAN = "plan.bin"
_MANIFEST = "plan.json"
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = (
    *("disk", "schemas", "objects", "vision", "feature_store", "indexing", "messaging", "tracing", "generations"),
    "jobs",
)


class KeptPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`graph`: Flink's serialized execution plan. `artifacts`: files of the job by Flink's name for them.

    All are paths. `epoch` (0: it reads no log), `settings` (as JSON) and `code` (`code_digest`) are
    what it was planned for: it is of use for nothing else.
    """

    graph: str
    job_id: str
    jars: list[str]
    artifacts: dict[str, str]
    epoch: int
    settings: str
    code: str

    def for_a_new_job(self) -> bytes:
        """The plan under a job id of its own: Flink takes every id once, names folders by it and remembers it.

        An id is two numbers, which Java writes as the 16 bytes that Flink prints in hexadecimal.
        """
        return Path(self.graph).read_bytes().replace(bytes.fromhex(self.job_id), secrets.token_bytes(16))


def keep(graph: Any, jvm: Any, folder: Path, *, epoch: int, settings: str) -> None:
    """Writes the plan of a job that has just been submitted into `folder`, instead of one before.

    `graph`: the `StreamGraph` in the client's JVM, `jvm` py4j's view of that.
    Files that would be gone with the client are copied beside the plan.
    """
    forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = jvm.java.io.FileOutputStream(str(folder / _PLAN))
    out = jvm.java.io.ObjectOutputStream(jvm.java.io.BufferedOutputStream(file))
    try:
        out.writeObject(graph)
    finally:
        out.close()
    artifacts = {
        str(entry.getKey()): _copied(Path(jvm.java.net.URI(entry.getValue().filePath).getPath()), folder)
        for entry in graph.getUserArtifacts().entrySet()
    }
    plan = KeptPlan(
        graph=str(folder / _PLAN),
        job_id=str(graph.getJobID().toHexString()),
        jars=[str(jar.getPath()) for jar in graph.getUserJars()],
        artifacts=artifacts,
        epoch=epoch,
        settings=settings,
        code=code_digest(),
    )
    if plan.for_a_new_job() == (folder / _PLAN).read_bytes():
        raise CorruptError(f"the plan in {folder} does not hold its job's id {plan.job_id} as Flink 2.3 writes it")
    # Last, and by a rename: a plan without a manifest is none.
    draft = folder / f"{_MANIFEST}.new"
    draft.write_bytes(msgspec.json.encode(plan))
    draft.rename(folder / _MANIFEST)


def forget(folder: Path) -> None:
    """No plan is kept from now on."""
    (folder / _MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def kept(folder: Path, *, epoch: int, settings: str) -> KeptPlan | None:
    """The plan for that log, those settings and the code as it is, with all its files; None where there is none."""
    try:
        plan = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=KeptPlan)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    fits = (plan.epoch, plan.settings, plan.code) == (epoch, settings, code_digest())
    files = (plan.graph, *plan.jars, *plan.artifacts.values())
    return plan if fits and all(Path(file).is_file() for file in files) else None


def code_digest() -> str:
    """BLAKE2b of all our code that runs in a job, hex; some hundredths of a second."""
    digest = blake2b(digest_size=16)
    for file in sorted(file for package in _PACKAGES for file in (_ROOT / package).rglob("*.py")):
        digest.update(str(file.relative_to(_ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _copied(file: Path, folder: Path) -> str:
    return str(shutil.copy2(file, folder / file.name))

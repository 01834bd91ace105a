"""The full index as an engineer handles it: `vitrine build`, `publish`, `alias` against a system, as processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import httpx
import msgspec
import pytest

from cli.runtime.environment import child_environment
from generations.folder import Generations, new_name, seal_generation
from schemas.full_index.generation import Alias, Generation
from tests.support.whole.pictures import write_pictures
from tests.support.whole.talking import added
from tests.system import System


def vitrine(system: System, *arguments: str, code: int = 0, timeout_s: float = 400) -> str:
    """The command's output; it must end with that exit code."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env=child_environment(system.settings),
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert ended.returncode == code, f"vitrine {' '.join(arguments)}: {ended.stdout}\n{ended.stderr}"
    return ended.stdout + ended.stderr


def folder_of(system: System) -> Generations:
    return Generations(system.settings.layout.generations)


def alias(system: System) -> Alias:
    found = folder_of(system).alias()
    assert found is not None
    return found


def serving(system: System) -> Generation:
    """The generation that the alias names."""
    return folder_of(system).read(alias(system).serving)


def newest(system: System) -> Generation:
    return folder_of(system).read(folder_of(system).names()[-1])


def build(system: System, *arguments: str) -> Generation:
    """`vitrine build`: the generation that it made, published unless told otherwise."""
    before = folder_of(system).names()
    vitrine(system, "build", *arguments)
    made = newest(system)
    assert made.name not in before
    return made


def copied(system: System, name: str) -> str:
    """The name of a generation that is another one's equal in every file."""
    folder, copy = folder_of(system), new_name()
    whole = folder.read(name)
    for shard in range(len(whole.shards)):
        shutil.copytree(folder.shard_folder(name, shard), folder.shard_folder(copy, shard))
    seal_generation(folder.folder / copy, msgspec.structs.replace(whole, name=copy))
    return copy


def stock(system: System, name: str, count: int, first: int) -> list[str]:
    """Produces that many products of one picture each and waits until all of them are searchable."""
    urls = write_pictures(system.home / name, range(first, first + count))
    ids = [f"{name}-{number}" for number in range(count)]
    system.produce(*(added(i, url, price=n, title=i) for n, (i, url) in enumerate(zip(ids, urls, strict=True))))
    system.wait_searchable(ids)
    return ids


def search(system: System, photo: bytes, generation: str = "", limit: int = 20) -> dict[str, Any]:
    parameters = {"limit": str(limit)} | ({"generation": generation} if generation else {})
    response = httpx.post(
        f"{system.base}/v1/search/image", params=parameters, files={"image": ("p", photo)}, timeout=60, trust_env=False
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def digests(system: System) -> list[str]:
    """Of the serving generation's shards, in their order."""
    return [digest for _, digest in sorted(system.digests().items())]


def damage(system: System, name: str, shard: int = 0, file: str = "rows.bin") -> None:
    """Turns one bit in the middle of a file round."""
    path = folder_of(system).shard_folder(name, shard) / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def metric(system: System, line: str) -> float:
    """Value of a metric of the blender, by its whole name with labels; fails the test where there is none."""
    for each in httpx.get(f"{system.base}/metrics", timeout=60, trust_env=False).text.splitlines():
        if each.startswith(f"{line} "):
            return float(each.rpartition(" ")[2])
    pytest.fail(f"no metric {line}")


def status(system: System) -> dict[str, Any]:
    """`vitrine status --json`, whatever it finds."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "status", "--json"],
        env=child_environment(system.settings),
        capture_output=True,
        text=True,
        timeout=300,
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found

"""The shape of the tree: files that one reads at a sitting, folders whose names one remembers.

Counted are Python files that git would keep. A file's length is its lines, all
of them; a folder's size is the modules right in it, its `__init__.py` not being
one. What is generated is nobody's to shorten.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "disk", "schemas", "objects", "devices", "vision", "feature_store", "indexing", "messaging", "tracing",
    "generations", "sample", "search_report", "jobs", "serving", "vitrine_client", "cli", "benchmarks", "docker",
    "tests",
)  # fmt: skip
MAX_LINES = 350
MAX_MODULES = 15
GENERATED = ("schemas/search_pb2.py", "schemas/search_pb2_grpc.py")


@cache
def modules() -> tuple[str, ...]:
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    return tuple(sorted(file.relative_to(ROOT).as_posix() for file in files))


def too_long(lines: dict[str, int]) -> list[str]:
    return [
        f"{file} has {count} lines, more than {MAX_LINES}: look for the second idea in it"
        for file, count in lines.items()
        if count > MAX_LINES and file not in GENERATED
    ]


def too_full(files: tuple[str, ...]) -> list[str]:
    counts = Counter(file.rpartition("/")[0] for file in files if not file.endswith("/__init__.py"))
    return [
        f"{folder} has {count} modules, more than {MAX_MODULES}: give those of one idea a folder"
        for folder, count in sorted(counts.items())
        if count > MAX_MODULES
    ]


def test_no_file_is_too_long() -> None:
    lines = {file: (ROOT / file).read_bytes().count(b"\n") for file in modules()}
    assert len(lines) > 1000
    assert too_long(lines) == []


def test_no_folder_is_too_full() -> None:
    assert too_full(modules()) == []


def test_generated_files_are_there_and_say_so() -> None:
    for file in GENERATED:
        assert "protocol" in (ROOT / file).read_text(encoding="utf-8")[:200].lower()


@pytest.mark.parametrize(("count", "wrong"), [(MAX_LINES, False), (MAX_LINES + 1, True)])
def test_a_long_file_is_noticed(count: int, wrong: bool) -> None:
    assert bool(too_long({"jobs/long.py": count})) is wrong


@pytest.mark.parametrize(("count", "wrong"), [(MAX_MODULES, False), (MAX_MODULES + 1, True)])
def test_a_full_folder_is_noticed(count: int, wrong: bool) -> None:
    files = ("jobs/full/__init__.py", *(f"jobs/full/m{number}.py" for number in range(count)))
    assert bool(too_full(files)) is wrong

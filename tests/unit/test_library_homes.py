"""A library has one home (docs/adr/0001): what the layers of import-linter cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "disk", "schemas", "objects", "devices", "vision", "feature_store", "indexing", "messaging", "tracing",
    "generations", "sample", "search_report", "jobs", "serving", "vitrine_client", "cli",
)  # fmt: skip

HOMES: dict[str, str | tuple[str, ...]] = {
    "torch": ("vision", "devices", "indexing/training/card.py"),
    "torchvision": "vision",
    "openvino": "vision/openvino",
    "rapidocr": "vision/words",
    "rocksdict": "feature_store/rocks",
    "redis": "feature_store/server",
    "boto3": "objects",
    "botocore": "objects",
    "faiss": "indexing",
    "lightgbm": "indexing/ranking/growing.py",
    "scipy": "indexing/category/training.py",
    "confluent_kafka": "messaging",
    "psycopg": "cli/importers/database",
    "kafka": "messaging",
    "opentelemetry": "tracing",
    "pyflink": "jobs",
    "py4j": "jobs",
    "fastapi": "serving/blender",
    "uvicorn": "serving/blender",
}
"""Top-level module -> the only folders or files of ours that may import it."""


@cache
def imports() -> dict[str, frozenset[str]]:
    """Top-level modules that each of our files imports, anywhere in it."""
    found: dict[str, frozenset[str]] = {}
    for file in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module or "")
        found[file.relative_to(ROOT).as_posix()] = frozenset(name.split(".")[0] for name in names)
    return found


def importers(library: str) -> list[str]:
    return [file for file, libraries in imports().items() if library in libraries]


@pytest.mark.parametrize(("library", "home"), HOMES.items(), ids=list(HOMES))
def test_library_is_imported_at_its_home_alone(library: str, home: str | tuple[str, ...]) -> None:
    homes = (home,) if isinstance(home, str) else home
    assert [f for f in importers(library) if not any(f == each or f.startswith(f"{each}/") for each in homes)] == []


WITHOUT = {
    "serving.broker.main": ("faiss", "torch", "pyflink", "rocksdict"),
    "serving.blender.main": ("faiss", "torch", "pyflink", "rocksdict", "lightgbm", "scipy"),
    "serving.heartbeat.main": ("faiss", "torch", "pyflink", "rocksdict", "pyarrow"),
    "jobs.realtime_index.main": ("faiss", "torch"),
    "jobs.full_index.build.stages": ("torch",),
    "serving.searcher.main": ("torch", "pyflink", "rocksdict"),
    "jobs.pipeline.extraction.stage": ("faiss", "torch", "pyflink"),
    "cli.runtime.watchdog.main": ("faiss", "torch", "pyflink"),
    "generations.publish": ("faiss", "torch", "pyflink", "rocksdict"),
}
"""Program -> what it does not load to start: memory, and seconds of a restart."""


@pytest.mark.parametrize("program", WITHOUT)
def test_program_loads_no_library_that_it_has_no_use_for(program: str) -> None:
    code = f"import {program}, sys; print(*(name for name in {WITHOUT[program]} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_imports_are_found_at_all() -> None:
    assert {file.rpartition("/")[0] for file in importers("rocksdict")} == {"feature_store/rocks"}


def test_page_lies_where_the_routes_look_for_it() -> None:
    from serving.blender.http.api import PAGE_FOLDER

    assert (PAGE_FOLDER / "index.html").is_file()

"""Each benchmark that the Makefile names is a module that can be run."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_benchmark_of_the_makefile_is_a_module_in_one_of_its_rooms() -> None:
    benches = re.search(r"^BENCHES := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert benches is not None
    names = benches[1].split()
    dry = ["make", "--dry-run", "--always-make", *(f"bench-{name}" for name in names)]
    done = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    modules = re.findall(r"^\S+ -m (benchmarks\S*)$", done.stdout, re.M)
    assert [module.rpartition(".")[2] for module in modules] == names
    assert [module for module in modules if not _runs(module)] == []


def _runs(module: str) -> bool:
    found = importlib.util.find_spec(module)
    return found is not None and (
        not found.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__") is not None
    )

"""A benchmark's result, kept in the tree: figures with the machine, the commit and the parameters they hold for."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.harness.yardstick import yardstick

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"
PROFILE = "VITRINE_BENCH_PROFILE"
"""Environment variable: a folder for flame graphs of every Python process, one each time something is measured, and for
the result, which they falsify."""


def write_result(name: str, parameters: Mapping[str, Any], figures: Mapping[str, Any]) -> Path:
    """Writes `benchmarks/results/<name>.json` (not there with `PROFILE`), prints it, and gives its path.

    Units are in the names of the figures.
    """
    result = {
        "name": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": machine(),
        "parameters": dict(parameters),
        "figures": dict(figures),
    }
    folder = Path(os.environ.get(PROFILE) or RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    text = json.dumps(result, indent=2, ensure_ascii=False)
    file.write_text(text + "\n")
    print(text)
    return file


def rounded(figures: Any) -> Any:
    """The same with every fraction to four digits, however deep it lies."""
    if isinstance(figures, Mapping):
        return {name: rounded(value) for name, value in figures.items()}
    if isinstance(figures, list):
        return [rounded(value) for value in figures]
    return float(f"{figures:.4g}") if isinstance(figures, float | np.floating) else figures


def machine() -> dict[str, Any]:
    """What the figures depend on. `load_1m`: other work that ran beside (the load average before writing); `speed`: see
    `yardstick`."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
        "speed": yardstick(),
    }


def _commit() -> str:
    """The commit, with `+` when the working tree differs from it; `unknown` outside a git checkout."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return f"{commit}+" if _git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()

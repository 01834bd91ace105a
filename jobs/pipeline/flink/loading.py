"""What of Beam is not loaded, since nothing here uses it: half of a Python worker's start, most of a client's.

A worker is started by the program `python` beside this file, which Flink
takes for its interpreter: with the command that starts Beam's harness it comes
to this module (`python -m jobs.pipeline.flink.loading -m pyflink...`).
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path

WORKER_PYTHON = Path(__file__).with_name("python")
"""What Flink is to run its Python workers with (`python.executable`)."""

_BOOT = "pyflink.fn_execution.beam.beam_boot"
_UNUSED = ("bson", "pymongo", "hdfs", "apache_beam.io.gcp.bigquery")
"""Of Beam's sources and sinks, which it does without where they are not installed."""
_LATER = "pandas"
"""Beam has a use for it where it is loaded already. A stage's own import finds it."""


def client_without_beam() -> None:
    """Has the client, which needs one module of `pyflink.fn_execution`, find it without the package's own imports.

    They load all of Beam to see whether it was compiled, which matters to workers alone.
    """
    name = "pyflink.fn_execution"
    spec = importlib.util.find_spec(name)
    if name not in sys.modules and spec is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)


def load_beam() -> None:
    """All that a worker needs of it."""
    put_aside = [name for name in (*_UNUSED, _LATER) if name not in sys.modules]
    for name in put_aside:
        sys.modules[name] = None  # type: ignore[assignment]  # what Python takes for "not installed"
    try:
        importlib.import_module(_BOOT)
    finally:
        for name in put_aside:
            del sys.modules[name]


if __name__ == "__main__":
    load_beam()
    del sys.argv[1:3]
    del sys.modules[_BOOT]
    runpy.run_module(_BOOT, run_name="__main__", alter_sys=True)

"""What processes of Flink's Python load, each looked at in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from jobs.pipeline.flink.loading import WORKER_PYTHON
from schemas.deltas.delta import DeltaBatch, Progress, encode_deltas
from tests.support.serving.world import listed

ROOT = Path(__file__).resolve().parents[3]


def said(*command: str) -> str:
    environment = {**os.environ, "PYFLINK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_worker_has_a_compiled_beam_without_what_it_has_no_use_for() -> None:
    code = (
        "import sys; from jobs.pipeline.flink.loading import load_beam; load_beam();"
        "loaded = [name for name in ('pandas', 'pymongo', 'hdfs') if name in sys.modules];"
        "from pyflink.fn_execution import PYFLINK_CYTHON_ENABLED; import pandas;"
        "print(loaded, PYFLINK_CYTHON_ENABLED, len(pandas.DataFrame({'a': [1]})))"
    )
    assert said(sys.executable, "-c", code) == "[] True 1"


def test_client_describes_functions_without_beam() -> None:
    code = (
        "import sys; from jobs.pipeline.flink.loading import client_without_beam; client_without_beam();"
        "from pyflink.fn_execution import flink_fn_execution_pb2 as found;"
        "print(found.UserDefinedDataStreamFunction.PROCESS, 'apache_beam' in sys.modules)"
    )
    assert said(sys.executable, "-c", code).endswith(" False")


def test_workers_python_is_the_python_that_the_environment_names() -> None:
    assert said(str(WORKER_PYTHON), "-c", "import sys; print(sys.argv, sys.prefix)", "one two") == said(
        sys.executable, "-c", "import sys; print(sys.argv, sys.prefix)", "one two"
    )
    assert "--provision_endpoint" in said(str(WORKER_PYTHON), "-m", "pyflink.fn_execution.beam.beam_boot", "--help")


def test_searcher_that_applies_its_first_deltas_loads_nothing_for_it() -> None:
    """pyarrow's way to numpy loads pandas: seconds in which a process that has just started would follow no log."""
    batch = DeltaBatch("external:shop:3", [Progress(0, 1, 1, 1)])
    listed(batch, "product", [np.ones(3, np.float32)])
    code = (
        "import sys; import serving.searcher.main; from indexing.shard.shard import Shard;"
        "from schemas.deltas.delta import decode_deltas; before = set(sys.modules);"
        "Shard('external:shop:3', 3).apply(decode_deltas(sys.stdin.buffer.read()));"
        "print({name.partition('.')[0] for name in set(sys.modules) - before} - {'numpy'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input=encode_deltas(batch), capture_output=True, check=True
    )
    assert done.stdout.strip() == b"set()"

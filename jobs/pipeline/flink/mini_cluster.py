"""A Flink of the client's own: what must be told it, of streaming and batch jobs alike."""

from __future__ import annotations

import os
from collections.abc import Mapping


def workers_in_processes() -> None:
    """For a mini-cluster, whose Python workers are otherwise threads of the client that take turns.

    PyFlink reads this from the environment alone; call it before the job is made.
    """
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112 - PyFlink's spelling


MINI_CLUSTER: Mapping[str, str] = {
    "rest.address": "127.0.0.1",
    "rest.bind-address": "127.0.0.1",
    "web.submit.enable": "false",
    "web.cancel.enable": "false",
    "web.rescale.enable": "false",
    "web.access-control-allow-origin": "",
}
"""For a Flink of the client's own: nobody but it has business there (docs/adr/0019-closed-doors.md)."""

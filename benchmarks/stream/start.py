"""What a start of the whole system costs, in seconds and in processor seconds of each process, and what rest takes.

A new home is started until its blender is ready: model loaded, every shard
caught up, every task of the job running. Every process is looked at ten times
a second, so that what one used in its last tenth is not counted. Then nothing
happens but heartbeats for `--idle` seconds.

Processor seconds bear other work on the machine better than seconds do.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness.processes import CpuMeter
from benchmarks.harness.result import rounded, write_result
from benchmarks.harness.system import FIRST_PORT, BenchSystem, bench_settings, temporary_home

PORT = FIRST_PORT + 400
LOOK_S = 0.1
SETTLE_S = 5.0
"""After the start, until the JVMs have compiled what they began to."""
_OTHERS = "others"
_LABELS = {
    "kafka.tools.StorageTool": "kafka-storage",
    "kafka.Kafka": "kafka",
    "StandaloneSessionClusterEntrypoint": "flink-jobmanager",
    "TaskManagerRunner": "flink-taskmanager",
    "client.cli.CliFrontend": "flink-client",
    "jobs/realtime_index/main.py": "flink-client-python",
    "jobs.pipeline.extraction.child": "extraction-cnn",
    "pyflink.fn_execution": "flink-python-stages",
    "supervisor.supervisord": "supervisor",
    "cli.runtime.watchdog": "watchdog",
    "cli.runtime.launch": "launch",
    "serving.searcher": "searchers",
    "serving.broker": "broker",
    "serving.blender": "blender",
    "serving.heartbeat": "heartbeat",
}


class Family:
    """Processor seconds of everything that this process has started, from now on to `end`.

    `own_s`: what looking took, which is no part of a start.
    """

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, float], tuple[str, float]] = {}
        self._ended = threading.Event()
        self.own_s = 0.0
        self._thread = threading.Thread(target=self._watch, name="family", daemon=True)
        self._thread.start()

    def end(self) -> dict[str, float]:
        """By label, largest first."""
        self._ended.set()
        self._thread.join()
        found: dict[str, float] = defaultdict(float)
        for label, seconds in self._seconds.values():
            found[label] += seconds
        return dict(sorted(found.items(), key=lambda entry: -entry[1]))

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._ended.wait(LOOK_S):
            for process in own.children(recursive=True):
                try:
                    times = process.cpu_times()
                    key = process.pid, process.create_time()
                    known, _ = self._seconds.get(key, (_OTHERS, 0.0))
                    label = _label(process)
                    # One that is just ending has no command any more.
                    self._seconds[key] = known if label == _OTHERS else label, times.user + times.system
                except psutil.NoSuchProcess:
                    continue
        self.own_s = time.thread_time()


def _label(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((label for part, label in _LABELS.items() if part in command), _OTHERS)


def started(home: Path, port: int, idle_s: float) -> dict[str, Any]:
    """One start, and the rest after it."""
    system = BenchSystem(bench_settings(home, port))
    family, began = Family(), time.monotonic()
    own = time.process_time()
    try:
        system.runtime.start()
        wall_s = time.monotonic() - began
        seconds = family.end()
        seconds["vitrine start"] = time.process_time() - own - family.own_s
        time.sleep(SETTLE_S)
        meter = CpuMeter(system)
        time.sleep(idle_s)
        cores = meter.cores(least=0.002)
    finally:
        system.runtime.stop()
    return {
        "start_s": wall_s,
        "start_processor_s": sum(seconds.values()),
        "start_processor_s_by_process": seconds,
        "idle_cores": sum(cores.values()),
        "cores": cores,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of rest after each start")
    parser.add_argument("--first-port", type=int, default=PORT)
    parser.add_argument("--name", default="start", help="name of the result file")
    arguments = parser.parse_args()
    runs = []
    for _ in range(arguments.runs):
        with temporary_home() as home:
            runs.append(started(home, arguments.first_port, arguments.idle))
    parameters = {"runs": arguments.runs, "idle_s": arguments.idle}
    write_result(arguments.name, parameters, {"runs": rounded(runs)})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

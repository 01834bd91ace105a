"""The parts of a running system that can die or hang, the faults that are done to them, and their plan by a seed."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from tests.system import System

KILL, HANG, PAUSE = "kill", "hang", "pause"
_KINDS = {KILL: 6, HANG: 2, PAUSE: 2}
_PAIRS = 0.3
"""Share of rounds in which two parts are hit."""

WORKER_CATALOGUE, WORKER_EXTRACTION = "python-worker-catalogue", "python-worker-extraction"
EXTRACTION_CHILD = "extraction-child"
MENDERS = {"supervisor", "watchdog"}
"""Each starts the other again: who kills both at once has to call `vitrine start`."""
TARGET_S = {
    "searcher": 5, "broker": 5, "heartbeat": 5, "blender": 10, "kafka": 20, WORKER_CATALOGUE: 20, WORKER_EXTRACTION: 20,
    EXTRACTION_CHILD: 20, "flink-taskmanager": 30, "flink-jobmanager": 30,
}  # fmt: skip
"""Within how many seconds a killed part should be back, and answers fresh, on a quiet machine."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`seconds`: that the part stands still; `after_s`: when, from the round's beginning."""

    part: str
    kind: str
    seconds: float
    after_s: float


def part_of(name: str) -> str:
    """What the report calls it: all searchers are one part."""
    return re.sub(r"(-\d+)+$", "", name)


def parts(system: System) -> dict[str, psutil.Process]:
    """Every process by name: those that the system has records of, and the task manager's children."""
    found: dict[str, psutil.Process] = {}
    for name, pid in system.runtime.running().items():
        try:
            found[name] = psutil.Process(pid)
        except psutil.NoSuchProcess:
            continue
    try:
        child = system.extraction_child()
        workers = system.python_workers()
    except (KeyError, psutil.NoSuchProcess):
        return found  # the task manager is away, and they with it
    if child is not None:
        found[EXTRACTION_CHILD] = child
    for worker in workers:
        own = child is not None and child.pid in {inner.pid for inner in _children(worker)}
        found[WORKER_EXTRACTION if own else WORKER_CATALOGUE] = worker
    return found


def plan(seed: int, number: int, names: Iterable[str], longest_s: float = 15.0) -> list[Fault]:
    """The faults of round `number`: the same for the same seed and the same parts. Each kind of part is as likely."""
    chance = random.Random(f"{seed} {number}")
    by_part: dict[str, list[str]] = {}
    for name in sorted(names):
        by_part.setdefault(part_of(name), []).append(name)
    chosen = chance.sample(sorted(by_part), 2 if chance.random() < _PAIRS else 1)
    if set(chosen) == MENDERS:
        chosen = chosen[:1]
    faults = []
    for part in chosen:
        (kind,) = chance.choices(list(_KINDS), list(_KINDS.values()))
        seconds = {KILL: 0.0, HANG: chance.uniform(1.0, longest_s), PAUSE: chance.uniform(0.05, 1.0)}[kind]
        faults.append(Fault(chance.choice(by_part[part]), kind, round(seconds, 2), round(chance.uniform(0.0, 1.5), 2)))
    return faults


def inflict(system: System, faults: list[Fault]) -> float:
    """All of them, each in its time; `time.monotonic()` when the last of them was over."""
    found = parts(system)
    threads = [threading.Thread(target=_inflict, args=(found[f.part], f)) for f in faults if f.part in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic()


def _inflict(process: psutil.Process, fault: Fault) -> None:
    time.sleep(fault.after_s)
    try:
        if fault.kind == KILL:
            process.kill()
            return
        process.suspend()
        time.sleep(fault.seconds)
        process.resume()
    except psutil.NoSuchProcess:
        return  # what was done to the other part of the pair, or a watchdog, ended it first


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []

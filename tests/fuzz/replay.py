"""`python -m tests.fuzz.replay`: every seed and every kept input once, without atheris, within memory and time.

In a process of its own, because what it replays has ended processes before.
Prints each input's name before it is run: the last one is the one that broke it.
"""

from __future__ import annotations

import resource
import signal
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).resolve().parents[1] / "hostile" / "corpus"
MEMORY_MIB = 2048
"""Of the whole process; a 4-megapixel picture takes 50."""
SECONDS_EACH = 20
"""For one input; most take microseconds."""


def main() -> int:
    # Far above what is allowed, so that an input that wants everything cannot take the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (4 * MEMORY_MIB * 2**20, resource.RLIM_INFINITY))
    for name, target in TARGETS.items():
        kept = {file.name: file.read_bytes() for file in sorted((CORPUS / name).glob("*"))}
        for what, data in {**{f"seed {number}": seed for number, seed in enumerate(target.seeds)}, **kept}.items():
            print(f"{name}: {what}", flush=True)
            signal.alarm(SECONDS_EACH)
            target.run(data)
            signal.alarm(0)
            used = most_memory_mib()
            assert used <= MEMORY_MIB, f"{used} MiB in memory; {MEMORY_MIB} are allowed"
    return 0


def most_memory_mib() -> int:
    """The most that this program ever held. (`ru_maxrss` counts what its parent held when it was forked as well.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


if __name__ == "__main__":
    raise SystemExit(main())

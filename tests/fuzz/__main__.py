"""`python -m tests.fuzz --seconds 300`: every target in turn, for its share of the time; exit code 1 after a crash.

What a target has learned stays below .cache/fuzz, so that the next run begins
where this one ended. An input that crashed, took too long or too much memory
is written to tests/hostile/corpus/TARGET: mend the cause, keep the file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.result import REPOSITORY
from tests.fuzz.replay import CORPUS, MEMORY_MIB, SECONDS_EACH
from tests.fuzz.targets import TARGETS

LEARNED = REPOSITORY / ".cache" / "fuzz"
LARGEST = 65_536
_WORDS = Path(__file__).parent / "words.dict"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=180, help="in all")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("targets", nargs="*", help=f"default: all of {', '.join(TARGETS)}")
    arguments = parser.parse_args(argv)
    names = arguments.targets or list(TARGETS)
    broken = [name for name in names if not _fuzz(name, max(1, arguments.seconds // len(names)), arguments.seed)]
    if broken:
        print(f"fuzz: {', '.join(broken)} broke their contract; the inputs are below {CORPUS}", file=sys.stderr)
    return 1 if broken else 0


def _fuzz(name: str, seconds: int, seed: int) -> bool:
    learned, kept = LEARNED / name, CORPUS / name
    for folder in (learned, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(TARGETS[name].seeds):
        (learned / f"seed-{number}").write_bytes(data)
    command = [
        *(sys.executable, "-m", "tests.fuzz.one", name),
        *(f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={SECONDS_EACH}", f"-rss_limit_mb={MEMORY_MIB}"),
        *(
            f"-max_len={LARGEST}",
            f"-artifact_prefix={kept}/",
            f"-dict={_WORDS}",
            "-print_final_stats=1",
            "-verbosity=0",
        ),
        *(str(learned), str(kept)),
    ]
    log = LEARNED / f"{name}.log"
    with log.open("wb") as output:
        done = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    runs = [
        line.rpartition(" ")[2] for line in log.read_text(errors="replace").splitlines() if "executed_units" in line
    ]
    print(f"fuzz: {name}: {runs[0] if runs else '?'} inputs, exit {done.returncode}; the log is {log}", flush=True)
    _forget_if_empty(kept)
    return done.returncode == 0


def _forget_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


if __name__ == "__main__":
    raise SystemExit(main())

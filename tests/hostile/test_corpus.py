"""What `make fuzz` has found once is found no more: every input below tests/hostile/corpus, and the fuzzer's seeds."""

from __future__ import annotations

import subprocess
import sys

from cli.runtime.programs import REPOSITORY
from tests.fuzz.replay import CORPUS
from tests.fuzz.targets import TARGETS


def test_kept_inputs_are_returned_or_refused_as_documented() -> None:
    command = [sys.executable, "-m", "tests.fuzz.replay"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"{last} ended with {done.returncode}: {done.stderr[-2000:]}"
    assert len(done.stdout.splitlines()) >= sum(len(target.seeds) for target in TARGETS.values())


def test_every_kept_input_has_a_target_and_is_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= set(TARGETS)
    assert all(file.stat().st_size <= 65_536 for file in CORPUS.glob("*/*"))

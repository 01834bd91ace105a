"""Locks between processes: one holder, given up with the process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from disk.locks import locked
from schemas.errors import OperatorError

HOLDS = """
import sys, time
from pathlib import Path
from disk.locks import locked

with locked(Path(sys.argv[1])):
    print('held', flush=True)
    time.sleep(600)
"""


def test_held_lock_is_refused_with_the_callers_error_and_free_once_its_process_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(OperatorError, match="another one"), locked(file, otherwise=OperatorError("another one")):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with locked(file, otherwise=OperatorError("another one")):
        assert file.exists()


def test_lock_is_given_up_by_an_error_inside(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "lock"):
        raise KeyError
    with locked(tmp_path / "lock", otherwise=AssertionError("still held")):
        pass

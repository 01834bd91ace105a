"""Folders that RocksDB secondaries need for their own log: temporary, and swept when their process died."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

_ROOT = Path(tempfile.gettempdir()) / f"vitrine-secondaries-{os.getuid()}"


def secondary_folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder, named by this process's pid; removed by `cleanup`, at exit, or by a later process."""
    _ROOT.mkdir(mode=0o700, exist_ok=True)
    for folder in _ROOT.iterdir():
        pid = folder.name.split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=_ROOT, ignore_cleanup_errors=True)

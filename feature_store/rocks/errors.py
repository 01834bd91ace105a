"""What RocksDB's errors mean here: rocksdict raises bare exceptions, told apart by the status in their text."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import CorruptError, OperatorError, TransientError, VitrineError

LOG = Path("db") / "LOG"
"""RocksDB's own log, in a partition's folder."""


def is_lock_error(error: Exception) -> bool:
    """Whether another handle has the database open for writing."""
    text = str(error)
    return "While lock file" in text or "lock hold by current process" in text


def translated(error: Exception, folder: Path, rebuild: str) -> VitrineError:
    """The error that an operator can act on. `folder`: of the partition; `rebuild`: what brings a damaged one back."""
    if isinstance(error, VitrineError):
        return error
    text = str(error)
    if "No space left" in text:
        return OperatorError(f"no space left for store partition {folder}; free some and start again ({text})")
    if "Corruption" in text or "checksum mismatch" in text:
        return CorruptError(
            f"store partition {folder} is damaged: {text}; stop its writer, remove the folder and {rebuild}"
        )
    return TransientError("store_unavailable", f"{folder}: {text}; if it lasts, see {folder / LOG}")

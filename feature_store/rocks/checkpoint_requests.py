"""Consistent copies of a partition that another process owns, asked for through its folder.

The owner is a Flink worker that is only ever called with batches: it has no
port to call. So a requester leaves `requests/<id>.json`; a small thread of the
owner finds it, makes the RocksDB checkpoint (hard links) and answers with
`requests/<id>.answer`, both files appearing by rename. When no owner runs, the
requester opens the partition for a moment and copies it itself
(`feature_store.copies.request_checkpoint`).
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from feature_store.owner import runs, this_process
from feature_store.rocks.ownership import write_atomically

log = logging.getLogger(__name__)

REQUESTS = "requests"
POLL_S = 0.2


class CheckpointRequest(msgspec.Struct, frozen=True):
    """Make a copy at `target` (absolute); the requester is named so that nobody answers the dead."""

    target: str
    pid: int
    started_s: float


class CheckpointAnswer(msgspec.Struct, frozen=True):
    """`error` empty: the copy lies at the target."""

    error: str


class CheckpointServer:
    """The owner's side: a daemon thread that looks for requests every 200 ms and calls `checkpoint(target)`."""

    def __init__(self, folder: Path, checkpoint: Callable[[Path], None]) -> None:
        self._requests = folder / REQUESTS
        self._requests.mkdir(exist_ok=True)
        self._checkpoint = checkpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"checkpoints-{folder.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Returns once no checkpoint is under way; requests not begun wait for the next owner."""
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stop.wait(POLL_S):
            for file in sorted(self._requests.glob("*.json")):
                if self._stop.is_set():
                    return
                self._answer(file)

    def _answer(self, file: Path) -> None:
        try:
            request = msgspec.json.decode(file.read_bytes(), type=CheckpointRequest)
        except FileNotFoundError:
            return  # withdrawn meanwhile
        except msgspec.MsgspecError as error:
            log.error("event=checkpoint_request_unreadable file=%s error=%r", file, str(error))
            file.unlink(missing_ok=True)
            return
        if not runs(request.pid, request.started_s):
            file.unlink(missing_ok=True)
            return
        began = time.monotonic()
        error_text = ""
        try:
            self._checkpoint(Path(request.target))
        except Exception as error:  # noqa: BLE001 - whatever failed is the requester's to know; the owner goes on
            error_text = str(error) or type(error).__name__
        took_ms = (time.monotonic() - began) * 1000
        log.info("event=checkpoint_made target=%s took_ms=%.1f error=%r", request.target, took_ms, error_text)
        write_atomically(file.with_suffix(".answer"), msgspec.json.encode(CheckpointAnswer(error_text)))
        file.unlink(missing_ok=True)


class PendingCheckpoint:
    """The requester's side of one request."""

    def __init__(self, folder: Path, target: Path) -> None:
        requests = folder / REQUESTS
        requests.mkdir(parents=True, exist_ok=True)
        self._file = requests / f"{uuid.uuid4().hex}.json"
        process = this_process()
        write_atomically(
            self._file,
            msgspec.json.encode(CheckpointRequest(str(target.absolute()), process.pid, process.started_s)),
        )

    def answer(self) -> CheckpointAnswer | None:
        """None: not answered yet."""
        try:
            return msgspec.json.decode(self._file.with_suffix(".answer").read_bytes(), type=CheckpointAnswer)
        except FileNotFoundError:
            return None

    def withdraw(self) -> None:
        """Leaves no trace; a copy already begun may still appear at the target."""
        self._file.unlink(missing_ok=True)
        self._file.with_suffix(".answer").unlink(missing_ok=True)

"""What a server keeps of values that were written over, and how it is made to write anew without them."""

from __future__ import annotations

import logging
import time

from feature_store.server.inspection import told
from feature_store.server.line import Line
from schemas.errors import TransientError

log = logging.getLogger(__name__)

_POLL_S = 0.05
_WAIT_S = 600.0


def rewrite(line: Line) -> None:
    """Returns once the server's append-only file, where it has one, was begun anew after this call.

    Kvrocks is asked to compact and does so in its own time; snapshots (RDB)
    hold what they held until the next one takes their place.
    """
    if "kvrocks_version" in told(line, "server"):
        line.call(("COMPACT",))
        log.info("event=store_compaction_asked server=%s", line.address)
        return
    if told(line, "persistence").get("aof_enabled") != "1":
        return
    deadline = time.monotonic() + _WAIT_S
    _wait(line, deadline)  # one under way may have begun before the values were written over
    line.call(("BGREWRITEAOF",))
    _wait(line, deadline)
    if told(line, "persistence").get("aof_last_bgrewrite_status") != "ok":
        raise TransientError(
            "store_not_rewritten",
            f"the store's server {line.address} could not write its append-only file anew; see its log and try again",
        )


def _wait(line: Line, deadline: float) -> None:
    while True:
        state = told(line, "persistence")
        if state.get("aof_rewrite_in_progress") == "0" and state.get("aof_rewrite_scheduled") == "0":
            return
        if time.monotonic() >= deadline:
            raise TransientError(
                "store_not_rewritten",
                f"the store's server {line.address} has not written its append-only file anew in {_WAIT_S:g} s; see "
                f"its log and try again",
            )
        time.sleep(_POLL_S)

"""Who may write a partition: whoever opened it last, by its token.

The token counts how often the partition was opened; a write goes through only
while it is the writer's own (`writer`). So a task that was given up and still
runs cannot write once another has opened the partition, wherever it runs.

The record of the holder keeps others from opening it meanwhile. It expires
`LEASE_S` after the holder's last write, and is void where its process is known
to be dead; so a task that comes back after a kill waits for nothing, and one
that takes over from a machine that is away waits for that long.
"""

from __future__ import annotations

import logging
import socket
import time
import uuid

import msgspec

from feature_store.owner import Owner, runs, this_process
from feature_store.server.keys import PartitionKeys
from feature_store.server.line import Command, Line
from schemas.errors import OperatorError, TransientError

log = logging.getLogger(__name__)

LEASE_S = 10.0
_RETRY_S = 0.1


class Holder(msgspec.Struct, frozen=True):
    """A process, on whichever machine. `handle`: which of its writers, since one may follow another."""

    host: str
    owner: Owner
    handle: str

    def __str__(self) -> str:
        return f"{self.owner} on {self.host}"

    @property
    def gone(self) -> bool:
        """Whether it is known not to write any more; of another machine nothing is known."""
        if self.handle in _closed:
            return True
        return self.host == socket.gethostname() and not runs(self.owner.pid, self.owner.started_s)


_closed: set[str] = set()
"""Writers of this process that were closed while the server was away, so that it still has their leases."""


def this_holder() -> Holder:
    return Holder(socket.gethostname(), this_process(), uuid.uuid4().hex)


def lease(keys: PartitionKeys, holder: Holder) -> Command:
    return ("SET", keys.holder, msgspec.json.encode(holder), "PX", round(LEASE_S * 1000))


def holder_of(line: Line, keys: PartitionKeys) -> Holder | None:
    return _decode(line.call(("GET", keys.holder))[0])


def take(line: Line, keys: PartitionKeys, holder: Holder, wait_s: float) -> bytes:
    """Opens the partition for `holder`; returns its token. Waits up to `wait_s` for another to let go.

    Raises `OperatorError` naming the process that holds it.
    """
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        other = _decode(line.call(("WATCH", keys.holder), ("GET", keys.holder))[1])
        if other is None or other.gone:
            opened = line.call(("MULTI",), ("INCR", keys.token), lease(keys, holder), ("EXEC",))[-1]
            if opened is not None:
                return b"%d" % opened[0]
            continue  # somebody else has just opened it
        if time.monotonic() >= deadline:
            raise OperatorError(
                f"store partition {keys.text} is open for writing in {other}; a partition has one writer: stop that "
                f"process, or wait until it has ended (waited {wait_s:g} s)"
            )
        if not told:
            log.info("event=store_partition_busy partition=%s holder=%r wait_s=%g", keys.text, str(other), wait_s)
            told = True
        time.sleep(_RETRY_S)


def let_go(line: Line, keys: PartitionKeys, holder: Holder, token: bytes) -> None:
    """Lets the next one in at once, unless that one is in already. Raises nothing for a server that is away."""
    try:
        if line.call(("UNWATCH",), ("WATCH", keys.token), ("GET", keys.token))[-1] == token:
            line.call(("MULTI",), ("UNLINK", keys.holder), ("EXEC",))
    except (TransientError, OperatorError) as error:  # others wait until the lease has ended
        _closed.add(holder.handle)
        log.warning("event=store_partition_not_let_go partition=%s reason=%r", keys.text, str(error))


def _decode(value: bytes | None) -> Holder | None:
    return None if value is None else msgspec.json.decode(value, type=Holder)

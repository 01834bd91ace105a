"""A consistent view of a partition that is being written, over SCAN, which has none.

A view announces itself in the partition's set `copies`. From then on the
writer keeps what it writes over, in the same transaction: the earlier value,
or that there was none, at the first write of each key (`writer`). A record is
then what was kept of it, or, where nothing was, what it is now: exactly what
it was when the view began.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator

from feature_store.server.keys import PartitionKeys
from feature_store.server.line import Line
from schemas.errors import OperatorError, TransientError

log = logging.getLogger(__name__)

ABSENT = b"-"
PRESENT = b"+"
"""What a kept value begins with."""

_LIFE_MS = 300_000
"""A reader that died costs the writer for that long; one that pauses for longer has lost its view."""
_NAMES = 5_000
_VALUES = 500


class View:
    """The partition as it was when this was made. Has a line of its own; belongs to one thread."""

    def __init__(self, line: Line, keys: PartitionKeys) -> None:
        self._line = line
        self._keys = keys
        self._id = uuid.uuid4().hex.encode()
        self._renew = ("SET", keys.alive(self._id), 1, "PX", _LIFE_MS)
        line.call(self._renew, ("SADD", keys.copies, self._id))

    def entries(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in order, with values. Holds all of these keys in memory, no values."""
        keys = self._keys
        names = sorted(self._names(keys.record(prefix)))
        for start in range(0, len(names), _VALUES):
            some = names[start : start + _VALUES]
            present, kept = self._together(("MGET", *some), ("HMGET", keys.changed(self._id), *some))
            for name, now, before in zip(some, present, kept, strict=True):
                value = now if before is None else before[1:] if before != ABSENT else None
                if value is not None:
                    yield name[len(keys.records) :], value

    def close(self) -> None:
        """Where the server is away, the writer clears up what is left, once this view's life has ended."""
        keys = self._keys
        try:
            self._line.call(
                ("MULTI",),
                ("SREM", keys.copies, self._id),
                ("UNLINK", keys.changed(self._id), keys.alive(self._id)),
                ("EXEC",),
            )
        except (TransientError, OperatorError) as error:
            log.warning("event=store_view_left partition=%s reason=%r", keys.text, str(error))
        self._line.close()

    def _names(self, begin: bytes) -> set[bytes]:
        """Every key that there was when the view began, and perhaps later ones.

        SCAN gives what is there from its beginning to its end; what is removed
        meanwhile the writer has kept.
        """
        names: set[bytes] = set()
        cursor: bytes | int = 0
        while True:
            found, _ = self._line.call(
                ("SCAN", cursor, "MATCH", self._keys.records + b"*", "COUNT", _NAMES), self._renew
            )
            cursor = found[0]
            names.update(name for name in found[1] if name.startswith(begin))
            if int(cursor) == 0:
                break
        (kept,) = self._together(("HKEYS", self._keys.changed(self._id)))
        names.update(name for name in kept if name.startswith(begin))
        return names

    def _together(self, *commands: tuple[bytes | str | int, ...]) -> list[list[bytes]]:
        """Answers of one moment, in which the view still was."""
        answers = self._line.call(
            ("MULTI",), ("SISMEMBER", self._keys.copies, self._id), self._renew, *commands, ("EXEC",)
        )[-1]
        if not answers[0]:
            raise TransientError(
                "view_lost",
                f"store partition {self._keys.text}: its writer gave up the view that was being read, which had paused "
                f"for {_LIFE_MS // 1000} s, or the server lost it; read again",
            )
        return answers[2:]  # type: ignore[no-any-return]

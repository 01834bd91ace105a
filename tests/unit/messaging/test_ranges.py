"""Reading a range of a log: to its end, over gaps, and not for ever."""

from __future__ import annotations

import pytest

from messaging import ranges
from messaging.consumer import Message
from messaging.ranges import drain
from schemas.errors import TransientError


class Scripted:
    """A reader that answers each poll with the next of these batches, and then with nothing."""

    def __init__(self, *batches: list[Message]) -> None:
        self.positions = {0: 0}
        self._batches = [*batches]

    def poll(self, max_records: int = 1000, timeout_s: float = 0.1) -> list[Message]:
        batch = self._batches.pop(0) if self._batches else []
        for message in batch:
            self.positions[message.partition] = message.offset + 1
        return batch

    def beginning_offsets(self, timeout_s: float = 1.0) -> dict[int, int]:
        return {0: 0}

    def end_offsets(self, timeout_s: float = 1.0) -> dict[int, int]:
        return {0: 10}

    def told_ends(self) -> dict[int, int]:
        return self.end_offsets()

    def close(self) -> None: ...


def messages(*offsets: int) -> list[Message]:
    return [Message(None, b"", offset, 0, 0) for offset in offsets]


def read(reader: Scripted, end: int, *, compacted: bool = False) -> list[int]:
    return [message.offset for message in drain(reader, {0: end}, topic="t", compacted=compacted)]


def test_pauses_are_waited_out_and_what_lies_behind_the_end_is_left() -> None:
    reader = Scripted(messages(0, 1), [], [], messages(2, 3, 4))
    assert read(reader, 4) == [0, 1, 2, 3]
    assert read(reader, 4) == []


@pytest.mark.parametrize("compacted", [False, True])
def test_log_that_is_silent_is_said_to_be(compacted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PATIENCE_POLLS", 3)
    with pytest.raises(TransientError, match="t does not answer at"):
        read(Scripted(), 4, compacted=compacted)


def test_gap_at_the_end_of_a_compacted_topic_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PATIENCE_POLLS", 3)
    assert read(Scripted(messages(0, 5)), 10, compacted=True) == [0, 5]
    with pytest.raises(TransientError):
        read(Scripted(messages(0, 5)), 10)

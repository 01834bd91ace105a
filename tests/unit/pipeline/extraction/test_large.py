"""Large pictures wait for one another, in bounded room."""

from __future__ import annotations

import threading

import pytest

from jobs.pipeline.extraction import large_pictures as extraction_large
from jobs.pipeline.extraction.large_pictures import LargePictures


class Decoder:
    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.done: list[bytes] = []
        self.running = 0
        self.most = 0
        self.changed = threading.Condition()

    def __call__(self, key: bytes, data: bytes) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        assert self.go.acquire(timeout=60)
        self.running -= 1
        with self.changed:
            self.done.append(key)
            self.changed.notify_all()

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.done) >= count, 60)


def test_large_pictures_are_decoded_one_at_a_time_in_their_order() -> None:
    decoder = Decoder()
    large = LargePictures(decoder)
    assert [large.submit(b"%d" % n, b"x") for n in range(5)] == [None] * 5
    decoder.go.release(5)
    decoder.wait(5)
    assert decoder.done == [b"0", b"1", b"2", b"3", b"4"]
    assert decoder.most == 1


def test_what_finds_no_room_is_told_to_come_back_the_later_the_more_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction_large, "MOST_WAITING", 3)
    decoder = Decoder()
    large = LargePictures(decoder)
    for number in range(3):
        large.submit(b"%d" % number, b"x")
    assert (large.submit(b"4", b"x") or 0) > 3 * extraction_large.SECONDS_EACH
    decoder.go.release(3)
    decoder.wait(3)


def test_files_that_wait_are_bounded_by_bytes_but_one_is_always_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction_large, "MOST_BYTES", 10)
    decoder = Decoder()
    large = LargePictures(decoder)
    assert large.submit(b"0", b"x" * 20) is None
    assert large.submit(b"1", b"x") is not None
    decoder.go.release(1)
    decoder.wait(1)

"""Rows in parts that fit: fewer when memory runs out, the other way when not one fits, more again later."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from devices import fitting
from devices.fitting import Compute, Fitting

ROWS = np.arange(40, dtype=np.float32).reshape(20, 2)


class Device:
    """Doubles rows, with room for so many at a time; says that there is none as PyTorch, or as a library does."""

    def __init__(self, room: int, error: RuntimeError | None = None) -> None:
        self.room = room
        self.tried: list[int] = []
        self._error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def __call__(self, rows: NDArray[Any]) -> Sequence[NDArray[Any]]:
        self.tried.append(len(rows))
        if len(rows) > self.room:
            raise self._error
        return 2 * rows, rows.sum(axis=1)


def assert_whole(found: Sequence[NDArray[Any]], rows: NDArray[Any] = ROWS) -> None:
    doubled, sums = found
    assert np.array_equal(doubled, 2 * rows)
    assert np.array_equal(sums, rows.sum(axis=1))


def test_rows_that_fit_are_one_call() -> None:
    device = Device(20)
    assert_whole(Fitting(device, 32)(ROWS))
    assert device.tried == [20]


def test_parts_are_halved_until_they_fit_and_stay_so(caplog: pytest.LogCaptureFixture) -> None:
    device = Device(3)
    whole = Fitting(device, 16)
    with caplog.at_level(logging.WARNING):
        assert_whole(whole(ROWS))
    assert device.tried == [16, 8, 4, *[2] * 10]
    assert "event=device_memory_short next=smaller_batch rows=2" in caplog.text
    device.tried.clear()
    assert_whole(whole(ROWS))
    assert device.tried == [2] * 10


@pytest.mark.parametrize(
    "said",
    ["cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "CUDA error: out of memory"],
)
def test_libraries_that_have_no_memory_are_understood(said: str) -> None:
    assert_whole(Fitting(Device(5, RuntimeError(said)), 16)(ROWS))


def test_other_errors_are_raised_at_once() -> None:
    device = Device(1, RuntimeError("expected 4D input"))
    with pytest.raises(RuntimeError, match="expected 4D"):
        Fitting(device, 16)(ROWS)
    assert device.tried == [16]


def test_what_does_not_fit_by_single_rows_goes_the_other_way_and_the_next_call_tries_again() -> None:
    device, other = Device(0), Device(100)
    made: list[Compute] = []

    def spare() -> Compute:
        made.append(other)
        return other

    whole = Fitting(device, 4, spare)
    assert_whole(whole(ROWS))
    assert (device.tried, other.tried) == ([4, 2, 1], [20])
    device.room = 1
    assert_whole(whole(ROWS))
    assert (device.tried[3:], other.tried, len(made)) == ([1] * 20, [20], 1)
    device.room = 0
    assert_whole(whole(ROWS))
    assert (other.tried, len(made)) == ([20, 20], 1)


def test_without_another_way_the_error_says_that_not_one_row_fits() -> None:
    with pytest.raises(torch.OutOfMemoryError, match="not even one row"):
        Fitting(Device(0), 4)(ROWS)


def test_more_is_tried_once_memory_may_be_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_TRY_MORE_AFTER", 3)
    device = Device(4)
    whole = Fitting(device, 16)
    assert_whole(whole(ROWS))
    device.room = 100
    device.tried.clear()
    for _ in range(4):
        assert_whole(whole(ROWS))
    assert max(device.tried) == 16
    assert whole.at_once == 16

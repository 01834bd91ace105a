"""Rows through a computation in parts that a device's memory holds. Loads PyTorch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Array = NDArray[Any]
Compute = Callable[[Array], Sequence[Array]]
"""Rows (n, ...), n at least 1, to one or more arrays of n rows; a row's result depends on no other row."""

_TOLD_OTHERWISE = ("out of memory", "ALLOC_FAILED")
"""How the driver, cuBLAS and cuDNN say it, whose errors PyTorch passes on as they are."""
_TRY_MORE_AFTER = 1000
"""Parts that fitted, after which twice as many rows are tried again: what else took the memory may be gone."""


def is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _TOLD_OTHERWISE)


class Fitting:
    """A `Compute` that takes any number of rows. One thread at a time.

    `most`: rows of a part to begin with; half as many each time memory runs
    out. `spare`: makes what computes without that memory, called when not even
    one row fits, once; None: there is no such thing, and that error is raised.
    """

    def __init__(self, compute: Compute, most: int, spare: Callable[[], Compute] | None = None) -> None:
        self._compute = compute
        self._most = most
        self._make_spare = spare
        self._spare: Compute | None = None
        self._fitted = 0
        self.at_once = most

    def __call__(self, rows: Array) -> list[Array]:
        """Raises what the computation raises for other reasons than memory. At least one row."""
        parts: list[Sequence[Array]] = []
        begin = 0
        while begin < len(rows):
            part = rows[begin : begin + self.at_once]
            try:
                parts.append(self._compute(part))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                problem = str(error).partition("\n")[0][:200]
            else:
                begin += len(part)
                self._grow()
                continue
            torch.cuda.empty_cache()  # the exception is gone by now, and with it what its frames held
            if len(part) == 1:
                parts.append(self._by_spare(rows[begin:], problem))
                break
            self.at_once = len(part) // 2
            self._fitted = 0
            log.warning("event=device_memory_short next=smaller_batch rows=%d problem=%s", self.at_once, problem)
        return [np.concatenate(found) for found in zip(*parts, strict=True)]

    def _grow(self) -> None:
        self._fitted += 1
        if self._fitted >= _TRY_MORE_AFTER and self.at_once < self._most:
            self.at_once, self._fitted = min(self._most, 2 * self.at_once), 0

    def _by_spare(self, rows: Array, problem: str) -> Sequence[Array]:
        """All that is left of a call: trying the device with each row would take long, and the next call will."""
        if self._make_spare is None:
            raise torch.OutOfMemoryError(f"not even one row fits into the device's memory: {problem}")
        if self._spare is None:
            log.warning("event=device_memory_full next=cpu problem=%s", problem)
            self._spare = self._make_spare()
        return self._spare(rows)

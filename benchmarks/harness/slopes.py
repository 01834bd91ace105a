"""Whether a series of measurements stays flat: its slope by least squares, with an error that knows of drift."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SURE = 3.0
"""A slope within so many of its standard errors is none."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Per hour, in the series' own unit. `error`: standard error of `per_h`."""

    mean: float
    first: float
    last: float
    greatest: float
    per_h: float
    error: float

    def verdict(self, bound_per_h: float) -> str:
        """`flat` within three errors of 0; `falls`; `bounded`: it rises by `bound_per_h` at most; `rises`."""
        if abs(self.per_h) <= SURE * self.error:
            return "flat"
        if self.per_h < 0:
            return "falls"
        return "bounded" if self.per_h <= bound_per_h else "rises"


def slope(seconds: Sequence[float], values: Sequence[float]) -> Slope:
    """Of at least three measurements; raises `ValueError` for fewer.

    Neighbouring measurements resemble one another (a heap between two
    collections), so there is less in them than in as many independent ones:
    the error is widened by their correlation r, by sqrt((1 + r) / (1 - r)).
    """
    if len(seconds) != len(values) or len(values) < 3:
        raise ValueError(f"{len(values)} measurements at {len(seconds)} times: a slope needs three and an error")
    hours = np.asarray(seconds, dtype=np.float64) / 3600
    taken = np.asarray(values, dtype=np.float64)
    centred = hours - hours.mean()
    spread = float(centred @ centred)
    per_h = float(centred @ (taken - taken.mean())) / spread
    left = taken - taken.mean() - per_h * centred
    variance = float(left @ left) / (len(taken) - 2)
    error = math.sqrt(variance / spread)
    total = float(left @ left)
    resemblance = min(0.99, max(0.0, float(left[1:] @ left[:-1]) / total)) if total > 0 else 0.0
    error *= math.sqrt((1 + resemblance) / (1 - resemblance))
    return Slope(float(taken.mean()), float(taken[0]), float(taken[-1]), float(taken.max()), per_h, error)

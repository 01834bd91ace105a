"""Which of the shop's categories a photo shows, as it is told to who asks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.look.tuning import Tuning
from serving.blender.showing.answers import CategoryTold, SearchAnswer

MOST_TOLD = 5


def categories_told(tuning: Tuning | None, vectors: Sequence[NDArray[np.float32]]) -> list[CategoryTold] | None:
    """Of what is asked with, the most probable ones; None where they cannot be told."""
    told = [] if tuning is None or not vectors else tuning.told(vectors[0])
    return [CategoryTold(name, round(p, 4)) for name, p in told[:MOST_TOLD]] or None


def with_categories(answer: SearchAnswer, told: list[CategoryTold] | None) -> SearchAnswer:
    return answer if told is None else msgspec.structs.replace(answer, category=told)

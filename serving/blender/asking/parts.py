"""What each part of a look adds to the likeness of what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.found import Hit
from serving.blender.asking.asked import Asked
from serving.blender.ranking.explain import Explain


def tells_parts(asked: Asked) -> bool:
    """Whether it is asked for, and what is found by its look has parts."""
    return asked.question.explain and asked.tuning is not None and bool(asked.vectors)


def tell_parts(asked: Asked, hits: Sequence[Hit], parts: Mapping[str, Explain | None]) -> None:
    """Of each product that was found by its look, by the vector that it is nearest to."""
    assert asked.tuning is not None, "whoever has parts has a tuning"
    queries = np.stack([np.frombuffer(vector, "<f4") for vector in asked.vectors])
    for hit in hits:
        explain = parts[hit.product_id]
        if explain is not None and hit.vector:
            item = np.frombuffer(hit.vector, "<f4")
            explain["look_parts"] = asked.tuning.shares(queries[int((queries @ item).argmax())], item)

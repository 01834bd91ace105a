"""Whether a series of a long run rises: by its slope, against a bound that is stated with it.

What an hour adds by design is known from the run itself: images that stay, and
segments of Kafka's logs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.slopes import Slope, slope

_MIB = 2**20
_SEGMENT_FILES = 2
"""What Kafka keeps open of a segment: its records, and its index of times while it is written."""


def judged(
    at: Sequence[float], samples: Sequence[dict[str, float]], warm_up_s: float, image_bytes: int
) -> dict[str, Any]:
    """Every series with its slope, its bound and the verdict."""
    slopes: dict[str, Slope] = {}
    for name in sorted({name for sample in samples for name in sample}):
        points = [(t, sample[name]) for t, sample in zip(at, samples, strict=True) if t >= warm_up_s and name in sample]
        if len(points) >= 3:
            slopes[name] = slope(*zip(*points, strict=True))
    growth = Growth.of(slopes, image_bytes)
    return {name: _judged(name, found, growth) for name, found in slopes.items()}


@dataclass(frozen=True, slots=True)
class Growth:
    """What an hour adds by design."""

    images_mib: float = 0.0
    images_share: float = 0.0
    """New images, as a share of those that the index has in the mean."""
    segments: float = 0.0

    @classmethod
    def of(cls, slopes: Mapping[str, Slope], image_bytes: int) -> Growth:
        images, segments = slopes.get("images"), slopes.get("segments")
        new = max(0.0, images.per_h) if images else 0.0
        share = new / images.mean if images and images.mean else 0.0
        return cls(new * image_bytes / _MIB, share, max(0.0, segments.per_h) if segments else 0.0)


def _judged(name: str, found: Slope, growth: Growth) -> dict[str, Any]:
    bound, why = bound_per_h(name, found.mean, growth)
    figures = {
        "mean": found.mean,
        "first": found.first,
        "last": found.last,
        "max": found.greatest,
        "slope_per_h": found.per_h,
        "error_per_h": found.error,
    }
    rounded: dict[str, Any] = {key: round(value, 3) for key, value in figures.items()}
    verdict = "by design" if bound is None else found.verdict(bound)
    return {**rounded, "bound_per_h": None if bound is None else round(bound, 3), "bound": why, "verdict": verdict}


def bound_per_h(name: str, mean: float, growth: Growth) -> tuple[float | None, str]:
    """What a series may rise by in an hour, and why; None: it rises by design."""
    kind = name.partition(" ")[0]
    if kind in ("topic_mib", "segments"):
        return None, "topics keep 8 days"
    if name == "images":
        return None, "new images stay"
    if kind in ("memory_mib", "disk_mib"):
        # A searcher holds an image in its rows and in its lists; a store writes it to its log and to its files.
        return 2 * growth.images_mib + max(5.0, 0.02 * mean), "twice the new images' bytes, and 2 % or 5 MiB"
    if name == "files kafka":
        return 1.0 + _SEGMENT_FILES * growth.segments, f"{_SEGMENT_FILES} for each new segment of its logs, and one"
    if kind in ("files", "threads"):
        return 1.0, "one"
    if name.endswith("_ms"):
        return (0.05 + growth.images_share) * mean, "as the index grows, and 5 % of its mean"
    if kind in ("cores", "machine_cores"):
        return max(0.01, (0.05 + growth.images_share) * mean), "as the index grows, and 5 % of its mean or 0.01"
    return max(1.0, 0.05 * mean), "5 % of its mean, or one"

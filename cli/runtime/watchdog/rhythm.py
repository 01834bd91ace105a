"""How often the watchdog looks: each look asks Flink, whose answers are a part of what an idle system costs."""

from __future__ import annotations

LOOK_S = 1.0
CALM_LOOK_S = 3.0
CALM_AFTER_S = 30.0
"""So long all must have been well."""


class Rhythm:
    """When the next look is due. Times are of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._looked_at: float | None = None
        self._well_since: float | None = None

    def due(self, now: float, all_live: bool) -> bool:
        """Whether to look now. `all_live`: false where a part has ended, which ends the calm."""
        if not all_live:
            self._well_since = None
        calm = self._well_since is not None and now - self._well_since >= CALM_AFTER_S
        return self._looked_at is None or now - self._looked_at >= (CALM_LOOK_S if calm else LOOK_S)

    def looked(self, now: float, well: bool) -> None:
        """A look began then; `well`: it found nothing that keeps the job from running."""
        self._looked_at = now
        if not well:
            self._well_since = None
        elif self._well_since is None:
            self._well_since = now

"""How long a takedown was still shown is told by the log's clock; late ones are counted for an alert."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from messaging.producer import now_ms
from schemas.deltas.delta import Progress
from serving.searcher.measured.takedowns import note_takedowns
from serving.searcher.metrics import SearcherMetricFamilies
from tests.support.serving.world import batch, direction, listed, ready_searcher, removed

LABELS = {"shard": "0", "replica": "1"}


@pytest.mark.parametrize(
    ("images", "ago_ms", "counted"),
    [(2, 200, (1, 0)), (2, 30_000, (1, 2)), (1, -400, (1, 0)), (0, 30_000, (0, 0)), (1, None, (0, 0))],
)
def test_late_takedowns_are_counted_and_nothing_else(images: int, ago_ms: int | None, counted: tuple[int, int]) -> None:
    registry, progress = CollectorRegistry(), []
    if ago_ms is not None:
        progress = [Progress(0, 2, 5, now_ms() - 60_000), Progress(1, 2, 9, now_ms() - ago_ms)]
    note_takedowns(images, progress, SearcherMetricFamilies(registry).of(0, 1))
    names = ("vitrine_searcher_removal_seconds_count", "vitrine_searcher_late_removals_total")
    assert tuple(registry.get_sample_value(name, LABELS) for name in names) == counted


def test_only_what_is_shown_is_taken_down() -> None:
    shard = ready_searcher(deltas=listed(batch(), "lamp", [direction(1), direction(2)], offset=4)).index
    assert shard is not None
    assert shard.takes_down(removed(batch(), "lamp", 2, offset=5)) == 2
    assert shard.takes_down(removed(batch(), "lamp", 2, offset=3)) == 0, "it was listed again since"
    assert shard.takes_down(removed(batch(), "chair", 1)) == 0, "it was never shown"
    assert shard.takes_down(listed(batch(), "lamp", [direction(1)], offset=5)) == 0
    shard.apply(removed(batch(), "lamp", 2, offset=5))
    assert shard.takes_down(removed(batch(), "lamp", 2, offset=6)) == 0, "it is gone already"

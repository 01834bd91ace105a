"""A blender over a real searcher, with limits that a test can reach in a moment."""

from __future__ import annotations

import pytest

from serving.searcher.service import SearcherService
from tests.support.serving.http_world import picture_vector
from tests.support.serving.world import batch, direction, listed, near, ready_searcher


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def searcher() -> SearcherService:
    """One shard: `lamp`, `chair` near it, and `photo`, which `picture(1)` shows."""
    deltas = listed(batch(), "lamp", [direction(1)])
    listed(deltas, "chair", [near(direction(1), 2, 0.4)])
    return ready_searcher(deltas=listed(deltas, "photo", [picture_vector(1)]))

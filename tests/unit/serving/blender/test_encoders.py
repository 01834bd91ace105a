"""Which encoders the blender has in memory, and when one goes."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable

import pytest

from schemas.errors import OperatorError, RejectedError, TransientError
from serving.blender.embedding import encoders as module
from serving.blender.embedding.encoders import Encoders
from serving.blender.embedding.photos import PhotoEmbedder
from serving.blender.metrics import BlenderMetrics
from tests.support.serving.http_world import GreyEmbedder, picture

pytestmark = pytest.mark.anyio


class Loader:
    """Loads encoders that the tests can see come and go; `broken` ones cannot be loaded."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.alive: weakref.WeakValueDictionary[str, GreyEmbedder] = weakref.WeakValueDictionary()
        self.broken: set[str] = set()

    def __call__(self, extractor_id: str, generation: str) -> PhotoEmbedder:
        self.loaded.append(extractor_id)
        if extractor_id in self.broken:
            raise OperatorError(f"no weights for {generation}")
        embedder = self.alive[extractor_id] = GreyEmbedder()
        return embedder


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
async def encoders(loader: Loader) -> AsyncIterator[Encoders]:
    encoders = Encoders("one", "live", loader, BlenderMetrics(), idle_s=0.0)
    yield encoders
    await encoders.close()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(12_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 120 s")


async def follows(encoders: Encoders, extractor_id: str) -> None:
    encoders.follow(extractor_id, f"g-{extractor_id}")
    await until(lambda: encoders.follow(extractor_id, f"g-{extractor_id}") or encoders.current == extractor_id)
    await until(lambda: encoders.problem is None)


async def test_encoder_that_was_left_is_gone_from_memory(encoders: Encoders, loader: Loader) -> None:
    await follows(encoders, "one")
    await encoders.vector(picture(1), "one")
    await follows(encoders, "two")
    await encoders.vector(picture(1), "two")
    await until(lambda: encoders.follow("two", "g-two") or encoders.loaded == ["two"])
    await until(lambda: list(loader.alive) == ["two"])


async def test_a_third_encoder_takes_the_place_of_one_that_nothing_needs(encoders: Encoders, loader: Loader) -> None:
    await follows(encoders, "one")
    await encoders.vector(picture(1), "two", "g-two")
    assert encoders.loaded == ["one", "two"]
    await encoders.vector(picture(1), "three", "g-three")
    assert encoders.loaded == ["one", "three"]
    assert encoders.current == "one"


async def test_no_room_for_a_third_while_two_are_needed(encoders: Encoders, loader: Loader) -> None:
    await follows(encoders, "one")
    loader.broken.add("two")
    encoders.follow("two", "g-two")
    with pytest.raises(TransientError, match="which is all that has room"):
        await encoders.vector(picture(1), "three", "g-three")
    assert "three" not in loader.loaded
    await encoders.vector(picture(1), "one")  # which goes on meanwhile


async def test_encoder_that_failed_is_tried_again(
    encoders: Encoders, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.broken.add("one")
    encoders.follow("", "")
    await until(lambda: encoders.problem == "no weights for live")
    encoders.follow("", "")
    assert loader.loaded == ["one"]
    monkeypatch.setattr(module, "TRY_AGAIN_S", 0.0)
    loader.broken.clear()
    await until(lambda: encoders.follow("", "") or encoders.problem is None)
    await encoders.vector(picture(1), "one")


async def test_external_extractor_is_taken_up_at_once_and_nothing_is_loaded_for_it(
    encoders: Encoders, loader: Loader
) -> None:
    await follows(encoders, "one")
    encoders.follow("external:clip:8", "g-own")
    assert (encoders.current, encoders.problem) == ("external:clip:8", None)
    encoders.follow("external:clip:8", "g-own")
    assert "external:clip:8" not in loader.loaded
    for generation in ("", "g-own"):
        with pytest.raises(RejectedError, match="own vectors"):
            await encoders.vector(picture(1), "external:clip:8", generation)
    await until(lambda: encoders.follow("external:clip:8", "g-own") or encoders.loaded == [])
    await follows(encoders, "two")  # and back to a network
    await encoders.vector(picture(1), "two")

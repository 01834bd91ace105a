"""The blender over full indexes: it embeds for the one that serves, and for any that is named."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from generations.folder import ALIAS
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import LAST_PUBLISH, PublishCheck, PublishReport, encode_publish_report
from serving.blender.embedding.photos import PhotoEmbedder
from serving.broker.service import BrokerService
from tests.support.serving.generations import build_generation
from tests.support.serving.http_world import GreyEmbedder, picture, ready, serving
from tests.support.serving.tier import OTHER_EXTRACTOR, TIMEOUT_S, Tier, serves, tier_in
from tests.support.serving.world import DIMENSION, EXTRACTOR, batch, direction, listed

pytestmark = pytest.mark.anyio
SEEDS = range(6)


@pytest.fixture
async def tier(tmp_path: Path) -> AsyncIterator[Tier]:
    async with tier_in(tmp_path) as tier:
        yield tier


class ReversedEmbedder(GreyEmbedder):
    """Another encoder: its vectors have the same length and mean something else."""

    def embed(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return super().embed([255 - np.roll(pixels, 1) for pixels in inputs])


ENCODERS: dict[str, type[GreyEmbedder]] = {EXTRACTOR: GreyEmbedder, OTHER_EXTRACTOR: ReversedEmbedder}


def load(extractor_id: str, _generation: str = "") -> PhotoEmbedder:
    return ENCODERS[extractor_id]()


def build(tier: Tier, name: str, extractor_id: str = EXTRACTOR, shards: int = 2) -> Generation:
    """A product for every picture, named after it, as `extractor_id` sees it."""
    encoder = ENCODERS[extractor_id]()
    deltas = batch(extractor_id)
    for seed in SEEDS:
        vector = encoder.embed([encoder.prepare(picture(seed))])[0]
        listed(deltas, f"{name}{seed}", [vector])
    return build_generation(tier.settings, deltas, tier.topic.ends(), shards=shards, extractor_id=extractor_id)


async def by_photo(client: httpx.AsyncClient, seed: int = 3, generation: str = "") -> tuple[str, str]:
    """The generation that answered, and the best product."""
    parameters = {"limit": "3"} | ({"generation": generation} if generation else {})
    answer = await client.post("/v1/search/image", params=parameters, files={"image": ("q", picture(seed))})
    assert answer.status_code == 200, answer.text
    return answer.json()["generation"], answer.json()["results"][0]["product_id"]


async def everything_ready(broker: BrokerService, entries: int) -> None:
    while sum(entry.ready for entry in (await broker.status(TIMEOUT_S)).shards) < entries:
        await asyncio.sleep(0.01)


async def test_photos_are_embedded_for_the_old_index_until_the_new_ones_encoder_is_loaded(tier: Tier) -> None:
    first, second = build(tier, "a"), build(tier, "b", OTHER_EXTRACTOR, shards=3)
    loading = threading.Event()

    def slowly(extractor_id: str, generation: str) -> PhotoEmbedder:
        if extractor_id == OTHER_EXTRACTOR:
            assert generation == second.name
            loading.wait(120)
        return load(extractor_id)

    tier.generations.serve(first.name)
    broker = tier.broker()
    async with serving(broker, load=slowly) as client:
        await serves(broker, first.name)
        await ready(client)
        tier.generations.serve(second.name)
        await serves(broker, second.name)
        for _ in range(15):
            assert await by_photo(client) == (first.name, "a3")
            assert (await client.get("/readyz")).status_code == 200
        loading.set()
        seen = [first.name]
        while seen[-1] != second.name:
            generation, product = await by_photo(client)
            assert (generation, product) in ((first.name, "a3"), (second.name, "b3"))
            seen.append(generation)
        for _ in range(20):
            assert await by_photo(client) == (second.name, "b3")


async def test_encoder_that_cannot_be_loaded_leaves_the_old_one_at_work(tier: Tier) -> None:
    first, second = build(tier, "a"), build(tier, "b", OTHER_EXTRACTOR)

    def only_the_first(extractor_id: str, _generation: str) -> PhotoEmbedder:
        if extractor_id == OTHER_EXTRACTOR:
            raise OperatorError("no such weights here")
        return load(extractor_id)

    tier.generations.serve(first.name)
    broker = tier.broker()
    async with serving(broker, load=only_the_first) as client:
        await serves(broker, first.name)
        await ready(client)
        tier.generations.serve(second.name)
        await serves(broker, second.name)
        for _ in range(20):
            assert await by_photo(client) == (first.name, "a3")
        answer = await client.post(f"/v1/search/image?generation={second.name}", files={"image": ("q", picture(3))})
        assert (answer.status_code, answer.json()["error"]["detail"]) == (503, "no such weights here; see GET /readyz")


async def test_blender_begins_with_the_encoder_of_what_serves(tier: Tier) -> None:
    only = build(tier, "b", OTHER_EXTRACTOR)
    tier.generations.serve(only.name)
    broker = tier.broker()
    await serves(broker, only.name)
    loaded: list[str] = []

    def noting(extractor_id: str, _generation: str) -> PhotoEmbedder:
        loaded.append(extractor_id)
        return load(extractor_id)

    async with serving(broker, load=noting) as client:
        await ready(client)
        assert await by_photo(client) == (only.name, "b3")
    assert loaded == [OTHER_EXTRACTOR]


async def test_any_generation_held_answers_by_name(tier: Tier) -> None:
    first, second = build(tier, "a"), build(tier, "b", OTHER_EXTRACTOR, shards=3)
    tier.generations.serve(first.name)
    tier.generations.hold_beside([second.name])
    broker = tier.broker()
    async with serving(broker, load=load) as client:
        await everything_ready(broker, 5)
        await ready(client)
        for generation, product in ((first.name, "a3"), (second.name, "b3")):
            assert await by_photo(client, 3, generation) == (generation, product)
            named = {"generation": generation}
            vector = await client.post("/v1/search/vector", params=named, json={"vector": direction(1).tolist()})
            assert vector.json()["generation"] == generation
            assert {result["product_id"][0] for result in vector.json()["results"]} == {product[0]}
            similar = (await client.get(f"/v1/products/{product}/similar", params=named)).json()
            assert similar["generation"] == generation
            assert {result["product_id"][0] for result in similar["results"]} == {product[0]}
        assert await by_photo(client) == (first.name, "a3")
        assert (await client.get("/v1/products/b3/similar")).status_code == 404  # not in what serves
        unknown = {"generation": "g20000101T000000-abcdef"}
        for answer in (
            await client.post("/v1/search/image", params=unknown, files={"image": ("q", picture(1))}),
            await client.post("/v1/search/vector", params=unknown, json={"vector": direction(1).tolist()}),
            await client.get("/v1/products/a3/similar", params=unknown),
        ):
            assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "unknown_generation")
            assert second.name in answer.json()["error"]["detail"]


async def test_product_similar_to_one_is_asked_for_in_one_generation_over_a_swap(tier: Tier) -> None:
    first, second = build(tier, "a"), build(tier, "a", OTHER_EXTRACTOR)
    tier.generations.serve(first.name)
    broker = tier.broker()
    async with serving(broker, load=load) as client:
        await serves(broker, first.name)
        await ready(client)
        tier.generations.serve(second.name)
        seen = ""
        while seen != second.name:
            answer = await client.get("/v1/products/a3/similar?limit=5")
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["results"]) == len(SEEDS) - 1
            seen = answer.json()["generation"]


async def test_index_lists_all_generations_and_counts_what_serves(tier: Tier) -> None:
    first, second = build(tier, "a"), build(tier, "b", OTHER_EXTRACTOR, shards=3)
    tier.generations.serve(first.name)
    tier.generations.hold_beside([second.name])
    broker = tier.broker()
    async with serving(broker, load=load) as client:
        await everything_ready(broker, 5)
        index: dict[str, Any] = (await client.get("/v1/index")).json()
        assert (index["ready"], index["serving"]) == (True, first.name)
        assert (index["extractor_id"], index["dimension"]) == (EXTRACTOR, DIMENSION)
        assert (index["searchable"], index["images"]) == (len(SEEDS), len(SEEDS))
        assert index["generations"] == [
            {"name": first.name, "extractor_id": EXTRACTOR, "shards": 2, "complete": True, "searchable": len(SEEDS)},
            {
                "name": second.name, "extractor_id": OTHER_EXTRACTOR, "shards": 3, "complete": True,
                "searchable": len(SEEDS),
            },
        ]  # fmt: skip
        assert [(each["shard"], each["generation"]) for each in index["shards"] if each["serving"]] == [
            (0, first.name),
            (1, first.name),
        ]
        tier.lines[2].cut = True  # of the other one alone
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/v1/index")).json()["generations"][1]["complete"] is False


async def test_metrics_say_what_serves_and_that_a_publication_was_refused(tier: Tier) -> None:
    first = build(tier, "a")
    tier.generations.serve(first.name)
    broker = tier.broker()
    async with serving(broker, load=load, generations=tier.generations.folder) as client:
        await serves(broker, first.name)

        async def shown() -> set[str]:
            await client.get("/v1/index")
            return set((await client.get("/metrics")).text.splitlines())

        assert {
            f'vitrine_index_generation_info{{generation="{first.name}"}} 1.0',
            f"vitrine_index_searchable_images {float(len(SEEDS))}",
            "vitrine_publish_failed 0.0",
            "vitrine_publish_finished_seconds 0.0",
            "vitrine_alias_unreadable 0.0",
            'vitrine_index_recall{shard="1"} 1.0',
            'vitrine_index_digests_differ{shard="0"} 0.0',
        } <= await shown()
        checks = [PublishCheck(name="count_serving", passed=False), PublishCheck(name="recall", passed=True)]
        report = PublishReport(name="g", passed=False, finished_ms=1, checks=checks)
        (tier.generations.folder / LAST_PUBLISH).write_bytes(encode_publish_report(report))
        (tier.generations.folder / ALIAS).write_bytes(b"{}")
        assert {
            "vitrine_publish_failed 1.0",
            "vitrine_publish_finished_seconds 0.001",
            'vitrine_publish_check_failed{check="count_serving"} 1.0',
            'vitrine_publish_check_failed{check="recall"} 0.0',
            "vitrine_alias_unreadable 1.0",
        } <= await shown()
        assert await by_photo(client) == (first.name, "a3")

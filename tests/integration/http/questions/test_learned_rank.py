"""The order learned from clicks, over HTTP: a model beside the full index, a whole tier, and what goes into the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from generations.folder import seal_generation, write_learned
from indexing.ranking.part import KIND, written
from indexing.ranking.training import Learned
from schemas.query.rank import LEARNED, RankProfile
from serving.blender.metrics import BlenderMetrics
from serving.blender.ranking.models import LearnedRanks
from tests.support.serving.generations import build_generation
from tests.support.serving.http_world import error, ids, ready, serving
from tests.support.serving.shop import PROFILES
from tests.support.serving.tier import serves, tier_in
from tests.support.serving.world import EXTRACTOR
from tests.support.shoppers.clicks import cheapest_first
from tests.support.shoppers.meaning import goods, stocked

pytestmark = pytest.mark.anyio

FAILURES = "vitrine_blender_learned_rank_failures_total"
PRICES = {product: float(fields["price"]) for product, fields in goods().items()}


@asynccontextmanager
async def shop(
    folder: Path, *, used: bool = True, altered: bool = False, extractor_id: str = EXTRACTOR
) -> AsyncIterator[httpx.AsyncClient]:
    """A blender over a full index whose model wants what is cheap; `altered`: its file is not as it was written."""
    async with tier_in(folder) as tier:
        generation = build_generation(tier.settings, stocked(), tier.topic.ends())
        model = cheapest_first(sorted(PRICES.values()))
        data, entry = written(Learned(model, used, "" if used else "it lost", {}, {}, {}), extractor_id)
        place = tier.generations.folder / generation.name
        write_learned(place, entry, data)
        seal_generation(place, replace(generation, learned=[entry]))
        if altered:
            (tier.generations.folder / generation.name / "learned" / KIND).write_bytes(b"no model")
        tier.generations.serve(generation.name)
        broker = tier.broker()
        metrics = BlenderMetrics()
        ranks = LearnedRanks(tier.generations.folder, metrics)
        profiles = {**PROFILES, LEARNED: RankProfile(learned=True)}
        async with serving(broker, metrics=metrics, ranks=ranks, profiles=profiles) as client:
            await serves(broker, generation.name)
            await ready(client)
            yield client


async def ask(client: httpx.AsyncClient, **question: Any) -> dict[str, Any]:
    answer = await client.post("/v1/search", json={"text": "boot", **question})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(answer: dict[str, Any]) -> list[str]:
    return [result["product_id"] for result in answer["results"]]


async def test_profile_learned_gives_the_order_of_the_model(tmp_path: Path) -> None:
    boots = sorted((product for product in PRICES if "-boot-" in product), key=lambda product: PRICES[product])
    async with shop(tmp_path) as client:
        answer = await ask(client, rank=LEARNED, limit=100, explain=True)
        assert answer["learned_rank"] is True
        assert shown(answer) == boots
        for result in answer["results"]:
            learned = result["explain"]["learned"]
            assert learned["within"] and result["score"] == pytest.approx(
                1.5 + 0.5 * learned["raw"] / (1 + learned["raw"])
            )
        # Another profile may be named still, and without one it is relevance.
        for other in ({}, {"rank": "popular"}, {"rank": {"price": -0.1}}):
            assert "learned_rank" not in await ask(client, **other)
        assert "learned_rank" not in await ask(client, rank=LEARNED, sort="price")

        # Pages are one list cut in pieces, as with any order.
        pages: list[str] = []
        cursor = ""
        while True:
            page = await ask(client, rank=LEARNED, limit=9, cursor=cursor)
            pages += shown(page)
            if not (cursor := page.get("cursor", "")):
                break
        assert pages == boots

        listed = await client.get(
            "/v1/search/text", params={"filter": "category:goods/boot", "rank": LEARNED, "limit": 9}
        )
        assert ids(listed) == boots[:9]
        assert f"{FAILURES} 0.0" in (await client.get("/metrics")).text


@pytest.mark.parametrize("how", [{"used": False}, {"extractor_id": "another"}], ids=["lost", "of another extractor"])
async def test_model_that_is_not_to_be_used_leaves_the_order_of_relevance(tmp_path: Path, how: dict[str, Any]) -> None:
    async with shop(tmp_path, **how) as client:
        answer = await ask(client, rank=LEARNED, explain=True)
        assert "learned_rank" not in answer
        assert shown(answer) == shown(await ask(client, rank={"relevance": 1}))
        assert f"{FAILURES} 0.0" in (await client.get("/metrics")).text


async def test_altered_model_is_told_and_searches_go_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        async with shop(tmp_path, altered=True) as client:
            for _ in range(3):
                answer = await ask(client, rank=LEARNED)
                assert len(answer["results"]) == 10 and "learned_rank" not in answer
            assert f"{FAILURES} 1.0" in (await client.get("/metrics")).text
    assert caplog.text.count("learned_rank_unusable") == 1 and "does not match its checksum" in caplog.text


async def test_switched_off_there_is_no_such_profile(tmp_path: Path) -> None:
    async with tier_in(tmp_path) as tier:
        tier.generations.serve(build_generation(tier.settings, stocked(20), tier.topic.ends()).name)
        async with serving(tier.broker(), profiles=PROFILES) as client:
            answer = await client.post("/v1/search", json={"text": "boot", "rank": LEARNED})
            assert error(answer) == (422, "invalid_question")
            assert "there are: popular" in answer.json()["error"]["detail"]


async def test_no_generation_and_a_closed_reader_give_none(tmp_path: Path) -> None:
    metrics = BlenderMetrics()
    ranks = LearnedRanks(tmp_path, metrics)
    for name in ("", "live"):
        ranks.follow(name)
        assert await ranks.of(name) is None
    ranks.close()
    assert metrics.registry.get_sample_value(FAILURES) == 0
    assert await ranks.of("g20260101T000000-00000a") is None

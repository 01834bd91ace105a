"""Words that no title has, over HTTP: the real text encoder, a map learned by the build's own step, a whole tier."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from msgspec.structs import replace

from generations.folder import Generations, seal_generation, write_learned
from indexing.meaning.fitting import Known
from indexing.meaning.part import KIND
from jobs.full_index.build.meaning import with_meaning
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart
from serving.blender.embedding.meanings import Meanings
from serving.blender.metrics import BlenderMetrics
from tests.support.serving.generations import build_generation
from tests.support.serving.http_world import ids, ready, serving
from tests.support.serving.tier import serves, tier_in
from tests.support.serving.world import DIMENSION, EXTRACTOR, direction
from tests.support.shoppers.meaning import COLOURS, goods, look, stocked
from vision.text.encoder import TextEncoder, create_text_encoder

pytestmark = pytest.mark.anyio

ENCODER = create_text_encoder()
FAILURES = "vitrine_blender_meaning_failures_total"


LEARNED: dict[str, tuple[LearnedPart, bytes]] = {}


def known(_generation: Generation, texts: TextEncoder) -> Known:
    """As `vision.known_looks` has CSS's colour names: to the text encoder crimson is nearer to black than to red."""
    mean = np.mean([look(colour, "boot") for colour in COLOURS], axis=0)
    away = look("red", "boot") - mean
    return Known(texts.encode(["crimson"]), (away / np.linalg.norm(away)).astype(np.float32)[None])


def learned(there: Generations, generation: Generation) -> Generation:
    """The generation with its map, sealed anew; learned once, as the same shop gives the same map."""
    folder = there.folder / generation.name
    if not LEARNED:
        made = with_meaning(folder, generation, lambda: ENCODER, known)
        (part,) = made.learned
        assert part.used, part.why
        LEARNED[KIND] = part, there.learned(made.name, part)
    part, data = LEARNED[KIND]
    write_learned(folder, part, data)
    made = replace(generation, learned=[part])
    seal_generation(folder, made)
    return made


@asynccontextmanager
async def shop(folder: Path, *, meaning: bool = True, altered: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """A blender over a full index with its map; `altered`: the map's file is not as it was written."""
    async with tier_in(folder) as tier:
        generation = build_generation(tier.settings, stocked(), tier.topic.ends())
        generation = learned(tier.generations, generation)
        if altered:
            (tier.generations.folder / generation.name / "learned" / KIND).write_bytes(b"no map")
        tier.generations.serve(generation.name)
        broker = tier.broker()
        metrics = BlenderMetrics()
        meanings = Meanings(tier.generations.folder, metrics, lambda: ENCODER) if meaning else None
        async with serving(broker, metrics=metrics, meanings=meanings) as client:
            await serves(broker, generation.name)
            await ready(client)
            yield client


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with shop(tmp_path) as client:
        yield client


async def ask(client: httpx.AsyncClient, **question: Any) -> dict[str, Any]:
    answer = await client.post("/v1/search", json=question)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(answer: dict[str, Any]) -> list[str]:
    return [result["product_id"] for result in answer["results"]]


async def test_crimson_boots_are_red_boots_where_no_title_has_crimson(client: httpx.AsyncClient) -> None:
    answer = await ask(client, text="crimson boot", limit=8, explain=True, facets=["colour"])
    assert (answer["match"], answer["by_meaning"]) == ("any", True)
    assert all(product.split("-")[1] == "boot" for product in shown(answer))
    assert sum(product.startswith("red-") for product in shown(answer)) >= 7
    boots = sum("-boot-" in product for product in goods())
    assert answer["matches"] == answer["facets"]["colour"]["products"] == boots
    for result in answer["results"]:
        explain = result["explain"]
        words, meaning = explain["words"]["score"], explain["meaning"]["score"]
        assert explain["look"] is None and explain["meaning"]["rank"] >= 1
        assert result["score"] == pytest.approx(words / (words + 5.0) + meaning)


async def test_coats_are_jackets_by_what_titles_and_pictures_say(client: httpx.AsyncClient) -> None:
    answer = await ask(client, text="red coat", limit=8)
    assert sum(product.startswith("red-jacket-") for product in shown(answer)) >= 7


async def test_words_that_nothing_has_find_what_looks_like_them(client: httpx.AsyncClient) -> None:
    answer = await ask(client, text="crimson", limit=10, explain=True)
    assert (answer["match"], answer["matches"], answer["by_meaning"]) == ("any", 0, True)
    assert sum(product.startswith("red-") for product in shown(answer)) >= 8
    assert all(result["explain"]["words"] is None and result["score"] > 0.0 for result in answer["results"])


async def test_filter_holds_for_what_is_found_by_meaning(client: httpx.AsyncClient) -> None:
    answer = await ask(client, text="crimson", limit=100, filter={"brand": "Nord"})
    assert shown(answer) and all(product.endswith("-nord") for product in shown(answer))


async def test_where_a_product_has_all_words_meaning_is_not_asked(client: httpx.AsyncClient) -> None:
    answer = await ask(client, text="red boot", explain=True)
    assert answer["match"] == "all" and "by_meaning" not in answer
    assert all("meaning" not in result["explain"] for result in answer["results"])


@pytest.mark.parametrize(
    "question",
    [
        {"weights": {"meaning": 0}},
        {"match": "any"},
        {"match": "all"},
        {"sort": "price"},
        {"vectors": [direction(1).tolist()]},
    ],
    ids=lambda question: next(iter(question)),
)
async def test_meaning_is_asked_of_words_alone_that_fell_back(client: httpx.AsyncClient, question: Any) -> None:
    answer = await ask(client, text="crimson boot", explain=True, **question)
    assert "by_meaning" not in answer
    assert all("meaning" not in result["explain"] for result in answer["results"])


async def test_text_without_a_word_finds_nothing(client: httpx.AsyncClient) -> None:
    answer = await ask(client, text="?!")
    assert answer["results"] == [] and "by_meaning" not in answer


async def test_pages_are_one_list_cut_in_pieces(client: httpx.AsyncClient) -> None:
    whole = shown(await ask(client, text="crimson boot", limit=60))
    pages: list[str] = []
    cursor = ""
    while len(pages) < 60:
        answer = await ask(client, text="crimson boot", limit=9, cursor=cursor)
        pages += shown(answer)
        cursor = answer.get("cursor", "")
        if not cursor:
            break
    assert pages[:60] == whole
    assert len(set(pages)) == len(pages)


async def test_least_score_is_of_words_and_meaning_together(client: httpx.AsyncClient) -> None:
    best = await ask(client, text="crimson boot", limit=20)
    least = best["results"][7]["score"] - 1e-5
    assert shown(await ask(client, text="crimson boot", limit=50, min_score=least)) == shown(best)[:8]


async def test_parameters_of_the_url_ask_by_meaning_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/search/text", params={"q": "crimson boot", "limit": 4})
    assert sum(product.startswith("red-boot-") for product in ids(answer)) >= 3
    assert answer.json()["by_meaning"] is True


async def test_switched_off_words_alone_are_searched_for(tmp_path: Path) -> None:
    async with shop(tmp_path, meaning=False) as client:
        answer = await ask(client, text="crimson boot")
        assert answer["match"] == "any" and len(answer["results"]) == 10 and "by_meaning" not in answer
        assert (await ask(client, text="crimson"))["results"] == []


async def test_altered_map_is_told_and_searches_go_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        async with shop(tmp_path, altered=True) as client:
            for _ in range(3):
                answer = await ask(client, text="crimson boot")
                assert len(answer["results"]) == 10 and "by_meaning" not in answer
            assert f"{FAILURES} 1.0" in (await client.get("/metrics")).text
    assert caplog.text.count("meaning_unusable") == 1 and "does not match its checksum" in caplog.text


async def test_meanings_of_another_text_encoder_and_of_no_generation_are_none(tmp_path: Path) -> None:
    class Other:
        text_encoder_id = "other"
        dimension = ENCODER.dimension
        encode = staticmethod(ENCODER.encode)

    def other() -> TextEncoder:
        return Other()

    async with tier_in(tmp_path) as tier:
        generation = build_generation(tier.settings, stocked(), tier.topic.ends())
        learned(tier.generations, generation)
        bare = build_generation(tier.settings, stocked(20), tier.topic.ends())
        metrics = BlenderMetrics()
        for load in (other, lambda: ENCODER):
            meanings = Meanings(tier.generations.folder, metrics, load)
            meanings.follow(generation.name)
            found = await meanings.vector("crimson", generation.name)
            if load is other:
                assert found is None
            else:
                assert found is not None and found.extractor_id == EXTRACTOR
                assert len(found.vector) == 4 * DIMENSION
                assert found == await meanings.vector("crimson", generation.name)
            for name in ("", "live", bare.name):
                assert await meanings.vector("crimson", name) is None
            meanings.close()
            assert await meanings.vector("another", generation.name) is None
        assert metrics.registry.get_sample_value(FAILURES) == 0.0

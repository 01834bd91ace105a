"""Vectors that events bring, and an order that clicks teach, from the event and the log to what a shopper is answered.

Both stages, the build's units of work, its learning, the publication and the serving tier are real; between them
memory takes the place of Kafka, and this process that of Flink.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from generations.described import describe_shard
from generations.folder import new_name, seal_generation
from generations.publish import Publisher
from indexing.build.builder import BuildSettings
from jobs.full_index.build.answers import FileAnswers
from jobs.full_index.build.cut import Cut
from jobs.full_index.build.options import BuildTarget
from jobs.full_index.build.ranking import with_lessons
from jobs.full_index.build.stages import BuildPlan, BuildShard, BuildWork, Built
from jobs.pipeline.extraction.extractors import ExtractorSpec
from schemas.deltas.delta import Progress, decode_deltas
from schemas.full_index.generation import Generation
from schemas.query.rank import LEARNED, RankProfile
from schemas.topics import INDEX_DELTAS
from serving.blender.metrics import BlenderMetrics
from serving.blender.ranking.models import LearnedRanks
from serving.grpc_api import start_server
from tests.support.metrics import CountingMetrics
from tests.support.serving.http_world import ids, ready, serving
from tests.support.serving.tier import Tier, serves, tier_in
from tests.support.serving.world import WATERMARK_MS
from tests.support.shoppers.clicks import simulated, taught
from tests.support.stages.given_vectors import EXTRACTOR, FEATURE_PARTITIONS, A, B, GivenVectorsWorld, to

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

SHARDS = 2
NEAR_A = [1.02, 2.0, 2.0]
LIKE_A = {"dear": 300.0, "middling": 60.0, "cheap": 4.0}
"""Prices of products that look alike; shoppers of the simulated shop want what is cheap."""


class Shop:
    """A tier that events reach, with a broker that publications find."""

    def __init__(self, tier: Tier, world: GivenVectorsWorld, port: int, client: httpx.AsyncClient) -> None:
        self.tier, self.world, self.client = tier, world, client
        self._settings = msgspec.structs.replace(tier.settings, grpc_port=port)

    def happens(self, *events: dict[str, object]) -> None:
        out = self.world.feed(*events)
        for record in (*to(INDEX_DELTAS, out), *to(INDEX_DELTAS, self.world.extract(out))):
            self.tier.topic.send(decode_deltas(record.value))

    async def found(self, vector: list[float], **question: Any) -> list[str]:
        return ids(await self.client.post("/v1/search", json={"vectors": [vector], "min_score": 0.99, **question}))

    async def until_found(self, vector: list[float], *products: str) -> None:
        for _ in range(6000):
            if sorted(await self.found(vector)) == sorted(products):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"not {products} within 60 s, but {await self.found(vector)}")

    def build(self) -> Generation:
        """As `jobs.full_index.build.run` does, its units done here and its lessons those of a simulated shop."""
        name = new_name()
        folder, home = self.tier.generations.folder / name, self.world.folder
        folder.mkdir(parents=True)
        cut = Cut(
            home / "catalogue", home / "features", 1, FEATURE_PARTITIONS, delta_ends=self.tier.topic.ends(),
            progress=[[Progress(0, 1, self.world.offset, WATERMARK_MS)]] * SHARDS, oldest=[0],
        )  # fmt: skip
        target = BuildTarget(ExtractorSpec(EXTRACTOR, EXTRACTOR), SHARDS, BuildSettings())
        work = BuildWork(BuildPlan(name, cut, target, folder, home / "progress"))
        work.open(CountingMetrics())
        built = [work.process(BuildShard(shard)) for shard in range(SHARDS)]
        work.close()
        counts = [each.count for each in built if isinstance(each, Built)]
        generation = Generation(
            name=name, created_ms=WATERMARK_MS, extractor_id=EXTRACTOR, encoder=EXTRACTOR, weights="",
            dimension=target.dimension, delta_partitions=cut.delta_partitions, delta_offsets=list(cut.delta_ends),
            shards=[describe_shard(folder / f"shard-{shard}") for shard in range(SHARDS)],
            catalogue_valid=sum(count.valid_images for count in counts),
            catalogue_digests=[count.digest for count in counts],
        )  # fmt: skip
        learned = with_lessons(folder, generation, taught(simulated(), days=5, answers=400))
        assert learned is not None
        seal_generation(folder, learned)
        return learned

    async def publish(self, generation: Generation) -> None:
        publisher = Publisher.from_settings(
            self._settings, FileAnswers.from_settings(self._settings), say=lambda _: None,
            open_deltas=self.tier.topic.open,
        )  # fmt: skip
        report = await asyncio.to_thread(publisher.publish, generation.name, wait_s=60.0)
        assert report.passed, report.text()


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Shop]:
    world = GivenVectorsWorld(folder / "stages")
    async with tier_in(folder / "home", EXTRACTOR, 3) as tier:
        broker = tier.broker()
        server, port = await start_server(broker, "127.0.0.1", 0)
        metrics = BlenderMetrics()
        ranks = LearnedRanks(tier.generations.folder, metrics)
        profiles = {LEARNED: RankProfile(learned=True)}
        try:
            async with serving(
                broker, load=_no_load, metrics=metrics, ranks=ranks, profiles=profiles, extractor_id=EXTRACTOR
            ) as client:
                await serves(broker, "live")
                await ready(client)
                yield Shop(tier, world, port, client)
        finally:
            await server.stop(1)
            world.close()


def _no_load(extractor_id: str, generation: str) -> Any:
    raise AssertionError(f"{extractor_id} of {generation} was to be loaded")


def added(product_id: str, vector: list[float], price: float = 60.0) -> dict[str, object]:
    attributes = {"title": f"Lamp {product_id}", "price": price, "sales": 100, "praise": 0.7}
    images = [{"url": f"https://shop.example/{product_id}.jpg", "vector": vector}]
    return {"type": "product_added", "product_id": product_id, "product": attributes, "images": images}


async def test_own_vectors_and_a_learned_order_from_the_event_to_the_answer_of_a_published_index(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path) as running:
        running.happens(*(added(product, A, price) for product, price in LIKE_A.items()), added("other", B))
        await running.until_found(A, *LIKE_A)
        await running.until_found(B, "other")
        before = await running.client.post("/v1/search", json={"vectors": [A], "rank": LEARNED})
        assert "learned_rank" not in before.json()

        made = running.build()
        # What happens after the cut reaches the new index by its deltas.
        running.happens(added("late", NEAR_A, 1.0), {"type": "product_removed", "product_id": "middling"})
        await running.publish(made)

        await running.until_found(A, "dear", "cheap", "late")
        await running.until_found(B, "other")
        answer = (await running.client.post("/v1/search", json={"vectors": [A], "min_score": 0.99})).json()
        assert (answer["generation"], answer["partial"]) == (made.name, False)
        assert [running.tier.generations.serving().name] == [made.name]  # type: ignore[union-attr]

        # By likeness the late one comes last, and of two alike neither is first for its price.
        assert (await running.found(A))[-1] == "late"
        answer = (
            await running.client.post("/v1/search", json={"vectors": [A], "rank": LEARNED, "explain": True})
        ).json()
        assert answer["learned_rank"] is True
        shown = [result["product_id"] for result in answer["results"] if result["explain"]["learned"]["within"]]
        assert shown.index("cheap") < shown.index("dear")

        running.happens(added("other", A, 2.0))
        await running.until_found(A, "dear", "cheap", "late", "other")
        await running.until_found(B)

"""A shop to publish into: real hosts and a real gRPC broker in this process, full indexes on disk."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from generations.broker import broker_of
from generations.folder import Generations, new_name, seal_generation
from generations.publish import Publisher
from jobs.full_index.build.answers import FileAnswers
from schemas.deltas.delta import DeltaBatch
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import PublishCheck, PublishReport
from schemas.settings import Settings
from serving.broker.service import BrokerService
from serving.grpc_api import start_server
from tests.support.serving.generations import build_generation
from tests.support.serving.tier import TIMEOUT_S, Tier, serves, stocked, tier_in
from tests.support.serving.world import EXTRACTOR, batch

T = TypeVar("T")

WAIT_S = 30.0


class Shop:
    """`settings` find its broker; its index grew from the products a0, a1, ..., which are in index-deltas."""

    def __init__(self, tier: Tier, broker: BrokerService, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.tier = tier
        self.settings: Settings = msgspec.structs.replace(tier.settings, grpc_port=port)
        self.generations: Generations = tier.generations
        self.said: list[str] = []
        self._now = time.time()
        self._broker = broker
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def build(self, name: str = "a", shards: int = 2, extractor_id: str = EXTRACTOR) -> Generation:
        return self.build_of(stocked(name, extractor_id), shards, extractor_id)

    def build_of(self, deltas: DeltaBatch, shards: int = 2, extractor_id: str = EXTRACTOR) -> Generation:
        """Named as if it took a second, so that names sort in the order of their making."""
        self._now += 1
        name = new_name(self._now)
        return build_generation(
            self.settings, deltas, self.tier.topic.ends(), shards=shards, extractor_id=extractor_id, name=name
        )

    def sealed_with(self, generation: Generation, **changes: Any) -> Generation:
        """The generation with another manifest: as a build would have written it that found these things."""
        changed = msgspec.structs.replace(generation, **changes)
        seal_generation(self.generations.folder / generation.name, changed)
        return changed

    def publish(self, name: str, **options: Any) -> PublishReport:
        publisher = self.publisher(options.pop("settings", self.settings))
        return publisher.publish(name, **({"wait_s": WAIT_S} | options))

    def publisher(self, settings: Settings | None = None) -> Publisher:
        """Reads this shop's index-deltas, and says to `said`."""
        settings = settings or self.settings
        answers = FileAnswers.from_settings(settings)
        return Publisher.from_settings(settings, answers, say=self.said.append, open_deltas=self.tier.topic.open)

    def serving(self) -> str:
        return self.run(self._broker.status(TIMEOUT_S)).serving

    def wait_serving(self, name: str) -> None:
        self.run(serves(self._broker, name))

    def wait_searchable(self, images: int) -> None:
        """Until the index that serves has that many."""
        deadline = time.monotonic() + 120
        with broker_of(self.settings.tier) as broker:
            while sum(entry.searchable for entry in broker.status().shards if entry.serving) != images:
                assert time.monotonic() < deadline, f"not {images} searchable images within 120 s"
                time.sleep(0.01)

    def damage(self, generation: Generation, shard: int = 1, file: str = "rows.bin") -> None:
        """Turns one bit in the middle of a file round."""
        path = self.generations.shard_folder(generation.name, shard) / file
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def damaging(self, generation: Generation) -> Callable[[Generation], None]:
        """For `prepare`: the checks have passed by then."""
        return lambda _: self.damage(generation)


@contextmanager
def open_shop(home: Path) -> Iterator[Shop]:
    """Its event loop runs on a thread, for publications block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="shop")
    thread.start()
    try:
        opened: asyncio.Future[Shop] = asyncio.Future(loop=loop)
        close = asyncio.Event()
        served = asyncio.run_coroutine_threadsafe(_serve(home, opened, close), loop)

        async def shop() -> Shop:
            return await opened

        try:
            yield asyncio.run_coroutine_threadsafe(shop(), loop).result(60)
        finally:
            loop.call_soon_threadsafe(close.set)
            served.result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _serve(home: Path, opened: asyncio.Future[Shop], close: asyncio.Event) -> None:
    async with tier_in(home) as tier:
        tier.topic.send(stocked("a"))
        tier.topic.send(batch())
        broker = tier.broker()
        server, port = await start_server(broker, "127.0.0.1", 0)
        try:
            await serves(broker, "live")
            opened.set_result(Shop(tier, broker, port, asyncio.get_running_loop()))
            await close.wait()
        except Exception as error:
            if not opened.done():
                opened.set_exception(error)
            raise
        finally:
            await server.stop(1)


def of(report: PublishReport, name: str) -> PublishCheck:
    """The check of that name."""
    return next(check for check in report.checks if check.name == name)


def failed(report: PublishReport) -> list[str]:
    """Names of the checks that failed."""
    return [check.name for check in report.failed]

"""Probes: events of products of one's own, each watched at its searcher until it is shown, or given up.

One probe that is not shown ends them all: whatever comes behind it waits at
least as long, so that the rate is not sustained, and that is what was found.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio

from benchmarks.load.shop import Event, Kind, Shop, retitled
from messaging.producer import EventProducer
from schemas.ids import shard_of_product
from schemas.search_pb2 import ProductRequest, ReplicaStatus, SearchRequest
from schemas.search_pb2_grpc import SearchStub
from schemas.settings import Settings
from schemas.topics import PRODUCT_EVENTS

PROBE_PRODUCTS = 1000
TITLES_EVERY = 5
POLL_S = 0.002
FIRST_SENDS_S = 2.0
"""Probes of the first seconds are not counted: a producer's first sends wait for metadata and its producer id."""
GIVE_UP_S = 60.0


@dataclass(slots=True)
class Probe:
    """Times are Unix milliseconds, 0 for what has not been; `appended_ms` and the position come with the receipt."""

    event: Event
    sent_ms: float
    shown_ms: float = 0.0
    partition: int = -1
    offset: int = -1
    appended_ms: int = 0
    word: str = ""

    def note_receipt(self, error: object, message: Any) -> None:
        if error is not None:
            raise RuntimeError(f"a probe was not written: {error}")
        self.partition, self.offset, self.appended_ms = message.partition(), message.offset(), message.timestamp()[1]


@dataclass(frozen=True, slots=True)
class Probed:
    """`probes`: in the order of sending. `problem`: what was not shown, in words; empty where all were."""

    probes: list[Probe]
    problem: str = ""

    @property
    def shown(self) -> list[Probe]:
        return [probe for probe in self.probes if probe.shown_ms]


class _NotShownError(Exception):
    """A probe was given up."""


async def send_probes(settings: Settings, shop: Shop, seconds: float, per_s: float) -> Probed:
    """Sends at a steady pace and watches each until its searcher shows it; those of the first sends are left out."""
    channels = [grpc.aio.insecure_channel(settings.tier.searcher(shard)) for shard in range(settings.shards)]
    searchers: list[Any] = [SearchStub(channel) for channel in channels]  # type: ignore[no-untyped-call]
    try:
        with EventProducer(settings.kafka, linger_ms=0.0) as producer:

            def send(probe: Probe) -> None:
                producer.send(PRODUCT_EVENTS, probe.event.key, probe.event.value, delivered=probe.note_receipt)

            return await watched(searchers, send, shop, FIRST_SENDS_S + seconds, per_s, leave_out_s=FIRST_SENDS_S)
    finally:
        for channel in channels:
            await channel.close(None)


async def watched(
    searchers: Sequence[Any],
    send: Callable[[Probe], None],
    shop: Shop,
    seconds: float,
    per_s: float,
    *,
    leave_out_s: float = 0.0,
    give_up_s: float = GIVE_UP_S,
) -> Probed:
    """Probes of `shop` through `send`, `per_s` of them a second; `searchers`: a stub for each shard.

    Those of the first `leave_out_s` are not among the result. Raises what `send` and a searcher's calls do.
    """
    events, busy = shop.mix(), set[bytes]()
    probes: list[Probe] = []
    first_word = time.time_ns() // 1_000_000  # no other rate's words: two products with one cannot be told apart
    began = time.perf_counter()
    problem = ""
    try:
        async with asyncio.TaskGroup() as watching:
            while (elapsed := time.perf_counter() - began) < seconds:
                await asyncio.sleep(max(0.0, len(probes) / per_s - elapsed))
                event = next(events)
                while event.key in busy:  # two changes of one product at a time could not be told apart
                    await asyncio.sleep(POLL_S)
                busy.add(event.key)
                word = ""
                if event.kind is Kind.ATTRIBUTES and len(probes) % TITLES_EVERY == 0:
                    word = f"word{first_word + len(probes)}x"
                    event = retitled(event, word)
                probe = Probe(event, time.time_ns() / 1e6, word=word)
                probes.append(probe)
                send(probe)
                searcher = searchers[shard_of_product(event.key.decode(), len(searchers))]
                watching.create_task(_watch(searcher, probe, busy, give_up_s))
    except ExceptionGroup as group:
        (first, *_) = group.exceptions
        if not isinstance(first, _NotShownError):
            raise first from group
        problem = str(first)
    first_ms = probes[0].sent_ms if probes else 0.0
    return Probed([probe for probe in probes if probe.sent_ms >= first_ms + 1000 * leave_out_s], problem)


async def _watch(searcher: Any, probe: Probe, busy: set[bytes], give_up_s: float) -> None:
    product = probe.event.key.decode()
    words = SearchRequest(words=f"{probe.word} ", list_limit=1)
    while True:
        if probe.word:
            answer = await searcher.Search(words, timeout=give_up_s)
            shown = list(answer.listed.product_ids) == [product]
        else:
            answer = await searcher.Product(ProductRequest(product_id=product), timeout=give_up_s)
            shown = shows(answer.replicas[0], probe.event)
        now_ms = time.time_ns() / 1e6
        if shown:
            probe.shown_ms = now_ms
            busy.discard(probe.event.key)
            return
        if now_ms - probe.sent_ms > 1000 * give_up_s:
            kind = probe.event.kind.value
            where = f"offset {probe.offset} of partition {probe.partition}" if probe.offset >= 0 else "not in the log"
            raise _NotShownError(f"a probe ({kind}, {product}, {where}) was not shown within {give_up_s:g} s")
        await asyncio.sleep(POLL_S)


def shows(status: ReplicaStatus, event: Event) -> bool:
    """Whether the searcher's answer is that after the event."""
    if event.kind is Kind.REMOVED:
        return not any(image.valid for image in status.images)
    return bool(status.price == event.price and any(image.searchable for image in status.images))

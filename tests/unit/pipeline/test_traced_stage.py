"""Stages with their traces followed: the same bytes as without, and each output in the traces that it follows from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_store.open import catalogue_store
from feature_store.products import ProductReader
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import configured
from jobs.pipeline.extraction.stage import ExtractionStage
from jobs.pipeline.stage import Out, Record, Stage
from jobs.pipeline.traced.stage import TracedStage
from schemas.access.traces import TraceCollector
from schemas.deltas.delta import decode_deltas
from schemas.events.record import encode_record
from schemas.ids import kafka_partition, product_hash
from schemas.settings import load_settings
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS, IMAGE_FEATURES, INDEX_DELTAS, PRODUCT_EVENTS
from schemas.trace_context import MOST_CONTEXTS, TraceContext, contexts_header, read_contexts
from tests.support.collector import Collector, collecting
from tests.support.metrics import CountingMetrics

EXTRACTOR = "external:shop:4"
PARTITIONS = 4
NOW_MS = 1_700_000_000_000


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def trace(number: int) -> TraceContext:
    return TraceContext(f"{number:032x}", f"{number:016x}")


def added(product_id: str, price: float = 1.0) -> dict[str, object]:
    image = {"url": f"https://shop.example/{product_id}.jpg", "vector": [1.0, 2.0, 3.0, price]}
    return {"type": "product_added", "product_id": product_id, "product": {"price": price}, "images": [image]}


def records(*events: tuple[dict[str, object] | bytes, tuple[TraceContext, ...]]) -> list[Record]:
    """With offsets in a row, whatever the partition."""
    found = []
    for offset, (event, contexts) in enumerate(events):
        key = b"" if isinstance(event, bytes) else str(event["product_id"]).encode()
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        place = kafka_partition(key, PARTITIONS)
        found.append(Record(key or None, value, place, offset, NOW_MS, contexts_header(contexts)))
    return found


class World:
    """Both stages over stores in `folder`, traced where there is a collector."""

    def __init__(self, folder: Path, collector: Collector | None) -> None:
        settings = load_settings(
            {}, home=str(folder), encoder=EXTRACTOR, event_partitions=PARTITIONS, feature_partitions=2
        )
        extractors = configured(settings)
        self.metrics = CountingMetrics()
        self.store = settings.layout.catalogue_store
        catalogue = CatalogueConfig.from_settings(settings, [spec.extractor_id for spec in extractors])
        extraction = ExtractionConfig.from_settings(settings, extractors)
        self.catalogue: Stage = CatalogueStage(catalogue)
        self.extraction: Stage = ExtractionStage(extraction)
        if collector is not None:
            to = TraceCollector(f"{collector.url}/v1/traces", 1.0)
            self.catalogue = TracedStage(lambda: CatalogueStage(catalogue), "catalogue", PRODUCT_EVENTS, to)
            self.extraction = TracedStage(lambda: ExtractionStage(extraction), "extraction", EXTRACT_REQUESTS, to)
        self.catalogue.open(self.metrics)
        self.extraction.open(self.metrics)

    def close(self) -> None:
        self.catalogue.close()
        self.extraction.close()

    def stored(self, *product_ids: str) -> list[bytes]:
        store = catalogue_store(self.store, PARTITIONS)
        reader = ProductReader(store)
        found = []
        for product_id in product_ids:
            (record,) = reader.get_many(kafka_partition(product_id.encode(), PARTITIONS), [product_id])
            found.append(b"" if record is None else encode_record(record))
        reader.close()
        return found


def requests_of(out: list[Out]) -> list[Record]:
    """What the catalogue asked for, as extraction reads it; of one partition, whose key it has."""
    asked = [each for each in out if each.topic == EXTRACT_REQUESTS]
    return [
        Record(each.key, each.value, kafka_partition(each.key or b"", 2), offset, NOW_MS, each.trace)
        for offset, each in enumerate(asked)
    ]


def products(out: Out) -> set[str]:
    return set(decode_deltas(out.value).product_id)


EVENTS = records(
    (added("a"), (trace(1),)),
    (added("b"), ()),
    (added("c"), (trace(3),)),
    (b"no event", (trace(4),)),
    ({"type": "product_updated", "product_id": "a", "product": {"price": 2.0}}, (trace(5),)),
    ({"type": "product_removed", "product_id": "b"}, ()),
)


def test_traced_stages_write_and_store_the_same_bytes(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: NOW_MS * 1_000_000)  # features and dead letters say when
    plain, traced = World(tmp_path / "plain", None), World(tmp_path / "traced", collector)
    outs = []
    for world in (plain, traced):
        first = world.catalogue.process(EVENTS)
        second = world.extraction.process(requests_of(first))
        outs.append([*first, *second])
        world.close()
    bare, followed = outs
    assert {each.topic for each in bare} >= {INDEX_DELTAS, EXTRACT_REQUESTS, DEAD_LETTERS, IMAGE_FEATURES}
    assert [each[:4] for each in followed] == [each[:4] for each in bare]
    assert not any(each.trace for each in bare)
    assert traced.stored("a", "b", "c") == plain.stored("a", "b", "c") != [b"", b"", b""]


def test_an_event_is_followed_to_its_delta_and_through_extraction(tmp_path: Path, collector: Collector) -> None:
    world = World(tmp_path, collector)
    out = world.catalogue.process(EVENTS)
    rows = [each for each in out if each.topic == INDEX_DELTAS and products(each)]
    assert rows
    for each in rows:
        followed = {context.trace_id for context in read_contexts(each.trace)}
        wanted = {trace(1).trace_id, trace(5).trace_id} if "a" in products(each) else set()
        assert followed == wanted | ({trace(3).trace_id} if "c" in products(each) else set())
    assert not any(each.trace for each in out if each.topic == INDEX_DELTAS and not products(each))
    answered = world.extraction.process(requests_of(out))
    world.close()
    (price, *_), (new, extracted) = collector.of(trace(5).trace_id), collector.of(trace(3).trace_id)
    assert (price.name, price.parent_id) == ("catalogue", trace(5).span_id)
    assert price.attributes["vitrine.product_hash"] == product_hash("a").hex()
    assert price.attributes["messaging.batch.message_count"] == len(EVENTS)
    assert set(price.links) == {trace(n).trace_id for n in (1, 3, 4)}
    assert (new.name, extracted.name, extracted.parent_id) == ("catalogue", "extraction", new.span_id)
    assert new.ended_ns <= extracted.began_ns
    (letter,) = collector.of(trace(4).trace_id)
    assert letter.problem == "dead letter"
    vectors = [each for each in answered if each.topic == INDEX_DELTAS and "c" in products(each)]
    assert all(extracted.span_id in (each.trace or b"").decode() for each in vectors)
    assert vectors
    told = b"".join(collector.bodies)
    assert not any(secret in told for secret in (b"shop.example", b"product_updated", b"no event"))


def test_request_that_goes_round_keeps_its_trace_and_makes_no_span(tmp_path: Path, collector: Collector) -> None:
    class Round:
        def open(self, metrics: object) -> None: ...

        def close(self) -> None: ...

        def process(self, batch: list[Record]) -> list[Out]:
            return [Out(EXTRACT_REQUESTS, each.key, each.value or b"") for each in batch]

    world = World(tmp_path, None)
    asked = requests_of(world.catalogue.process(records((added("a"), ()), (added("b"), ()))))
    world.close()
    to = TraceCollector(f"{collector.url}/v1/traces", 1.0)
    stage = TracedStage(Round, "extraction", EXTRACT_REQUESTS, to)  # type: ignore[arg-type]
    stage.open(CountingMetrics())
    first, second = stage.process([asked[0]._replace(trace=contexts_header([trace(1)])), asked[1]])
    stage.close()
    assert (first.trace, second.trace) == (contexts_header([trace(1)]), None)
    assert collector.spans == []


def test_call_with_too_many_traced_records_counts_those_that_it_does_not_follow(
    tmp_path: Path, collector: Collector
) -> None:
    world = World(tmp_path, collector)
    batch = records(*((added(f"p{n}"), (trace(n + 1),)) for n in range(MOST_CONTEXTS + 7)))
    world.catalogue.process(batch)
    world.close()
    assert len(collector.spans) == MOST_CONTEXTS
    assert world.metrics.counts["traces_dropped"] == 7

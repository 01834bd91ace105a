"""On the whole system: a price's way from the event to the searcher as one trace, and a query's to the searchers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import httpx
import pytest

from cli.main import main
from cli.runtime.environment import settings_environment
from cli.runtime.flink.parts import TASK_MANAGER
from messaging.producer import EventProducer
from schemas.ids import shard_of_product
from schemas.topics import PRODUCT_EVENTS
from schemas.trace_context import TRACEPARENT, TraceContext
from tests.rebuilt import LogTruth
from tests.support.collector import Collector, Seen, collecting
from tests.system import System, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

EXTRACTOR = "external:shop:4"
PRODUCT = "traced-1"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    """Traces what comes with a trace of its own, and nothing else."""
    home = tmp_path_factory.mktemp("traced")
    system = System(home, encoder=EXTRACTOR, traces=collector.url, traces_ratio=0.0)
    try:
        system.start()
        yield system
    finally:
        system.stop()


def context(number: int) -> TraceContext:
    return TraceContext(f"{number:032x}", f"{number:016x}")


def added(product_id: str) -> bytes:
    image = {"url": f"https://shop.example/{product_id}.jpg", "vector": [1.0, 2.0, 3.0, 4.0]}
    event = {"type": "product_added", "product_id": product_id, "product": {"price": 1.0}, "images": [image]}
    return json.dumps(event).encode()


def priced(product_id: str, price: float) -> str:
    return json.dumps({"type": "product_updated", "product_id": product_id, "product": {"price": price}})


def way(collector: Collector, trace: TraceContext, *names: str) -> list[Seen]:
    """Spans of the trace by these names, each a part of the one before, once they are there; none begins before it."""

    def found() -> list[Seen]:
        return _way(collector.of(trace.trace_id), names)

    spans = eventually(found, f"the trace goes by {', '.join(names)}", timeout_s=60)
    assert [span.began_ns for span in spans] == sorted(span.began_ns for span in spans)
    return spans


def _way(spans: list[Seen], names: Sequence[str], parent: str | None = None) -> list[Seen]:
    if not names:
        return []
    for span in spans:
        if span.name == names[0] and parent in (None, span.parent_id):
            behind = _way(spans, names[1:], span.span_id)
            if len(behind) == len(names) - 1:
                return [span, *behind]
    return []


@pytest.mark.timeout(900)
def test_a_price_is_one_trace_from_the_producer_to_the_searcher(
    traced: System, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = LogTruth(traced.settings, EXTRACTOR)
    new = context(0xA1)
    with EventProducer(traced.kafka) as producer:  # a shop's own client, which says its trace itself
        headers = [(TRACEPARENT, str(new).encode())]
        producer.send(PRODUCT_EVENTS, PRODUCT.encode(), added(PRODUCT), headers=headers, delivered=traced._delivered)
        producer.send(PRODUCT_EVENTS, b"traced-2", added("traced-2"), delivered=traced._delivered)
    traced.wait_searchable([PRODUCT, "traced-2"])
    way(collector, new, "catalogue", "apply deltas")
    extraction, applied = way(collector, new, "catalogue", "extraction", "apply deltas")[1:]
    assert (extraction.service, applied.service) == ("vitrine-job-extraction", "vitrine-searcher")

    price = context(0xA2)
    for name, value in settings_environment(traced.settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRACEPARENT", str(price))
    assert main(["produce", "--event", priced(PRODUCT, 7.0)]) == 0
    produced, worked, applied = way(collector, price, "publish product-events", "catalogue", "apply deltas")
    assert produced.parent_id == price.span_id
    assert [each.service for each in (produced, worked, applied)] == [
        "vitrine-produce",
        "vitrine-job-catalogue",
        "vitrine-searcher",
    ]
    assert worked.ended_ns <= applied.ended_ns
    assert {
        span.attributes["vitrine.shard"] for span in collector.of(price.trace_id) if span.name == "apply deltas"
    } == {shard_of_product(PRODUCT, traced.settings.partitions_of_deltas)}
    assert all(replica.price == 7.0 for replica in traced.product(PRODUCT).replicas)

    assert {span.trace_id for span in collector.spans} == {new.trace_id, price.trace_id}  # others were not asked for
    assert not any(b"shop.example" in body or PRODUCT.encode() in body for body in collector.bodies)
    traced.wait_settled()

    def equal() -> bool:
        truth.read()
        return [digest for _, digest in sorted(traced.digests().items())] == truth.digests()

    eventually(equal, "the traced stream equals the batch", poll_s=0.5)


@pytest.mark.timeout(900)
def test_a_query_is_one_trace_from_the_blender_to_the_searchers(traced: System, collector: Collector) -> None:
    query = context(0xB1)

    def ask(trace: TraceContext) -> httpx.Response:
        return httpx.post(
            f"{traced.base}/v1/search/vector",
            json={"vector": [1.0, 2.0, 3.0, 4.0]},
            headers={TRACEPARENT: str(trace)},
            timeout=60,
            trust_env=False,
        )

    eventually(lambda: ask(context(0xB2)).status_code == 200, "the blender answers")
    assert ask(query._replace(trace_id=f"{0xB3:032x}", sampled=False)).status_code == 200
    assert ask(query).status_code == 200
    asked, to_broker, in_broker, to_searcher, searched = way(
        collector, query, "POST /v1/search/vector", "ask Search", "Search", "ask Search", "Search"
    )

    def searchers() -> set[str]:
        return {span.parent_id for span in collector.of(query.trace_id) if span.service == "vitrine-searcher"}

    eventually(lambda: len(searchers()) >= traced.settings.shards, "every shard's searcher has its span", timeout_s=60)
    assert asked.parent_id == query.span_id
    assert [each.service for each in (asked, to_broker, in_broker, to_searcher, searched)] == [
        *("vitrine-blender", "vitrine-blender", "vitrine-broker", "vitrine-broker", "vitrine-searcher"),
    ]
    assert asked.attributes["http.response.status_code"] == 200
    assert collector.of(f"{0xB3:032x}") == []


@pytest.mark.timeout(900)
def test_collector_that_is_away_stops_nothing_and_is_counted(traced: System, collector: Collector) -> None:
    collector.refusing = True
    with EventProducer(traced.kafka) as producer:
        headers = [(TRACEPARENT, str(context(0xC1)).encode())]
        value = priced(PRODUCT, 9.0).encode()
        producer.send(PRODUCT_EVENTS, PRODUCT.encode(), value, headers=headers, delivered=traced._delivered)
    traced.wait_settled()
    assert all(replica.price == 9.0 for replica in traced.product(PRODUCT).replicas)
    shard = shard_of_product(PRODUCT, traced.settings.partitions_of_deltas)
    port = traced.settings.tier.searcher_port(shard, 0) + 1000

    def dropped() -> bool:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        return any(
            line.startswith("vitrine_traces_dropped_total") and float(line.split()[1]) >= 1
            for line in text.splitlines()
        )

    eventually(dropped, "the searcher counts the span that it gave up", timeout_s=60)
    assert TASK_MANAGER in traced.runtime.running()
    collector.refusing = False

"""Probes that are shown, one that never is, and what the benchmark says and writes of a rate that is not sustained."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.load.probes import Probe, Probed, watched
from benchmarks.load.shop import Kind, Shop
from benchmarks.rows.stream import freshness
from schemas.search_pb2 import ImageStatus, ProductRequest, ProductResponse, ReplicaStatus, SearchRequest

NOTHING_SHOWN = ProductResponse(replicas=[ReplicaStatus(images=[ImageStatus(valid=True, vector=b"x" * 3072)])])


class Searcher:
    """A searcher's twin that shows what was sent at once, but for the products in `hidden`."""

    def __init__(self) -> None:
        self.sent: dict[str, Probe] = {}
        self.hidden: set[str] = set()

    def send(self, probe: Probe) -> None:
        self.sent[probe.event.key.decode()] = probe

    async def Product(self, request: ProductRequest, timeout: float) -> ProductResponse:  # noqa: N802
        await asyncio.sleep(0)
        if request.product_id in self.hidden:
            return NOTHING_SHOWN
        event = self.sent[request.product_id].event
        images = [ImageStatus(valid=event.kind is not Kind.REMOVED, searchable=True)]
        return ProductResponse(replicas=[ReplicaStatus(images=images, price=event.price or 0.0)])

    async def Search(self, request: SearchRequest, timeout: float) -> Any:  # noqa: N802
        await asyncio.sleep(0)
        found = [name for name, probe in self.sent.items() if probe.word and probe.word == request.words.strip()]
        return SimpleNamespace(listed=SimpleNamespace(product_ids=found))


def probed(searcher: Searcher, give_up_s: float = 5.0) -> Probed:
    return asyncio.run(watched([searcher], searcher.send, Shop(50, seed=3), 0.3, 200.0, give_up_s=give_up_s))


def test_probes_that_are_shown_have_their_times_and_no_problem() -> None:
    found = probed(Searcher())
    assert found.problem == ""
    assert len(found.shown) == len(found.probes) > 20
    assert all(probe.shown_ms >= probe.sent_ms for probe in found.probes)


def test_probe_that_is_never_shown_ends_the_others_and_is_told_in_one_line(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    searcher = Searcher()
    searcher.hidden = {f"sku-{number:08d}" for number in range(25)}
    with caplog.at_level(logging.ERROR):
        found = probed(searcher, give_up_s=0.1)
    assert "was not shown within 0.1 s" in found.problem
    assert "\n" not in found.problem and len(found.problem) < 200
    assert 0 < len(found.shown) < len(found.probes)
    # No task was left whose error nobody took.
    assert "never retrieved" not in caplog.text + capsys.readouterr().err


def test_what_sending_raises_is_raised_as_it_is() -> None:
    def refuse(_: Probe) -> None:
        raise RuntimeError("a probe was not written: _MSG_TIMED_OUT")

    with pytest.raises(RuntimeError, match="_MSG_TIMED_OUT"):
        asyncio.run(watched([Searcher()], refuse, Shop(50), 0.3, 200.0))


def test_rate_that_is_not_sustained_has_a_row_beside_those_that_are() -> None:
    spread = {"mean": 20.0, "p50": 18.0, "p90": 30.0, "p99": 40.0, "max": 50.0}
    parts = dict.fromkeys(("producer_to_log", "log_to_delta_by_flink", "delta_to_searchable"), spread)
    figures = {
        "at_500_per_s": {"event_to_searchable_ms": spread, "where_the_time_goes_ms": parts, "cores": {"kafka": 0.1}},
        "at_5000_per_s": {"problem": "...", "shown_share": 0.25, "events_waiting": 81_000, "cores": {"kafka": 0.5}},
    }
    first, second = freshness({"name": "freshness", "figures": figures, "parameters": {}})
    assert "p50 18.0" in first[2]
    assert second[0] == "event to searchable, 5000 events/s"
    assert second[2] == "not sustained: 25% of probes shown, 81,000 events wait"

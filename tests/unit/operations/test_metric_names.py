"""Alerts and the dashboard ask for metrics, and labels of them, that processes really show."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from serving.blender.metrics import BlenderMetrics, broker_ejected
from serving.broker.metrics import BrokerMetrics
from serving.exposition import DiskSpace
from serving.health import State
from serving.searcher.metrics import SearcherMetricFamilies
from tests.support.deployed import dashboard, queries, rules
from tests.support.flink_metrics import FLINK, STAGES, stage_metrics
from tests.support.serving.world import ready_searcher

OF_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate"}}
ADDED = {"job", "instance"}
"""Labels that Prometheus gives to what it scrapes."""


def families() -> list[Metric]:
    """Of every process of the serving tier, each with a sample of all its labels."""
    blender, remote, broker = BlenderMetrics(), CollectorRegistry(), BrokerMetrics()
    broker_ejected(remote).labels("broker:7100").set(0)
    remote.register(DiskSpace(str(Path.cwd())))
    blender.answered(("photo",), empty=True)
    blender.serves("g", 1)
    blender.agree({0: False})
    blender.built([1.0])
    blender.requests.labels("GET", "/healthz", "200").inc()
    blender.request_seconds.labels("/healthz").observe(0.1)
    blender.known_photos.labels("hit").inc()
    blender.check_failed.labels("recall").set(0)
    broker.replica_is(0, 0, State.EJECTED)
    broker.missing_shards.labels("0").inc()
    broker.second_tries.labels("slow").inc()
    searchers = SearcherMetricFamilies(CollectorRegistry())
    searcher = ready_searcher()
    metrics = searchers.of(0, 0)
    metrics.watch(searcher)
    metrics.refused("row").inc()
    registries = (blender.registry, remote, broker.registry, searchers.registry)
    return [metric for registry in registries for metric in registry.collect()]


@cache
def exposed() -> dict[str, set[str]]:
    """Labels by series name."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in OF_PROMETHEUS.items()}
    for family in families():
        for sample in family.samples:
            found.setdefault(sample.name, set(ADDED)).update(sample.labels)
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = {"stage"}
    found |= {f"{STAGES}{name}": {"vitrine", *ADDED} for name in stage_metrics()}
    return found | {name: {*labels, *ADDED} for name, labels in FLINK.items()}


def asked(expression: str) -> dict[str, set[str]]:
    """Labels that are asked for, by name of the series. Labels of `by (...)` count for every series in it."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    grouped = {
        label for labels in re.findall(r"\b(?:by|on) ?\(([^)]*)\)", bare) for label in re.findall(r"\w+", labels)
    }
    made = dict(re.findall(r'"(\w+)", "\$1", "(\w+)"', expression))  # by label_replace, of which label
    grouped = {made.get(label, label) for label in grouped}
    found: dict[str, set[str]] = {}
    for name, matchers in re.findall(r"\b((?:vitrine|flink)[\w:]+|up|ALERTS)\b(?:{([^}]*)})?", bare):
        found.setdefault(name, set()).update(re.findall(r"(\w+) *(?:=|!=|=~|!~)", matchers))
    return {name: labels | (grouped - {"le"} if len(found) == 1 else set()) for name, labels in found.items()}


@pytest.mark.parametrize("expression", queries(), ids=lambda expression: " ".join(expression.split())[:60])
def test_every_series_and_label_that_is_asked_for_is_shown(expression: str) -> None:
    wanted = asked(expression)
    assert wanted
    for name, labels in wanted.items():
        assert name in exposed(), f"no process shows {name}"
        assert labels <= exposed()[name], f"{name} has no label {labels - exposed()[name]}"


def test_renamed_metric_and_label_would_be_noticed() -> None:
    assert asked('sum by (shard) (rate(vitrine_gone_total{kind=~"a|b", x!="c"}[5m]))') == {
        "vitrine_gone_total": {"kind", "x", "shard"}
    }
    assert "vitrine_gone_total" not in exposed()
    assert "replica" not in exposed()["vitrine_index_recall"]


def test_dashboard_shows_what_operators_are_asked_about() -> None:
    text = " ".join(queries())
    for metric in (
        *("vitrine_searcher_watermark_seconds", "vitrine_searcher_lag", "vitrine:events_waiting"),
        *("vitrine_blender_searches_total", "vitrine_blender_request_seconds_bucket", "vitrine_index_recall"),
        *("vitrine_blender_known_photos_total", f"{STAGES}features_reused", f"{STAGES}dead_letters"),
        *("vitrine_publish_finished_seconds", "vitrine_disk_free_bytes", "vitrine_index_digests_differ"),
        *("vitrine_searcher_recall_at_10", "vitrine_searcher_removal_seconds_bucket"),
    ):
        assert metric in text
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["datasource"]["uid"] == "prometheus" for panel in panels if panel["type"] != "row")

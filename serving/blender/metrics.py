"""The blender's Prometheus metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.exposition import SECONDS

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class _Answers(Collector):
    """Numbers that every search adds to: plain ones, for a `Counter` takes ten times as long as an addition."""

    def __init__(self) -> None:
        self.searches: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.empty = 0

    def collect(self) -> Iterator[Metric]:
        searches = CounterMetricFamily(
            "vitrine_blender_searches", "Searches answered, by what they were asked with", labels=["kind"]
        )
        for kinds, count in sorted(self.searches.copy().items()):
            searches.add_metric(["+".join(kinds)], count)
        yield searches
        yield CounterMetricFamily("vitrine_blender_empty_answers", "Answers without a product", value=self.empty)


class BlenderMetrics:
    """One registry per blender, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter(
            "vitrine_blender_requests", "HTTP requests by route and status", ["method", "route", "status"], registry=r
        )
        self.connections_refused = Counter(
            "vitrine_blender_connections_refused",
            "Connections ended before a request reached a route, by reason",
            ["reason"],
            registry=r,
        )
        self.request_seconds = Histogram(
            "vitrine_blender_request_seconds", "HTTP requests, whole", ["route"], buckets=SECONDS, registry=r
        )
        self.embed_seconds = Histogram(
            "vitrine_blender_embed_seconds", "Photo to vector, waiting included", buckets=SECONDS, registry=r
        )
        self.search_seconds = Histogram(
            "vitrine_blender_search_seconds", "Vector to products, waiting included", buckets=SECONDS, registry=r
        )
        self.known_photos = Counter(
            "vitrine_blender_known_photos", "Photos whose vector was known (hit) or not (miss)", ["found"], registry=r
        )
        self.embed_batch = Histogram("vitrine_blender_embed_batch", "Photos per CNN batch", buckets=SIZES, registry=r)
        self.search_batch = Histogram("vitrine_blender_search_batch", "Vectors per call", buckets=SIZES, registry=r)
        self._answers = _Answers()
        r.register(self._answers)
        self.clicks = Counter("vitrine_blender_clicks", "Clicks taken into the search log", ["kind"], registry=r)
        self.unlogged = Counter(
            "vitrine_blender_unlogged_searches", "Searches that the search log lacks: Kafka did not take them",
            registry=r,
        )  # fmt: skip
        self.meaning_failures = Counter(
            "vitrine_blender_meaning_failures", "Maps from words to a look that could not be used", registry=r
        )
        self.learned_rank_failures = Counter(
            "vitrine_blender_learned_rank_failures", "Learned orders that could not be used", registry=r
        )
        self.merged = Counter(
            "vitrine_blender_merged_products", "Products named under another that shows the same picture", registry=r
        )
        self.partial = Counter("vitrine_blender_partial_answers", "Answers that lack a shard", registry=r)
        self.generation = Gauge("vitrine_index_generation_info", "1 for what serves", ["generation"], registry=r)
        self.searchable = Gauge("vitrine_index_searchable_images", "Images that can be found", registry=r)
        self.digests_differ = Gauge(
            "vitrine_index_digests_differ",
            "1 while replicas at the same offsets hold other images",
            ["shard"],
            registry=r,
        )
        self.recall = Gauge(
            "vitrine_index_recall", "Recall @10 that the build of what serves measured", ["shard"], registry=r
        )
        self.published = Gauge(
            "vitrine_publish_finished_seconds", "Unix time of the last publication, 0 before the first", registry=r
        )
        self.publish_failed = Gauge("vitrine_publish_failed", "1 when the last publication was refused", registry=r)
        self.check_failed = Gauge(
            "vitrine_publish_check_failed", "1 for each check that refused it", ["check"], registry=r
        )
        self.alias_unreadable = Gauge("vitrine_alias_unreadable", "1 when the alias cannot be read", registry=r)

    def answered(self, kinds: tuple[str, ...], empty: bool) -> None:
        """A search that was asked with `kinds` was answered, from the event loop alone."""
        self._answers.searches[kinds] += 1
        if empty:
            self._answers.empty += 1

    def serves(self, generation: str, searchable: int) -> None:
        """What serves now, by the broker; "" for nothing."""
        self.generation.clear()
        if generation:
            self.generation.labels(generation).set(1)
        self.searchable.set(searchable)

    def agree(self, differ: Mapping[int, bool]) -> None:
        """Whether replicas of each shard of what serves disagree."""
        self.digests_differ.clear()
        for shard, disagree in differ.items():
            self.digests_differ.labels(str(shard)).set(disagree)

    def built(self, recalls: Sequence[float]) -> None:
        """What the build of the generation that serves measured, by shard; empty where it grew."""
        self.recall.clear()
        for shard, recall in enumerate(recalls):
            self.recall.labels(str(shard)).set(recall)


def broker_ejected(registry: CollectorRegistry) -> Gauge:
    """Of a blender that asks its broker over the wire; one that has it within has none."""
    told = "1 while a broker is put aside, silent"
    return Gauge("vitrine_blender_broker_ejected", told, ["broker"], registry=registry)

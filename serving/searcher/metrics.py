"""The searchers' Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol
from weakref import ref

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from indexing.shard.shard import Shard
from serving.exposition import SECONDS
from serving.searcher.measured.recall import LiveRecall

_LABELS = ("shard", "replica")
_OF_GENERATION = (*_LABELS, "generation")


class SearcherMetricFamilies:
    """All searchers of one process, in one registry; each sees its own part through `of`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def counter(name: str, text: str) -> Counter:
            return Counter(f"vitrine_searcher_{name}", text, _LABELS, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = _OF_GENERATION) -> Gauge:
            return Gauge(f"vitrine_searcher_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(f"vitrine_searcher_{name}", text, _LABELS, buckets=SECONDS, registry=registry)

        self.queries = counter("queries", "Query vectors answered")
        self.search_seconds = histogram("search_seconds", "One search call, all its vectors")
        self.batches = counter("delta_batches", "Records of index-deltas applied")
        self.deltas = counter("deltas", "Image deltas applied")
        self.undecodable = counter("undecodable_deltas", "Records of index-deltas skipped, they do not decode")
        self.refused = Counter(
            "vitrine_searcher_refused_deltas",
            "Rows, entries of progress and records of index-deltas that were not taken",
            (*_LABELS, "reason"),
            registry=registry,
        )
        self.removal_seconds = histogram(
            "removal_seconds", "From a takedown's stamp in the log until no answer shows it"
        )
        self.late_removals = counter("late_removals", "Takedowns that were shown for longer than a second")
        self.apply_seconds = histogram("apply_seconds", "Decoding and applying one record of index-deltas")
        self.snapshots = counter("snapshots", "Snapshots saved")
        self.failed_snapshots = counter("failed_snapshots", "Snapshots that could not be saved")
        self.snapshot_seconds = gauge("snapshot_seconds", "Length of the last snapshot", _LABELS)
        self.generations = gauge("generations", "Generations held, those that are being loaded included", _LABELS)
        self.failed_generations = counter("failed_generations", "Times that a generation could not be held any longer")
        self.swap_seconds = gauge("swap_seconds", "From the start of the last load to its answering", _LABELS)
        self.alias_unreadable = gauge("alias_unreadable", "1 while the alias cannot be read", _LABELS)
        self.readings: tuple[tuple[Gauge, Callable[[_Watched], float]], ...] = (
            (gauge("ready", "1 when queries are answered"), lambda s: s.is_ready),
            (gauge("lag", "Records of index-deltas behind the ends"), lambda s: s.lag),
            (gauge("offset", "Next offset of index-deltas, all partitions that are read"), lambda s: s.next_offset),
            (
                gauge("watermark_seconds", "Unix time up to which all events are in the index"),
                _of_index(lambda index: index.watermark_ms() / 1000),
            ),
            (gauge("images", "Images known"), _of_index(lambda index: index.stats().images)),
            (
                gauge("searchable_images", "Images that can be found"),
                _of_index(lambda index: index.stats().searchable),
            ),
            (
                gauge("pending_images", "Valid images that wait for their vector"),
                _of_index(lambda index: index.waiting()[0]),
            ),
            (
                gauge("refused_images", "Valid images that extraction gave up"),
                _of_index(lambda index: index.waiting()[1]),
            ),
            (
                gauge("recall_at_10", "Recall @10 of sampled live queries of the last hour, those without a filter"),
                lambda s: s.recall.figures.mean,
            ),
            (
                gauge("recall_spread", "Standard deviation of a query's recall @10, of the same queries"),
                lambda s: s.recall.figures.spread,
            ),
            (gauge("recall_queries", "How many queries these are of"), lambda s: s.recall.figures.queries),
            (
                gauge("filtered_recall_at_10", "Recall @10 of sampled live queries of the last hour with a filter"),
                lambda s: s.recall.filtered.mean,
            ),
            (
                gauge("filtered_recall_spread", "Standard deviation of a query's recall @10, of the same queries"),
                lambda s: s.recall.filtered.spread,
            ),
            (
                gauge("filtered_recall_queries", "How many queries these are of"),
                lambda s: s.recall.filtered.queries,
            ),
            (gauge("nprobe", "Lists that a query looks through"), _of_index(lambda index: index.stats().nprobe)),
            (gauge("effort", "Times as much as the build chose that it does"), _of_index(lambda index: index.effort)),
            (
                gauge("ignored_vectors", "Vectors refused since the start: other extractor or length"),
                _of_index(lambda index: index.stats().ignored_vectors),
            ),
        )
        """Gauges of a generation, and what they show of its searcher."""

    def of(self, shard: int, replica: int) -> SearcherMetrics:
        return SearcherMetrics(self, str(shard), str(replica))


class _Watched(Protocol):
    @property
    def generation(self) -> str: ...

    @property
    def is_ready(self) -> bool: ...

    @property
    def lag(self) -> int: ...

    @property
    def next_offset(self) -> int: ...

    @property
    def index(self) -> Shard | None: ...

    recall: LiveRecall


def _of_index(read: Callable[[Shard], float]) -> Callable[[_Watched], float]:
    def reading(searcher: _Watched) -> float:
        index = searcher.index
        return 0.0 if index is None else read(index)

    return reading


def _read(watched: ref[_Watched], read: Callable[[_Watched], float]) -> float:
    searcher = watched()
    return 0.0 if searcher is None else read(searcher)


class SearcherMetrics:
    """One searcher's share of the families: counts of all that it holds, and gauges per generation."""

    def __init__(self, families: SearcherMetricFamilies, *labels: str) -> None:
        self._families = families
        self._labels = labels
        self.queries = families.queries.labels(*labels)
        self.search_seconds = families.search_seconds.labels(*labels)
        self.batches = families.batches.labels(*labels)
        self.deltas = families.deltas.labels(*labels)
        self.undecodable = families.undecodable.labels(*labels)
        self.removal_seconds = families.removal_seconds.labels(*labels)
        self.late_removals = families.late_removals.labels(*labels)
        self.apply_seconds = families.apply_seconds.labels(*labels)
        self.snapshots = families.snapshots.labels(*labels)
        self.failed_snapshots = families.failed_snapshots.labels(*labels)
        self.snapshot_seconds = families.snapshot_seconds.labels(*labels)
        self.generations = families.generations.labels(*labels)
        self.failed_generations = families.failed_generations.labels(*labels)
        self.swap_seconds = families.swap_seconds.labels(*labels)
        self.alias_unreadable = families.alias_unreadable.labels(*labels)

    def refused(self, reason: str) -> Counter:
        """Counts what of index-deltas was not taken for that reason."""
        return self._families.refused.labels(*self._labels, reason)

    def watch(self, searcher: _Watched) -> None:
        """Gauges read the searcher when they are scraped; nothing is kept up to date in between."""

        # Weakly: a gauge with a function is a cycle, which would keep the shard until the collector comes by.
        watched = ref(searcher)
        for gauge, read in self._families.readings:
            gauge.labels(*self._labels, searcher.generation).set_function(partial(_read, watched, read))

    def unwatch(self, generation: str) -> None:
        """Ends the gauges of a generation."""
        for gauge, _ in self._families.readings:
            with suppress(KeyError):
                gauge.remove(*self._labels, generation)

"""What a replay found and did: one JSON object, kept beside the position."""

from __future__ import annotations

import msgspec

from jobs.full_index.truth.audit import CatalogueVerdict


class SampleResult(msgspec.Struct, kw_only=True):
    """What the shards show of the sample. `wrong`: products that differ, by shard; `skipped`: changed since."""

    asked: int = 0
    skipped: int = 0
    wrong: dict[int, int] = {}
    examples: list[str] = []


class ShardVerdict(msgspec.Struct, kw_only=True):
    """One replica against the truth, by digest (hex).

    `verdict`: equal; different; moved_on (events after the range have changed
    it, so digests say nothing); away. `after`: its digest after healing.
    """

    shard: int
    replica: int
    truth: str
    digest: str
    verdict: str
    after: str = ""


class FeatureVerdict(msgspec.Struct, kw_only=True):
    """Images to be found that have no vector, counted once for each extractor that is looked after.

    `missing` of them are extracted (`retried`: given up before for reasons
    that may pass); `given_up` are not tried again, their reason being final.
    `recovered`: of the missing, those whose vector is there now. `erased`:
    that only erased products had, and that their owner was told to delete.
    """

    missing: int = 0
    retried: int = 0
    given_up: int = 0
    recovered: int = 0
    erased: int = 0
    examples: list[str] = []


class ReplayReport(msgspec.Struct, kw_only=True):
    """`base`: what the range was applied to (empty, last, live). `settled`: the stream had reached the range's end.

    `generation`: what served, and was compared; `extractor_id`: its own.
    `events`: the catalogue stage's counters over the range.
    """

    run: str
    started_ms: int
    took_s: float = 0.0
    extractor_id: str = ""
    generation: str = ""
    base: str = ""
    begins: list[int] = []
    ends: list[int] = []
    records: int = 0
    settled: bool = False
    checked_only: bool = False
    events: dict[str, int] = {}
    catalogue: CatalogueVerdict
    features: FeatureVerdict
    shards: list[ShardVerdict] = []
    sample: SampleResult
    healed_products: int = 0
    healed_rows: int = 0
    problems: list[str] = []

    @property
    def found_nothing(self) -> bool:
        """Whether live system and log agree, as far as could be compared."""
        return not (
            self.catalogue.wrong
            or self.features.missing
            or self.sample.wrong
            or any(shard.verdict in ("different", "away") for shard in self.shards)
        )

    @property
    def left_wrong(self) -> list[str]:
        """What is still not as the log says; empty: all is well (again)."""
        left = list(self.problems)
        if self.catalogue.wrong:
            left.append(
                f"{self.catalogue.wrong} products of the live catalogue differ from the log: "
                "vitrine stop, remove stores/catalogue in the home, vitrine start: the stream then reads the log anew"
            )
        if self.features.missing > self.features.recovered:
            left.append(
                f"{self.features.missing - self.features.recovered} images still lack their vector: "
                "see vitrine dead-letters list"
            )
        left += [
            f"searcher {shard.shard}-{shard.replica} differs from the log"
            for shard in self.shards
            if shard.verdict == "different" and shard.after != shard.truth
        ]
        left += [f"searcher {s.shard}-{s.replica} did not answer" for s in self.shards if s.verdict == "away"]
        return left


def encode_report(report: ReplayReport) -> bytes:
    """JSON, indented, with the two conclusions spelt out."""
    fields = msgspec.to_builtins(report)
    fields |= {"found_nothing": report.found_nothing, "left_wrong": report.left_wrong}
    return msgspec.json.format(msgspec.json.encode(fields)) + b"\n"


def decode_report(data: bytes) -> ReplayReport:
    """Raises `msgspec.MsgspecError` when the bytes are no report."""
    return msgspec.json.decode(data, type=ReplayReport)

"""The shards of the serving generation against the truth: by digest, and by a sample where digests cannot tell."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from indexing.rows.digest import add_digest, digest_bytes
from jobs.full_index.replay.index import ServingIndex
from jobs.full_index.replay.live_shards import LiveShards, ask_sample, live_shards
from jobs.full_index.replay.range import ReplayRange
from jobs.full_index.replay.report import ReplayReport, ShardVerdict
from jobs.full_index.truth.audit import PartitionAudit
from jobs.full_index.truth.live_log import events_after
from jobs.full_index.truth.log_state import LogState
from schemas.access.kafka import Kafka
from schemas.access.tier import TierAccess
from schemas.errors import TransientError
from schemas.ids import sequence

_POLL_S = 0.2


class ShardComparison:
    """Every replica of `index`, as the broker of `tier` shows it; verdicts go into `report`.

    `wait_s`: for deltas to arrive, and for healing to show.

    A generation that takes over meanwhile is compared in its place, if it has
    the same number of shards and the same extractor: its digests are the same.
    """

    def __init__(
        self, tier: TierAccess, kafka: Kafka, index: ServingIndex, report: ReplayReport, wait_s: float
    ) -> None:
        self._tier = tier
        self._kafka = kafka
        self._index = index
        self._report = report
        self._wait_s = wait_s
        self._silence = ""

    def judge(self, state: LogState, span: ReplayRange, audits: Sequence[PartitionAudit]) -> None:
        """Raises `TransientError` when an index took over meanwhile that the audits say nothing of."""
        report, shards = self._report, self._index.shards
        truth = [_sum_hex(audit.digests[shard] for audit in audits) for shard in range(shards)]
        live = self._caught_up()
        if live is None:
            report.problems.append(f"no shard was compared, the broker does not answer: {self._silence}; vitrine start")
        moved_on = not report.settled or events_after(self._kafka, span.stands_for) > 0
        report.shards = verdicts(truth, self._tier.replicas, live, moved_on)
        sample = [product for audit in audits for product in audit.sample]
        if live is not None and sample and any(shard.verdict != "equal" for shard in report.shards):
            last = max(sequence(state.epoch, end - 1) for end in span.stands_for)
            report.sample = ask_sample(self._tier, live.generation, sample, last)
        for shard in report.shards:
            if shard.verdict == "moved_on" and report.sample.wrong.get(shard.shard):
                shard.verdict = "different"

    def await_healing(self, span: ReplayRange) -> None:
        """Until the shards that differed show the truth; events that come meanwhile end the waiting."""
        report = self._report
        deadline = time.monotonic() + self._wait_s
        while True:
            live = self._look()
            replicas = [] if live is None else live.replicas
            after = {(replica.shard, replica.replica): replica.digest for replica in replicas}
            for shard in report.shards:
                shard.after = after.get((shard.shard, shard.replica), "")
            if all(shard.after == shard.truth for shard in report.shards if shard.verdict == "different"):
                return
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)
        if events_after(self._kafka, span.stands_for):
            for shard in report.shards:
                if shard.verdict == "different" and shard.after != shard.truth:
                    report.problems.append(
                        f"shard {shard.shard}: healed while new events came, so its digest cannot show it; replay again"
                    )

    def _caught_up(self) -> LiveShards | None:
        """The shards once they have read all their deltas, or as they are when time is up; None: broker silent."""
        deadline = time.monotonic() + self._wait_s
        while True:
            live = self._look()
            if live is not None and all(replica.lag == 0 for replica in live.replicas):
                return live
            if time.monotonic() > deadline:
                return live
            time.sleep(_POLL_S)

    def _look(self) -> LiveShards | None:
        """None while the broker is silent, for the reason in `_silence`."""
        try:
            live = live_shards(self._tier)
        except TransientError as error:
            self._silence = error.detail
            return None
        if live.generation and not self._index.is_placed_like(live):
            raise TransientError(
                "serving_changed",
                f"generation {live.generation} with {live.shards} shards took over while this replay compared "
                f"{self._index.generation} with {self._index.shards}; run the replay again",
            )
        self._report.generation = live.generation or self._index.generation
        return live


def verdicts(truth: Sequence[str], replicas: int, live: LiveShards | None, moved_on: bool) -> list[ShardVerdict]:
    """One for each replica of each shard. `truth`: digests by shard, hex. `moved_on`: the log has events after them."""
    found = [] if live is None else live.replicas
    shown = {(state.shard, state.replica): state.digest for state in found}
    result = []
    for shard, expected in enumerate(truth):
        for replica in range(replicas):
            digest = shown.get((shard, replica), "")
            verdict = "moved_on" if moved_on else "different"
            if not digest:
                verdict = "away"
            elif digest == expected:
                verdict = "equal"
            result.append(ShardVerdict(shard=shard, replica=replica, truth=expected, digest=digest, verdict=verdict))
    return result


def _sum_hex(digests: Iterable[str]) -> str:
    """The digest of all, from those of parts."""
    total = 0
    for digest in digests:
        total = add_digest(total, bytes.fromhex(digest))
    return digest_bytes(total).hex()

"""A long random history: shards grown by the stream, the log fed through the core, and a full index all agree."""

from __future__ import annotations

import random
from itertools import groupby, pairwise

import pytest

from jobs.full_index.truth.live_log import wait_for_extraction
from tests.e2e.full_index import build, digests
from tests.e2e.histories import History
from tests.e2e.pictures import write_pictures
from tests.rebuilt import Rebuilt, rebuild
from tests.system import System, eventually

pytestmark = pytest.mark.e2e

SEED = 20261121
PRODUCTS = 80
EVENTS = 600
PARTS = 6


def test_stream_log_and_full_index_agree_after_a_long_random_history(system: System) -> None:
    urls = write_pictures(system.home / "history", range(60_000, 60_040))
    urls += write_pictures(system.home / "history-again", range(60_000, 60_010))  # equal bytes under other URLs
    history = History("history", PRODUCTS, urls, EVENTS, SEED)
    sent = list(history.sent(system.settings.event_partitions))
    chance = random.Random(SEED)
    cuts = [0, *sorted(chance.sample(range(1, len(sent)), PARTS - 1)), len(sent)]
    for begin, end in pairwise(cuts):
        for partition, together in groupby(sent[begin:end], key=lambda each: each.partition):
            system.produce(*(each.event for each in together), partition=partition)
        # Not all of it in one batch, and some of it behind vectors that are there already.
        eventually(lambda: all(view.lag == 0 for view in system.shards()), "the shards have read their deltas")
    assert min(history.kinds[kind] for kind in ("doubled", "foreign_partition", "without_version", "relisted")) > 5

    system.wait_settled(pending=20)
    assert wait_for_extraction(system.settings.kafka, 180)

    def agreed() -> Rebuilt | None:
        rebuilt = rebuild(system.settings)
        return rebuilt if rebuilt.digests == digests(system) else None

    rebuilt = eventually(agreed, "the stream's shards equal the log's", poll_s=0.5)
    own = [record for name, record in rebuilt.records.items() if name.startswith("history-")]
    assert len(own) == PRODUCTS
    assert 0 < sum(record.listed for record in own) < PRODUCTS
    assert sum(len(record.images) for record in own) > PRODUCTS

    full = build(system, "--no-publish")
    assert [shard.digest for shard in full.shards] == full.catalogue_digests == rebuilt.digests
    assert digests(system) == rebuilt.digests

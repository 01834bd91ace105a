"""The alias moves under a broker: one generation per query, nothing missing, nothing older. All parts are real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from generations.folder import ALIAS
from schemas.errors import RejectedError, TransientError
from schemas.full_index.generation import LIVE
from schemas.ids import shard_of_product
from schemas.search_pb2 import ProductRequest, StatusRequest
from serving.broker import service
from serving.broker.service import BrokerService
from tests.support.serving.found import hits
from tests.support.serving.tier import (
    OTHER_EXTRACTOR,
    PRODUCTS,
    TIMEOUT_S,
    Tier,
    ask,
    serves,
    tier_in,
    until,
)
from tests.support.serving.world import EXTRACTOR, WATERMARK_MS, batch, direction, query

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tier(tmp_path: Path) -> AsyncIterator[Tier]:
    async with tier_in(tmp_path) as tier:
        yield tier


async def test_without_an_alias_the_index_that_grew_serves(tier: Tier) -> None:
    broker = tier.broker()
    await serves(broker, LIVE)
    assert await ask(broker) == (LIVE, set())
    status = await broker.status(TIMEOUT_S)
    assert (status.serving, status.serving_extractor_id) == (LIVE, EXTRACTOR)
    assert [(entry.shard, entry.generation, entry.serving) for entry in status.shards] == [
        (0, LIVE, True),
        (1, LIVE, True),
    ]


async def test_every_answer_of_a_swap_to_more_shards_is_whole_and_of_one_generation(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b", shards=3)
    tier.generations.serve(first.name)
    broker = tier.broker()
    await serves(broker, first.name)
    seen: list[str] = []

    async def shop() -> None:
        changed = False
        while True:
            name, letters = await ask(broker)
            assert (name, letters) in ((first.name, {"a"}), (second.name, {"b"}))
            # For good, to one shopper: another's query may still be under way in the old one.
            assert not (changed and name == first.name)
            changed = name == second.name
            seen.append(name)

    shoppers = [asyncio.create_task(shop()) for _ in range(3)]
    await until(lambda: bool(seen), "queries are answered")
    tier.generations.serve(second.name)
    await serves(broker, second.name)
    before = len(seen)
    await until(lambda: len(seen) > before + 50, "queries go on")
    for shopper in shoppers:
        assert not shopper.done(), shopper.exception()
        shopper.cancel()
    assert set(seen) == {first.name, second.name}
    assert broker.metrics.missing_shards._metrics == {}


async def test_generation_serves_only_when_its_last_shard_is_ready(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b")
    tier.generations.serve(first.name)
    broker = tier.broker()
    await serves(broker, first.name)
    tier.gates[1].shut = True
    tier.generations.serve(second.name)
    while not [e for e in (await broker.status(TIMEOUT_S)).shards if e.generation == second.name and e.ready]:
        assert await ask(broker) == (first.name, {"a"})
    assert await ask(broker) == (first.name, {"a"})
    tier.gates[1].shut = False
    await serves(broker, second.name)
    assert await ask(broker) == (second.name, {"b"})


async def test_broker_that_starts_amid_a_swap_goes_on_with_what_is_complete(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b")
    tier.generations.serve(first.name)
    await serves(tier.broker(), first.name)
    tier.gates[1].shut = True
    tier.generations.serve(second.name)
    broker = tier.broker()
    assert await ask(broker) == (first.name, {"a"})
    tier.gates[1].shut = False
    await serves(broker, second.name)
    assert await ask(broker) == (second.name, {"b"})


async def test_rollback_goes_back_to_the_generation_before(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b", shards=3)
    for name in (first.name, second.name):
        tier.generations.serve(name)
    broker = tier.broker()
    await serves(broker, second.name)
    tier.generations.roll_back()
    await serves(broker, first.name)
    assert await ask(broker) == (first.name, {"a"})


async def test_alias_that_cannot_be_read_changes_nothing(tier: Tier) -> None:
    first = tier.build("a")
    tier.generations.serve(first.name)
    broker = tier.broker()
    await serves(broker, first.name)
    (tier.generations.folder / ALIAS).write_bytes(b"{}")
    assert (await broker.status(TIMEOUT_S)).serving == first.name
    assert await ask(broker) == (first.name, {"a"})
    again = tier.broker()  # nor does it keep a new broker from answering
    assert await ask(again) == (first.name, {"a"})


async def test_dead_slot_makes_answers_partial_and_no_other_generation_takes_its_place(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b")
    tier.generations.serve(first.name)
    broker = tier.broker()
    await serves(broker, first.name)
    tier.lines[1].cut = True
    tier.generations.serve(second.name)
    status = await broker.status(TIMEOUT_S)
    silent = status.shards[-1]
    assert (silent.shard, silent.serving, silent.ready, bool(silent.error)) == (1, True, False, True)
    answer = await broker.search(query(direction(1), limit=100), TIMEOUT_S)
    assert (answer.generation, list(answer.missing_shards)) == (first.name, [1])
    assert {hit.product_id[0] for hit in hits(answer)} == {"a"}
    tier.lines[1].cut = False
    await serves(broker, second.name)
    assert await ask(broker) == (second.name, {"b"})


async def test_all_slots_dead_is_an_error_and_passes(tier: Tier) -> None:
    broker = tier.broker()
    await serves(broker, LIVE)
    for line in tier.lines.values():
        line.cut = True
    with pytest.raises(TransientError, match="not_ready"):
        await ask(broker)
    for line in tier.lines.values():
        line.cut = False
    await serves(broker, LIVE)  # one that was asked often enough meanwhile is put aside, and probed first
    assert await ask(broker) == (LIVE, set())


async def lagging(tier: Tier, later_ms: int) -> tuple[str, str, BrokerService]:
    """A generation that answers, and one that the alias names and that does not yet.

    Its shard 0 is ready and stands still before `later_ms`, its shard 1 waits at the gate.
    """
    first, second = tier.build("a"), tier.build("b")
    tier.generations.serve(first.name)
    broker = tier.broker()
    await serves(broker, first.name)
    tier.gates[0].stall_new = tier.gates[1].shut = True
    tier.generations.serve(second.name)
    while not [e for e in (await broker.status(TIMEOUT_S)).shards if e.generation == second.name and e.ready]:
        await asyncio.sleep(0.01)
    tier.topic.send(batch(timestamp_ms=later_ms))
    while (await broker.search(query(direction(1)), TIMEOUT_S)).watermark_ms < later_ms:
        await asyncio.sleep(0.01)
    return first.name, second.name, broker


async def test_generation_that_lags_waits_and_the_watermark_never_goes_back(tier: Tier) -> None:
    later_ms = WATERMARK_MS + 60_000
    first, second, broker = await lagging(tier, later_ms)
    tier.gates[1].shut = False
    while sum(e.ready for e in (await broker.status(TIMEOUT_S)).shards if e.generation == second) < 2:
        await asyncio.sleep(0.01)
    for _ in range(20):
        assert (await broker.status(TIMEOUT_S)).serving == first
        assert await ask(broker) == (first, {"a"})
    tier.gates[0].stalled.clear()
    name = first
    while name != second:
        answer = await broker.search(query(direction(1)), TIMEOUT_S)
        assert answer.watermark_ms == later_ms
        name = answer.generation


async def test_answer_that_would_be_a_moment_older_is_asked_again(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ASK_AGAIN_FOR_S", TIMEOUT_S)  # a loaded machine needs more than the moment
    later_ms = WATERMARK_MS + 100  # within what statuses may differ by
    _, second, broker = await lagging(tier, later_ms)
    tier.gates[1].shut = False
    await serves(broker, second)
    asked = asyncio.create_task(broker.search(query(direction(1)), TIMEOUT_S))
    await until(lambda: broker.metrics.asked_again._value.get() > 0, "the answer is asked again")
    tier.gates[0].stalled.clear()
    answer = await asked
    assert (answer.generation, answer.watermark_ms) == (second, later_ms)


async def test_blender_of_the_old_extractor_is_answered_until_it_has_changed(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b", extractor_id=OTHER_EXTRACTOR)
    tier.generations.serve(first.name)
    broker = tier.broker()
    await serves(broker, first.name)
    with pytest.raises(RejectedError, match="extractor_mismatch"):
        await ask(broker, extractor_id=OTHER_EXTRACTOR)
    blender = StatusRequest(asker="blender", extractor_ids=[EXTRACTOR])
    await broker.status(TIMEOUT_S, blender)
    tier.generations.serve(second.name)
    await serves(broker, second.name)
    for _ in range(150):  # longer than searchers keep what nobody names
        await broker.status(TIMEOUT_S, blender)
        assert await ask(broker) == (first.name, {"a"})
        assert await ask(broker, extractor_id=OTHER_EXTRACTOR) == (second.name, {"b"})
        assert await ask(broker, extractor_id="") == (second.name, {"b"})
        await asyncio.sleep(0.01)
    await broker.status(TIMEOUT_S, StatusRequest(asker="blender", extractor_ids=[OTHER_EXTRACTOR]))
    while first.name in {entry.generation for entry in (await broker.status(TIMEOUT_S)).shards}:
        await asyncio.sleep(0.01)
    with pytest.raises(RejectedError, match="extractor_mismatch"):
        await ask(broker)


async def test_generation_beside_answers_by_name_alone(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b", shards=3)
    tier.generations.serve(first.name)
    tier.generations.hold_beside([second.name])
    broker = tier.broker()
    await serves(broker, first.name)
    while sum(e.ready for e in (await broker.status(TIMEOUT_S)).shards if e.generation == second.name) < 3:
        await asyncio.sleep(0.01)
    assert await ask(broker, second.name) == (second.name, {"b"})
    assert await ask(broker, first.name) == (first.name, {"a"})
    assert await ask(broker) == (first.name, {"a"})
    with pytest.raises(RejectedError, match="unknown_generation") as caught:
        await ask(broker, "g20000101T000000-abcdef")
    assert first.name in caught.value.detail
    tier.lines[2].cut = True
    answer = await broker.search(query(direction(1)), TIMEOUT_S)
    assert list(answer.missing_shards) == []  # the serving generation has no third shard


async def test_receipt_shows_the_product_in_every_generation_that_is_held(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("a", shards=3)
    tier.generations.serve(first.name)
    tier.generations.hold_beside([second.name])
    broker = tier.broker()
    while sum(entry.ready for entry in (await broker.status(TIMEOUT_S)).shards) < 5:
        await asyncio.sleep(0.01)
    for product in (f"a{number}" for number in range(PRODUCTS)):
        answer = await broker.product(ProductRequest(product_id=product), TIMEOUT_S)
        assert [(r.generation, r.shard, r.images[0].searchable, r.error) for r in answer.replicas] == [
            (first.name, shard_of_product(product, 2), True, ""),
            (second.name, shard_of_product(product, 3), True, ""),
        ]
        named = await broker.product(ProductRequest(product_id=product, generation=second.name), TIMEOUT_S)
        assert [replica.generation for replica in named.replicas] == [second.name]


def damage(tier: Tier, name: str, shard: int) -> None:
    file = tier.generations.shard_folder(name, shard) / "rows.bin"
    file.write_bytes(file.read_bytes()[:-1] + b"?")


async def test_start_with_a_damaged_full_index_goes_back_to_the_one_before(tier: Tier) -> None:
    first, second = tier.build("a"), tier.build("b")
    for name in (first.name, second.name):
        tier.generations.serve(name)
    damage(tier, second.name, 1)
    broker = tier.broker()  # with it begin the searchers, which hold nothing yet
    await serves(broker, first.name)
    assert await ask(broker) == (first.name, {"a"})
    assert [e.shard for e in (await broker.status(TIMEOUT_S)).shards if e.generation == second.name and e.error] == [1]


async def test_nothing_that_can_be_loaded_is_an_error_that_may_pass(tier: Tier) -> None:
    only = tier.build("a")
    tier.generations.serve(only.name)
    for shard in range(2):
        damage(tier, only.name, shard)
    broker = tier.broker()
    for gate in tier.gates.values():
        gate.shut = True  # nor can the index that grew be followed
    for _ in range(20):
        with pytest.raises(TransientError, match="not_ready"):
            await ask(broker)
    for gate in tier.gates.values():
        gate.shut = False
    await serves(broker, LIVE)
    assert await ask(broker) == (LIVE, set())

"""What refuses a generation, each check for its own reason, and what does not."""

from __future__ import annotations

import fcntl
from collections.abc import Callable

import msgspec
import pytest

from generations.folder import ALIAS, GENERATION
from generations.publish import last_report
from schemas.deltas.delta import DeltaBatch
from schemas.errors import OperatorError
from schemas.full_index.generation import LIVE, Generation
from schemas.full_index.publish_report import PUBLISH, decode_publish_report
from tests.support.index.publish_world import Shop, failed, of
from tests.support.serving.tier import PRODUCTS
from tests.support.serving.world import batch, direction, listed, near, removed


def serving_alias(shop: Shop) -> str | None:
    alias = shop.generations.alias()
    return None if alias is None else alias.serving


def with_other_digest(shop: Shop) -> Generation:
    made = shop.build()
    return shop.sealed_with(made, catalogue_digests=[made.catalogue_digests[0], "00" * 16])


def without_a_digest(shop: Shop) -> Generation:
    made = shop.build()
    return shop.sealed_with(made, catalogue_digests=made.catalogue_digests[:1])


def of_larger_catalogue(shop: Shop) -> Generation:
    return shop.sealed_with(shop.build(), catalogue_valid=PRODUCTS + 1)


def of_low_recall(shop: Shop) -> Generation:
    made = shop.build()
    return shop.sealed_with(made, shards=[made.shards[0], msgspec.structs.replace(made.shards[1], recall=0.96)])


def of_other_products(shop: Shop) -> Generation:
    """As many as serve."""
    deltas = batch()
    for number in range(PRODUCTS):
        listed(deltas, f"b{number}", [direction(100 + number)])
    return shop.build_of(deltas)


def of_half_the_products(shop: Shop) -> Generation:
    deltas = batch()
    for number in range(PRODUCTS // 2):
        listed(deltas, f"a{number}", [near(direction(1), number)])
    return shop.build_of(deltas)


def of_another_log(shop: Shop) -> Generation:
    return shop.sealed_with(shop.build(), delta_offsets=[1000, 1000])


@pytest.mark.parametrize(
    ("make", "expected", "says"),
    [
        (with_other_digest, ["digest"], "shards [1]"),
        (without_a_digest, ["digest"], "2 shards"),
        (of_larger_catalogue, ["count_catalogue"], f"{PRODUCTS} of {PRODUCTS + 1}"),
        (of_low_recall, ["recall"], "shard 1"),
        (of_other_products, ["overlap"], "vectors of its own images"),
        (of_half_the_products, ["count_serving", "overlap"], f"count {PRODUCTS // 2}"),
        (of_another_log, ["deltas", "overlap"], "goes on from 1000"),
    ],
)
def test_check_that_fails_leaves_everything_as_it_was(
    shop: Shop, make: Callable[[Shop], Generation], expected: list[str], says: str
) -> None:
    report = shop.publish(make(shop).name)
    assert failed(report) == expected
    assert (report.passed, report.problem) == (False, "")
    assert says in report.text()
    assert (serving_alias(shop), shop.serving()) == (None, LIVE)


@pytest.mark.parametrize(
    ("make", "threshold"),
    [
        (of_larger_catalogue, {"publish_min_of_catalogue": 0.9}),
        (of_low_recall, {"publish_min_recall": 0.96}),
        (of_other_products, {"publish_min_overlap": 0.0}),
        (of_half_the_products, {"publish_min_of_serving": 0.5, "publish_min_overlap": 0.0}),
    ],
)
def test_thresholds_are_those_of_the_settings(
    shop: Shop, make: Callable[[Shop], Generation], threshold: dict[str, float]
) -> None:
    made = make(shop)
    assert not shop.publish(made.name).passed
    report = shop.publish(made.name, settings=msgspec.structs.replace(shop.settings, **threshold))
    assert (report.passed, failed(report)) == (True, [])


@pytest.mark.parametrize("file", ["rows.bin", "lists.bin", "manifest.json"])
@pytest.mark.parametrize("how", ["altered", "cut off", "missing"])
def test_file_that_is_not_as_it_was_written_is_named(shop: Shop, file: str, how: str) -> None:
    made = shop.build()
    path = shop.generations.shard_folder(made.name, 1) / file
    match how:
        case "altered":
            shop.damage(made, 1, file)
        case "cut off":
            path.write_bytes(path.read_bytes()[:-1])
        case _:
            path.unlink()
    report = shop.publish(made.name)
    assert failed(report) == ["files", "overlap"]
    assert str(path) in of(report, "files").detail
    assert serving_alias(shop) is None


def test_generation_whose_own_manifest_was_altered_is_refused_even_by_force(shop: Shop) -> None:
    made = shop.build()
    path = shop.generations.folder / made.name / GENERATION
    path.write_bytes(path.read_bytes().replace(b'"encoder":"test', b'"encoder":"best'))
    report = shop.publish(made.name, force=True)
    assert [check.name for check in report.checks] == ["files"]
    assert report.passed is False
    assert serving_alias(shop) is None


def test_records_that_are_no_deltas_are_passed_over_as_searchers_do(shop: Shop) -> None:
    made = shop.build()
    for partition in shop.tier.topic.partitions:
        partition.append(b"no delta at all")
        partition.append(b"")
    report = shop.publish(made.name)
    assert (report.passed, failed(report)) == (True, [])


def test_empty_generation_over_an_empty_index_passes(shop: Shop) -> None:
    emptied = batch()
    for number in range(PRODUCTS):
        removed(emptied, f"a{number}", offset=9)
    shop.tier.topic.send(emptied)
    shop.wait_searchable(0)
    report = shop.publish(shop.build_of(DeltaBatch(extractor_id=emptied.extractor_id, progress=emptied.progress)).name)
    assert (report.passed, failed(report)) == (True, [])


def test_dead_shard_of_what_serves_leaves_nothing_to_count_against(shop: Shop) -> None:
    made = shop.build()
    shop.tier.lines[1].cut = True
    report = shop.publish(made.name)
    assert failed(report) == ["count_serving", "overlap"]
    assert "shards [1]" in of(report, "count_serving").detail


def test_force_is_not_noted_where_it_was_not_needed(shop: Shop) -> None:
    assert shop.publish(shop.build().name, force=True).forced is False


def test_report_is_kept_with_the_generation_and_as_the_last_one(shop: Shop) -> None:
    first, second = shop.build(), of_low_recall(shop)
    passed, refused = shop.publish(first.name), shop.publish(second.name)
    folder = shop.generations.folder
    assert last_report(folder) == refused
    assert decode_publish_report((folder / first.name / PUBLISH).read_bytes()) == passed
    assert decode_publish_report((folder / second.name / PUBLISH).read_bytes()) == refused


def test_second_publication_at_a_time_is_refused(shop: Shop) -> None:
    made = shop.build()
    with (shop.generations.folder / ".publish.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OperatorError, match="another publication"):
            shop.publish(made.name)
    assert shop.publish(made.name).passed


def test_publication_that_another_one_came_before_moves_nothing(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    with pytest.raises(OperatorError, match=r"moved by somebody else.*vitrine alias shows"):
        shop.publish(second.name, prepare=lambda _: shop.generations.serve(first.name))
    assert serving_alias(shop) == first.name


def test_unreadable_alias_is_mended_by_a_publication(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    shop.publish(first.name)
    (shop.generations.folder / ALIAS).write_bytes(b"{}")
    assert shop.publish(second.name).passed
    assert serving_alias(shop) == second.name


def test_unreadable_alias_goes_back_to_what_serves_where_the_publication_fails(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    shop.publish(first.name)
    (shop.generations.folder / ALIAS).write_bytes(b"{}")
    assert not shop.publish(second.name, prepare=shop.damaging(second)).passed
    assert (serving_alias(shop), shop.serving()) == (first.name, first.name)

"""A whole generation passes and serves; what is compared with what; force, and checks alone."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from generations.checks.overlap import SAMPLED_QUERIES, Found, Vectors, overlap
from generations.checks.reach import OpenDeltas
from generations.publish import Publisher
from indexing.snapshot.sample import sample_files
from jobs.full_index.build.answers import FileAnswers
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import LAST_PUBLISH
from schemas.settings import Settings
from tests.ports import free_block
from tests.support.index.publish_world import Shop, failed, of
from tests.support.serving.tier import OTHER_EXTRACTOR, PRODUCTS
from tests.support.serving.world import EXTRACTOR, batch, direction, listed, near, removed

CHECKS = ["files", "digest", "count_catalogue", "count_serving", "recall", "deltas", "overlap"]


def half(shop: Shop) -> Generation:
    deltas = batch()
    for number in range(PRODUCTS // 2):
        listed(deltas, f"a{number}", [near(direction(1), number)])
    return shop.build_of(deltas)


def record(shop: Shop, queries: bytes | np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    """As the broker leaves them."""
    file = shop.settings.layout.recorded_queries / f"{EXTRACTOR}.npy"
    file.parent.mkdir(exist_ok=True)
    if isinstance(queries, bytes):
        file.write_bytes(queries)
    else:
        np.save(file, queries)


def test_whole_generation_passes_every_check_and_serves(shop: Shop) -> None:
    made = shop.build(shards=3)
    report = shop.publish(made.name)
    assert [check.name for check in report.checks] == CHECKS
    assert (report.passed, failed(report), report.problem, report.forced) == (True, [], "", False)
    alias = shop.generations.alias()
    assert alias is not None
    assert (shop.serving(), alias.serving) == (made.name, made.name)
    assert [of(report, name).value for name in ("count_catalogue", "count_serving", "recall", "overlap")] == [1.0] * 4
    assert made.name in report.text()


def test_changes_since_the_cut_are_no_difference_between_the_indexes(shop: Shop) -> None:
    made = shop.build(shards=3)  # with other shards than partitions: each reads both
    changes = batch()
    for number in range(PRODUCTS // 2):
        removed(changes, f"a{number}", offset=9)
    for number in range(3):
        listed(changes, f"new{number}", [near(direction(1), 50 + number)], offset=9)
    shop.tier.topic.send(changes)
    shop.wait_searchable(PRODUCTS // 2 + 3)
    report = shop.publish(made.name)
    assert (report.passed, of(report, "overlap").value) == (True, 1.0)


def test_products_removed_while_the_indexes_are_compared_are_no_difference(shop: Shop) -> None:
    made = shop.build(shards=3)

    class AndThenRemoves(FileAnswers):
        def answer(
            self, generation: Generation, queries: Vectors, limit: int, open_deltas: OpenDeltas
        ) -> list[list[Found]]:
            found = super().answer(generation, queries, limit, open_deltas)
            changes = batch()
            for number in range(PRODUCTS // 2):
                removed(changes, f"a{number}", offset=9)
            shop.tier.topic.send(changes)
            shop.wait_searchable(PRODUCTS - PRODUCTS // 2)
            return found

    settings = shop.settings
    answers = AndThenRemoves.from_settings(settings)
    publisher = Publisher.from_settings(settings, answers, say=shop.said.append, open_deltas=shop.tier.topic.open)
    assert of(publisher.check(made.name), "overlap").value == 1.0


def test_removed_images_that_the_deltas_do_not_tell_of_are_a_difference(shop: Shop) -> None:
    made = shop.build()
    changes = batch()
    for number in range(PRODUCTS // 2):
        removed(changes, f"a{number}", offset=9)
    shop.tier.topic.send(changes)
    shop.wait_searchable(PRODUCTS // 2)
    later = shop.sealed_with(made, delta_offsets=shop.tier.topic.ends())
    report = shop.publish(later.name)
    assert failed(report) == ["overlap"]


def test_recorded_queries_are_what_is_compared(shop: Shop) -> None:
    made = shop.build()
    record(shop, np.stack([direction(number) for number in range(5)]).astype(np.float32))
    assert "5 recorded queries" in of(shop.publish(made.name), "overlap").detail


@pytest.mark.parametrize(
    "queries", [b"no array", np.zeros(8, np.float32), np.full((3, 16), np.nan, np.float32)], ids=["bytes", "1d", "nan"]
)
def test_recorded_queries_that_cannot_be_used_are_no_comparison(
    shop: Shop, queries: bytes | np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    made = shop.build()
    record(shop, queries)
    report = shop.publish(made.name)
    assert failed(report) == ["overlap"]
    assert f"{EXTRACTOR}.npy" in of(report, "overlap").detail


def test_overlap_between_two_extractors_is_reported_and_refuses_nothing(shop: Shop) -> None:
    made = shop.build(extractor_id=OTHER_EXTRACTOR)
    report = shop.publish(made.name)
    found = of(report, "overlap")
    assert (found.passed, found.threshold) == (True, None)
    assert found.value == 1.0  # here both have the same vectors
    assert EXTRACTOR in found.detail
    assert report.passed


def test_without_a_broker_the_checks_that_need_one_say_how_to_start_it(shop: Shop) -> None:
    made = shop.build()
    alone: Settings = msgspec.structs.replace(shop.settings, grpc_port=free_block(1))
    report = shop.publish(made.name, settings=alone)
    assert failed(report) == ["count_serving", "overlap"]
    assert "vitrine start" in of(report, "count_serving").detail
    assert shop.generations.alias() is None
    forced = shop.publish(made.name, settings=alone, force=True)
    assert (forced.passed, forced.forced) == (True, True)
    shop.wait_serving(made.name)


def test_force_publishes_despite_failed_checks_and_the_report_says_so(shop: Shop) -> None:
    made = half(shop)
    report = shop.publish(made.name, force=True)
    assert (report.passed, report.forced, failed(report)) == (True, True, ["count_serving", "overlap"])
    assert "by force" in report.text()
    assert shop.serving() == made.name


def test_checks_alone_move_nothing_and_keep_no_report(shop: Shop) -> None:
    publisher = shop.publisher()
    verdicts = [publisher.check(made.name).passed for made in (shop.build(), half(shop))]
    assert verdicts == [True, False]
    assert shop.generations.alias() is None
    assert not (shop.generations.folder / LAST_PUBLISH).exists()


def test_unknown_generation_is_refused_before_anything_happens(shop: Shop) -> None:
    shop.build()
    with pytest.raises(OperatorError, match="vitrine alias"):
        shop.publish("g20200101T000000-abcdef")
    assert not (shop.generations.folder / LAST_PUBLISH).exists()


def test_folder_without_generations_says_how_to_make_one(shop: Shop) -> None:
    with pytest.raises(OperatorError, match="vitrine build"):
        shop.publish("g20200101T000000-abcdef")


@pytest.mark.parametrize(
    ("left", "right", "mean"),
    [
        ([[b"a", b"b"]], [[b"b", b"a"]], 1.0),
        ([[b"a", b"b"]], [[b"a", b"c"]], 0.5),
        ([[b"a", b"b"]], [[b"a"]], 0.5),
        ([[b"a"]], [[]], 0.0),
        ([[]], [[]], 1.0),
        ([[b"a"], [b"b"]], [[b"a"], [b"c"]], 0.5),
    ],
)
def test_overlap_is_the_mean_share_of_the_longer_answer(
    left: list[list[bytes]], right: list[list[bytes]], mean: float
) -> None:
    assert overlap(left, right, right) == mean


@pytest.mark.parametrize(
    ("own", "before", "after", "share"),
    [
        (b"bcd", b"abc", b"cde", 1.0),  # a was gone already, e had not come yet
        (b"abc", b"abc", b"cde", 1.0),
        (b"abx", b"abc", b"abd", 2 / 3),  # x was never found
        (b"bxy", b"abc", b"bcd", 1 / 3),  # and c was found both times
        (b"", b"abc", b"bcd", 0.0),
        (b"", b"abc", b"", 1.0),
        (b"x", b"", b"", 0.0),
    ],
)
def test_what_changed_while_it_was_compared_is_no_difference(
    own: bytes, before: bytes, after: bytes, share: float
) -> None:
    answers = [[[bytes([image]) for image in answer]] for answer in (own, before, after)]
    assert overlap(*answers) == pytest.approx(share)


def test_sample_draws_vectors_of_searchable_images_evenly(shop: Shop) -> None:
    deltas = batch()
    for number in range(PRODUCTS):
        listed(deltas, f"a{number}", [direction(number), None])
    folder = shop.generations.shard_folder(shop.build_of(deltas, shards=1).name, 0)
    of_images = {direction(number).tobytes() for number in range(PRODUCTS)}
    every = sample_files(folder, SAMPLED_QUERIES, np.random.default_rng(1))
    assert {vector.tobytes() for vector in every} == of_images
    some = [sample_files(folder, 3, np.random.default_rng(seed)) for seed in range(60)]
    assert {len(sample) for sample in some} == {3}
    assert {vector.tobytes() for sample in some for vector in sample} == of_images

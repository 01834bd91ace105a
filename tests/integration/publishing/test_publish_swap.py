"""A publication that searchers do not follow is taken back; one that they do removes what is too old."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from generations.folder import Generations
from schemas.errors import OperatorError
from schemas.full_index.generation import LIVE, Alias
from schemas.settings import Settings
from tests.support.index.publish_world import Shop
from tests.support.serving.generations import build_generation, settings_in
from tests.support.serving.tier import stocked


def alias(shop: Shop) -> Alias:
    found = shop.generations.alias()
    assert found is not None
    return found


def test_generation_that_a_searcher_cannot_load_is_taken_back(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    shop.publish(first.name)
    report = shop.publish(second.name, prepare=shop.damaging(second))
    assert (report.passed, report.failed) == (False, [])
    assert "rows.bin" in report.problem
    assert f"the alias names {first.name} again" in report.problem
    assert (alias(shop).serving, alias(shop).previous) == (first.name, [])
    assert shop.serving() == first.name


def test_first_generation_that_cannot_be_loaded_leaves_the_index_that_grew(shop: Shop) -> None:
    made = shop.build()
    report = shop.publish(made.name, prepare=shop.damaging(made))
    assert "rows.bin" in report.problem
    assert (alias(shop).serving, shop.serving()) == (LIVE, LIVE)
    again = shop.build()
    assert shop.publish(again.name).passed
    assert shop.serving() == again.name


def test_generation_that_is_not_ready_in_time_is_taken_back(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    shop.publish(first.name)
    shop.tier.gates[1].shut = True
    report = shop.publish(second.name, wait_s=0.5)
    assert "not within" in report.problem
    assert "shard 1" in report.problem
    assert (alias(shop).serving, shop.serving()) == (first.name, first.name)
    shop.tier.gates[1].shut = False


def test_missing_searchers_of_more_shards_are_named(shop: Shop) -> None:
    made = shop.build(shards=3)
    shop.tier.connect(2, 0)
    shop.tier.lines[2].cut = True
    report = shop.publish(made.name, wait_s=0.5)
    assert "no searcher holds shard 2" in report.problem
    assert "vitrine start" in report.problem
    shop.tier.lines[2].cut = False
    assert shop.publish(made.name).passed


def test_searchers_are_prepared_after_the_checks_and_before_the_move(shop: Shop) -> None:
    made, seen = shop.build(shards=3), []
    shop.publish(made.name, prepare=lambda generation: seen.append((len(generation.shards), shop.generations.alias())))
    assert seen == [(3, None)]
    refused = shop.sealed_with(shop.build(), catalogue_valid=1000)
    shop.publish(refused.name, prepare=lambda generation: seen.append((0, None)))
    assert len(seen) == 1


def test_serving_generation_is_published_again_without_a_move(shop: Shop) -> None:
    made = shop.build()
    shop.publish(made.name)
    before = alias(shop)
    assert shop.publish(made.name).passed
    assert alias(shop) == before


def test_mended_generation_that_the_alias_names_already_is_tried_again(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    shop.publish(first.name)
    shop.damage(second)
    shop.generations.serve(second.name)
    report = shop.publish(second.name, force=True)
    assert "rows.bin" in report.problem
    assert "vitrine alias --rollback" in report.problem
    shop.damage(second)  # turns the same bit back
    report = shop.publish(second.name)
    assert (report.passed, report.failed) == (True, [])
    assert shop.serving() == second.name


def test_move_by_somebody_else_meanwhile_stands(tmp_path: Path) -> None:
    settings: Settings = settings_in(tmp_path)
    generations = Generations(settings.layout.generations)
    first, second, third = (build_generation(settings, stocked("a"), [0, 0]).name for _ in range(3))
    generations.serve(first)
    before = generations.alias()
    generations.serve(second)
    generations.serve(third)
    assert generations.take_back(second, before).serving == third


def test_taking_back_restores_what_was_beside_and_before(tmp_path: Path) -> None:
    settings: Settings = settings_in(tmp_path)
    generations = Generations(settings.layout.generations)
    first, second, third = (build_generation(settings, stocked("a"), [0, 0]).name for _ in range(3))
    for name in (first, second):
        generations.serve(name)
    generations.hold_beside([third])
    before = generations.alias()
    assert before is not None
    generations.serve(third)
    taken = generations.take_back(third, before)
    assert (taken.serving, taken.previous, taken.beside) == (second, [first], [third])
    assert taken.version > before.version


def test_nothing_to_roll_back_to_after_a_first_publication_was_taken_back(tmp_path: Path) -> None:
    settings: Settings = settings_in(tmp_path)
    generations = Generations(settings.layout.generations)
    made = build_generation(settings, stocked("a"), [0, 0]).name
    generations.serve(made)
    assert generations.take_back(made, None).serving == LIVE
    assert generations.serving() is None
    generations.serve(made)
    with pytest.raises(OperatorError, match="no earlier generation"):
        generations.roll_back()


def test_as_many_generations_are_kept_as_the_settings_say(shop: Shop) -> None:
    two: Settings = msgspec.structs.replace(shop.settings, keep_generations=2)
    names = []
    for _ in range(4):
        names.append(shop.build().name)
        assert shop.publish(names[-1], settings=two).passed
    assert shop.generations.names() == names[-2:]
    assert f"removed {names[0]}: 2 generations are kept" in shop.said


def test_generation_to_go_back_to_is_kept_whatever_its_age(shop: Shop) -> None:
    one: Settings = msgspec.structs.replace(shop.settings, keep_generations=1)
    first, second = shop.build().name, shop.build().name
    shop.publish(first, settings=one)
    shop.publish(second, settings=one)
    assert shop.generations.names() == [first, second]
    shop.generations.roll_back()
    shop.wait_serving(first)


def test_refused_publication_removes_nothing(shop: Shop) -> None:
    one: Settings = msgspec.structs.replace(shop.settings, keep_generations=1)
    names = [shop.build().name for _ in range(3)]
    refused = shop.sealed_with(shop.build(), catalogue_valid=1000)
    assert not shop.publish(refused.name, settings=one).passed
    assert shop.generations.names() == [*names, refused.name]

"""What a tuning is worth, and what a generation says of it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from indexing.look.part import read, written
from indexing.look.stored import encode_tuning
from indexing.look.training import train_tuning, with_query_log
from indexing.look.tuning import Tuning
from indexing.look.worth import learn
from schemas.errors import CorruptError
from schemas.full_index.learned import LearnedPart
from tests.support.pictures.looks import BLOCKS, found_first, views_of

SHOP = views_of(120, 5, seed=1)


def test_tuning_that_finds_views_held_back_is_used() -> None:
    found = learn(*SHOP, "e-1", BLOCKS, seed=1)
    assert found.used and found.why == ""
    assert found.held["recall_at_1"] > found.held["recall_at_1_untuned"] + 0.2
    assert found.held["views"] == 24 * 4 and found.held["among"] == 120
    assert found.by_chance["recall_at_1"] == 1 / 120
    held = np.isin(SHOP[1], np.arange(24))
    again = learn(*SHOP, "e-1", BLOCKS, seed=1, held=held)
    rest = train_tuning(SHOP[0][~held], SHOP[1][~held], "e-1", BLOCKS)
    assert encode_tuning(again.tuning) == encode_tuning(rest), "nothing is learned of what is held back"
    with pytest.raises(ValueError, match="held back"):
        learn(*SHOP, "e-1", BLOCKS, seed=1, held=np.ones(len(SHOP[1]), np.bool_))


def test_tuning_worse_than_the_one_that_serves_is_not_used_and_says_why() -> None:
    random = np.random.default_rng(1)
    base, things = SHOP
    muddled = base.copy()
    views = np.arange(len(things)) % 5 > 0
    muddled[views] = base[random.permutation(np.flatnonzero(views))]  # views of anything
    found = learn(muddled, things, "e-1", BLOCKS, 1, serving=train_tuning(*SHOP, "e-1", BLOCKS))
    assert found.used  # neither finds what is not there to find
    noisy = base + random.normal(0.0, 0.02, base.shape).astype(np.float32) * np.isin(things, np.arange(60))[:, None]
    good = train_tuning(*views_of(2000, 5, seed=1), "e-1", BLOCKS)
    worse = learn(noisy[: 60 * 5], things[: 60 * 5], "e-1", BLOCKS, 1, serving=good)
    assert not worse.used and "what serves instead" in worse.why
    assert encode_tuning(worse.tuning) == encode_tuning(good)


def test_categories_are_learned_beside_it_and_may_be_all_that_is_new() -> None:
    base, things = SHOP
    names = [("bag", "hat", "shoe")[thing % 3] for thing in things.tolist()]
    found = learn(base, things, "e-1", BLOCKS, 1, categories=names)
    assert found.used and found.held["category_accuracy"] < 0.6 and found.tuning.head is None, "names say nothing here"
    marked = base.copy()
    for number, name in enumerate(("bag", "hat", "shoe")):
        marked[[each == name for each in names], number] += 0.5
    with_names = learn(marked, things, "e-1", BLOCKS, 1, categories=names)
    assert with_names.tuning.head is not None and with_names.settings["categories"] == 3
    again = learn(marked, things, "e-1", BLOCKS, 1, categories=names, serving=with_names.tuning)
    assert again.held["recall_at_1_serving"] <= again.held["recall_at_1"] + 0.05, "categories are not compared"


def test_mean_of_photos_that_were_asked_with_is_theirs() -> None:
    photos = views_of(80, 1, seed=9)[0] + np.float32(0.05)
    usual = learn(*SHOP, "e-1", BLOCKS, seed=1).tuning
    found = learn(*SHOP, "e-1", BLOCKS, seed=1, photos=photos)
    assert found.settings["photos"] == 80
    assert encode_tuning(found.tuning) == encode_tuning(with_query_log(usual, photos))
    assert encode_tuning(learn(*SHOP, "e-1", BLOCKS, seed=1, photos=photos[:0]).tuning) == encode_tuning(usual)


def test_new_kind_of_things_is_found_better_after_the_next_learning() -> None:
    """What tells the new things apart are numbers that the shop's old things never differed by."""
    old, (new, numbers) = SHOP, views_of(120, 5, seed=5, signal_first=False)
    before = learn(*old, "e-1", BLOCKS, seed=1)
    both = np.concatenate([old[0], new]), np.concatenate([old[1], numbers + 1000])
    after = learn(*both, "e-1", BLOCKS, seed=1, serving=before.tuning)
    assert after.used

    def found(tuning: Tuning) -> float:
        unseen = views_of(80, 2, seed=6, signal_first=False)[0]
        return found_first(tuning.queries(unseen[1::2]), tuning.items(unseen[::2]))

    assert found(after.tuning) > found(before.tuning) + 0.3


def test_too_few_pictures_and_another_extractor_are_refused() -> None:
    with pytest.raises(ValueError, match="50 are needed"):
        learn(*views_of(49, 3, seed=1), "e-1", BLOCKS, seed=1)
    with pytest.raises(ValueError, match="cannot be compared"):
        learn(*SHOP, "e-1", BLOCKS, 1, serving=train_tuning(*SHOP, "e-2", BLOCKS))


def test_generation_says_what_the_tuning_is_and_refuses_another() -> None:
    data, part = written(learn(*SHOP, "e-1", BLOCKS, seed=1))
    assert part.kind == "look" and part.used and part.inputs == {"extractor_id": "e-1"} and part.size == len(data)
    assert msgspec.json.decode(msgspec.json.encode(part), type=LearnedPart) == part
    assert encode_tuning(read(data, part)) == data
    with pytest.raises(CorruptError, match="another extractor"):
        read(data, msgspec.structs.replace(part, inputs={"extractor_id": "e-2"}))

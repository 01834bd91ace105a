"""Colours that base features tell, of pictures that are drawn: white all around, as in a studio."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import OperatorError
from schemas.features.blocks import COLOUR, blocks_of, spans
from schemas.features.colours.told import NAMES, colour_codes, main_colour, shown_colours
from schemas.features.stored import feature_bytes
from schemas.query.fields import COLOURS, FieldKind, Fields
from tests.support.pictures.colours import FOCAL, LEATHER, SKIN, Colour, features_of, picture
from tests.support.pictures.looks import FEATURES, base_rows


def told(*parts: tuple[Colour, int]) -> tuple[str, tuple[str, ...]]:
    code = colour_codes(features_of(picture(*parts)), FEATURES)[0]
    return main_colour(code), shown_colours(code)


@pytest.mark.parametrize("name", NAMES)
def test_thing_of_one_colour_is_called_that(name: str) -> None:
    main, shown = told((FOCAL[name], 60))
    assert main == name and name in shown and len(shown) <= 2, "a neighbour at most is named as well"


def test_picture_that_is_white_all_over_shows_white() -> None:
    assert told() == ("white", ("white",))


def test_thing_of_several_colours_shows_each_and_is_of_none() -> None:
    parts = [(FOCAL[name], 20) for name in ("red", "blue", "yellow", "green")]
    main, shown = told(*parts)
    assert not main and {"red", "green", "yellow", "blue"} <= set(shown)
    assert told((FOCAL["blue"], 60), (FOCAL["red"], 5)) == ("blue", ("blue",)), "a button is no colour of the coat"


def test_skin_of_who_wears_it_is_left_out_but_leather_is_what_it_is() -> None:
    assert told((SKIN, 30), (FOCAL["blue"], 40)) == ("blue", ("blue",))
    main, shown = told((LEATHER, 60))
    assert main in {"brown", "orange"} and main in shown


def test_picture_has_the_same_colours_whatever_is_beside_it() -> None:
    random = np.random.default_rng(5)
    pictures = [picture((tuple(random.integers(0, 256, 3).tolist()), 40), (SKIN, 30)) for _ in range(50)]
    features = features_of(*pictures)
    together = colour_codes(features, FEATURES)
    assert together == [colour_codes([feature], FEATURES)[0] for feature in features]
    assert len(set(together)) > 10


def test_extractors_without_a_block_of_colour_tell_none() -> None:
    assert colour_codes([b"\0" * 16] * 2, "external:clip:4") == [0, 0]
    assert colour_codes([], FEATURES) == []
    rows = base_rows(1, seed=1)
    for block, span in zip(blocks_of(FEATURES), spans(blocks_of(FEATURES)), strict=True):
        rows[:, span] *= block.name != COLOUR
    code = colour_codes(feature_bytes(rows, FEATURES), FEATURES)[0]
    assert (code, main_colour(code), shown_colours(code)) == (0, "", ())


def test_shop_that_declared_a_field_of_this_name_keeps_it() -> None:
    field = Fields.declared([f"{COLOURS}:keyword"]).get(COLOURS)
    assert field is not None and field.kind is FieldKind.KEYWORD
    with pytest.raises(OperatorError, match="is taken"):
        Fields.declared(["colour:list"])

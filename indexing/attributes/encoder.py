"""From a product's attributes, as JSON, to what the columns hold of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from indexing.attributes.figures import FigureColumn
from indexing.attributes.keyword_lists import ListColumn
from indexing.attributes.keywords import KeywordColumn
from indexing.attributes.names import NONE, Names
from schemas.features.colours.told import main_colour, shown_colours
from schemas.features.objects import colours_in, objects_in
from schemas.query.fields import (
    COLOUR,
    COLOURS,
    MAX_VALUES,
    MEASURES,
    OBJECTS,
    Field,
    FieldKind,
    Fields,
    number_of,
    seconds_of,
    texts_of,
)

Column: TypeAlias = KeywordColumn | FigureColumn | ListColumn


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """What columns hold of one product, in the order of the encoder's `dense` and `lists`."""

    cells: list[float]
    """Codes, then figures."""
    lists: list[tuple[int, ...]]


class _SeenBy(NamedTuple):
    """Places among `dense`, and among `lists`, and what a code of what a picture shows says there."""

    one: list[tuple[int, Callable[[int], str]]]
    several: list[tuple[int, Callable[[int], tuple[str, ...]]]]


class Encoder:
    """Reads attributes and gives names their codes. Writer thread only.

    `dense`: its fields with one value a row, `lists`: the others. Measures are
    no attributes and have no part in it.
    """

    def __init__(self, fields: Fields, columns: Mapping[str, Column], picture_colours: bool = True) -> None:
        """picture_colours: those of a picture stand where the shop says nothing, see `schemas.query.fields`."""
        read = [field for field in fields if field.name not in MEASURES]
        keywords = [field for field in read if field.kind in (FieldKind.KEYWORD, FieldKind.PATH)]
        figures = [field for field in read if field.kind.numeric]
        self.dense = keywords + figures
        self.lists = [field for field in read if field.kind is FieldKind.LIST]
        # A struct of its own: attributes that are no fields, most of the bytes, are skipped and never become objects.
        names = {f"f{place}": field.name for place, field in enumerate([*self.dense, *self.lists])}
        struct = msgspec.defstruct("Attributes", [(place, Any, None) for place in names], rename=names)
        self._decode = msgspec.json.Decoder(struct).decode
        self._readers = [seconds_of if field.kind is FieldKind.TIME else number_of for field in figures]
        self._keyword_names = [(field, _names(columns[field.name])) for field in keywords]
        self._list_names = [(field, _names(columns[field.name])) for field in self.lists]
        self._keyword_code = [names.codes.get for _, names in self._keyword_names]
        self._seen_by = self._places(picture_colours)
        self._last: tuple[bytes, Encoded] | None = None
        self.nothing = self._encoded((None,) * len(names))
        """Of a product without attributes."""

    def encode(self, attributes: bytes, shown: int = 0) -> Encoded:
        """What columns hold of these attributes; nothing where they are no JSON object.

        shown: the code of what the picture shows (`schemas.features.objects`), which stands where the shop's word does
        not. The images of a product come one behind the other with the same bytes: the last ones are known.
        """
        encoded = self._of(attributes)
        return self._seen(encoded, shown) if shown else encoded

    def _of(self, attributes: bytes) -> Encoded:
        last = self._last
        if last is not None and (last[0] is attributes or last[0] == attributes):
            return last[1]
        encoded = self.nothing
        if attributes:
            try:
                values = msgspec.structs.astuple(self._decode(attributes))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                values = None
            if values is not None:
                encoded = self._encoded(values)
        self._last = (attributes, encoded)
        return encoded

    def _seen(self, encoded: Encoded, shown: int) -> Encoded:
        """The same with what the picture shows where the shop gave nothing."""
        cells, lists = [*encoded.cells], [*encoded.lists]
        for place, name_of in self._seen_by.one:
            if cells[place] == NONE and (name := name_of(shown)):
                cells[place] = self._keyword_names[place][1].code(name)
        for place, names_of in self._seen_by.several:
            if not lists[place]:
                lists[place] = tuple([self._list_names[place][1].code(name) for name in names_of(shown)])
        return Encoded(cells, lists)

    def _places(self, picture_colours: bool) -> _SeenBy:
        """Which cells and lists pictures fill; a shop may have declared some of these fields as another kind."""
        one = {COLOUR: lambda shown: main_colour(colours_in(shown))} if picture_colours else {}
        several = {COLOURS: lambda shown: shown_colours(colours_in(shown))} if picture_colours else {}
        several[OBJECTS] = objects_in
        return _SeenBy(
            [(place, one[field.name]) for place, field in enumerate(self.dense) if field.name in one],
            [(place, several[field.name]) for place, field in enumerate(self.lists) if field.name in several],
        )

    def forget(self) -> None:
        """Holds no product's bytes any more, nor codes of names that may go."""
        self._last = None

    def _encoded(self, values: tuple[Any, ...]) -> Encoded:
        cells: list[Any]
        # A text that has a code was read by `texts_of` once: it is a keyword, and needs no second look.
        try:
            cells = [
                NONE if value is None else code_of(value, -1)
                for value, code_of in zip(values, self._keyword_code)  # noqa: B905 - the other kinds' values follow
            ]
        except TypeError:  # what cannot be looked up, a list or an object
            cells = [-1]
        if -1 in cells:
            cells = [_code(*of, value) for value, of in zip(values, self._keyword_names)]  # noqa: B905
        place = len(cells)
        for read in self._readers:
            value = values[place]
            figure = None if value is None else read(value)
            cells.append(math.nan if figure is None else figure)
            place += 1
        lists: list[tuple[int, ...]] = []
        for of in self._list_names:
            value = values[place]
            lists.append(() if value is None else _codes(*of, value))
            place += 1
        return Encoded(cells, lists)


def _names(column: Column) -> Names:
    assert not isinstance(column, FigureColumn), "numeric fields have no names"
    return column.names


def _code(field: Field, names: Names, value: Any) -> int:
    for text in texts_of(field, value):
        return names.code(text)
    return NONE


def _codes(field: Field, names: Names, value: Any) -> tuple[int, ...]:
    if type(value) is list and len(value) <= MAX_VALUES:
        try:
            found = [*map(names.codes.get, value)]
        except TypeError:
            found = [None]
        if None not in found and (len(found) == 1 or len(set(found)) == len(found)):
            return tuple(found)  # type: ignore[arg-type]
    return tuple([names.code(text) for text in texts_of(field, value)])

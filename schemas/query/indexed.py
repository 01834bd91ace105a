"""What of products an index keeps for filters and words: one object, from the settings, for every process alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.query.fields import Fields

_WEIGHTS = {"title": 2, "brand": 2, "category": 1, "colour": 1, "type": 1, "labels": 1}
"""What a word in an attribute counts for, of those that are always read."""
_FURTHER = 1
PICTURE_WEIGHT = 1
"""What a word counts for that was read in a picture."""
MAX_TEXT = 20_000
"""Characters of one attribute that are read for words."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """`fields`: filtered, counted and ranked by. `text_attributes`: read for words, beside title, brand and so on.

    `language`: of the texts, as Snowball names it; "": words are found as they stand.
    `picture_colours`: colours that a picture shows are filtered and counted by where the shop gives none.
    """

    fields: Fields = field(default_factory=Fields)
    text_attributes: tuple[str, ...] = ()
    language: str = ""
    picture_colours: bool = True

    def texts(self, attributes: Mapping[str, Any]) -> list[tuple[int, str]]:
        """(weight, text) of what words are searched for in."""
        names = {**_WEIGHTS, **dict.fromkeys(self.text_attributes, _FURTHER)}
        return [(weight, text) for name, weight in names.items() for text in _texts(attributes.get(name))]


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value[:MAX_TEXT],) if value else ()
    if isinstance(value, list):
        return [text[:MAX_TEXT] for text in value[:256] if isinstance(text, str) and text]
    return ()

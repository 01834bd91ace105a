"""Which objects are told of pictures, by name, and their code beside that of colours (docs/adr/0065).

What a picture shows is one number for whoever fills columns: the code of its colours, and above that a bit for each
object. A name that is not known here, of a later version, has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from schemas.features.colours.told import CODE_BITS

LEAST_SCORES = {
    "person": 0.75,
}
"""By the detector's names: from which score on an object is told. Of its other classes nothing is: on pictures of
products they are too often wrong. Names are only ever appended: their places are bits."""
LEAST_SCORE = min(LEAST_SCORES.values())
_PLACES = {name: place for place, name in enumerate(LEAST_SCORES)}
_COLOURS = (1 << CODE_BITS) - 1


def told_objects(found: Iterable[tuple[str, float]]) -> list[str]:
    """Of (name, score) of all that a detector finds: what is told, each once, in the order of `LEAST_SCORES`."""
    seen = {name for name, score in found if score >= LEAST_SCORES.get(name, 2.0)}
    return [name for name in LEAST_SCORES if name in seen]


def shown_code(colours: int, objects: Iterable[str] = ()) -> int:
    """Of a picture with this code of colours and these objects."""
    code = colours
    for name in objects:
        if (place := _PLACES.get(name)) is not None:
            code |= 1 << CODE_BITS + place
    return code


def colours_in(shown: int) -> int:
    """The code of colours in it (`schemas.features.colours.told`)."""
    return shown & _COLOURS


@lru_cache(maxsize=4096)
def objects_in(shown: int) -> tuple[str, ...]:
    """The names of objects in it, in the order of `LEAST_SCORES`."""
    return tuple(name for name, place in _PLACES.items() if shown >> CODE_BITS + place & 1)

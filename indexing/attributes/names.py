"""Names: the keywords of one field by dense code, and which of them lie below which."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from schemas.query.filters import AllOf, AnyOf, Below, Condition, is_at_or_below

NONE = 0
"""The code that stands for no name."""
NAME_BYTES = 200
"""What a name takes beside its text: two objects' heads, and its part of a list and of a table. Measured."""


class Names:
    """Codes from 1 on, never given back. Written by one thread, read by any.

    A name is in the list before it is found by its text, and is found before a
    cell holds its code: whatever code a reader meets has its name.
    """

    def __init__(self, paths: bool) -> None:
        """paths: names are asked for by what they lie below, often."""
        self._texts: list[str] = [""]
        self.codes: dict[str, int] = {}
        """The writer's own look-up by text; changed by `code` and `forget` alone."""
        self._below: dict[str, list[int]] | None = {} if paths else None
        self._text_bytes = 0

    def __len__(self) -> int:
        """Codes given, `NONE` included: every code is smaller."""
        return len(self._texts)

    @property
    def allocated(self) -> int:
        """Bytes of memory held, near enough."""
        return self._text_bytes + NAME_BYTES * len(self._texts)

    def code(self, text: str) -> int:
        """The name's code, a new one for a new name. Writer thread only."""
        code = self.codes.get(text)
        if code is None:
            code = len(self._texts)
            self._texts.append(text)
            self._text_bytes += len(text)
            if self._below is not None:
                _add_below(self._below, text, code)
            self.codes[text] = code
        return code

    def text(self, code: int) -> str:
        """The name, "" for `NONE` and for a name that was forgotten. Any thread."""
        return self._texts[code]

    def of(self, wanted: Iterable[str]) -> list[int]:
        """The codes of those of these names that there are, each once. Any thread."""
        found = (self.codes.get(text) for text in set(wanted))
        return [code for code in found if code is not None]

    def below(self, wanted: Iterable[str]) -> list[int]:
        """The codes of all names that are one of these paths or lie below one, each once. Any thread."""
        below = self._below
        if below is not None:
            return list({code for path in set(wanted) for code in tuple(below.get(path, ()))})
        paths = set(wanted)
        known = enumerate(tuple(self._texts))
        return [code for code, text in known if text and any(is_at_or_below(text, path) for path in paths)]

    def meant(self, condition: Condition) -> list[int]:
        """The codes of which a row needs one (or, for `AllOf`, each of a list) to fulfil the condition. Any thread."""
        match condition:
            case Below(_, wanted):
                return self.below(wanted)
            case AnyOf(_, wanted) | AllOf(_, wanted):
                return self.of(wanted)
            case _:
                return []

    def forget(self, used: NDArray[np.bool_]) -> None:
        """Drops the names whose codes are not used, (codes,); their codes stay taken. Writer thread only."""
        dropped = [code for code in np.flatnonzero(~used).tolist() if self._texts[code]]
        for code in dropped:
            text, self._texts[code] = self._texts[code], ""
            del self.codes[text]
            self._text_bytes -= len(text)
        if self._below is not None and dropped:
            below: dict[str, list[int]] = {}
            for text, code in self.codes.items():
                _add_below(below, text, code)
            self._below = below


def ancestors(path: str) -> Iterable[str]:
    """All that a path lies below, from the top, itself last: of a/b/c, a, a/b and a/b/c."""
    place = path.find("/")
    while place >= 0:
        yield path[:place]
        place = path.find("/", place + 1)
    yield path


def _add_below(below: dict[str, list[int]], path: str, code: int) -> None:
    for ancestor in ancestors(path):
        below.setdefault(ancestor, []).append(code)

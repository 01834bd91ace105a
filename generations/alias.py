"""What a move makes of the alias: pure, from what it says and what is wanted to what it shall say."""

from __future__ import annotations

import time
from collections.abc import Collection

from msgspec.structs import replace

from schemas.errors import OperatorError
from schemas.full_index.generation import LIVE, Alias


def serving(alias: Alias | None, name: str, why: str, where: str = "", seen: int | None = None) -> Alias:
    """It names `name`; the one that served comes first among `previous`.

    `seen`: the version that this was worked out by, 0 where there was none; raises `OperatorError` for another one.
    """
    if seen is not None and seen != (0 if alias is None else alias.version):
        raise moved_meanwhile(where)
    if alias is None:
        return Alias(version=1, serving=name, moved_ms=_now_ms(), why=why)
    previous = alias.previous
    if alias.serving != name:
        previous = [alias.serving, *(each for each in previous if each not in (name, alias.serving))]
    beside = [each for each in alias.beside if each != name]
    return replace(
        alias, version=alias.version + 1, serving=name, previous=previous, beside=beside, moved_ms=_now_ms(), why=why
    )


def rolled_back(alias: Alias | None, there: Collection[str]) -> Alias:
    """It names the latest of `previous` that is `there`. Raises `OperatorError` when none is."""
    for name in alias.previous if alias is not None else ():
        if name in there:
            moved = serving(alias, name, "rollback")
            # What was left is not what a further rollback should return to first.
            left = alias.serving if alias is not None else ""
            rest = [each for each in moved.previous if each != left]
            return replace(moved, previous=[*rest, left])
    raise OperatorError("there is no earlier generation to go back to; vitrine alias lists those kept")


def taken_back(alias: Alias | None, name: str, before: Alias | None) -> Alias:
    """Without the move to `name`: what it said before, unless it was moved on meanwhile.

    Where there was none it names the index "live", rather than be removed:
    a searcher that has seen an alias takes a missing one for a wrong folder.
    """
    if alias is not None and alias.serving != name:
        return alias
    said = before or Alias(version=0, serving=LIVE)
    version = said.version if alias is None else alias.version
    return replace(said, version=version + 1, moved_ms=_now_ms(), why="taken back")


def holding(alias: Alias | None, names: list[str]) -> Alias:
    """Exactly `names` are held beside the serving one. Raises `OperatorError` before a publication."""
    if alias is None:
        raise OperatorError("nothing is published yet; vitrine build makes and publishes a full index")
    others = [name for name in names if name != alias.serving]
    return replace(alias, version=alias.version + 1, beside=others, moved_ms=_now_ms(), why="beside")


def moved_meanwhile(where: str) -> OperatorError:
    """Of a move that another one, on this machine or elsewhere, came before."""
    return OperatorError(
        f"the alias in {where} was moved by somebody else meanwhile, and stays where it was moved to: "
        "vitrine alias shows where it stands; if that is not what is wanted, do this again"
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""What the alias wants served, as the broker last read it."""

from __future__ import annotations

import asyncio
import logging

from generations.folder import Generations
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import LIVE, Alias

log = logging.getLogger(__name__)


class Wanted:
    """`serving`: the generation named, "live" where there is no alias. `shards`: the most that one it holds has.

    An alias that cannot be read changes nothing: what was wanted before is still wanted.
    """

    def __init__(self, generations: Generations | None) -> None:
        self._generations = generations
        self._problem = ""
        self._shards_of: dict[str, int] = {}
        self.serving = LIVE
        self.served_before = ""
        self.shards = 0

    async def look(self) -> None:
        """Off the event loop: the folder may be on another machine."""
        if self._generations is None:
            return
        try:
            alias = await asyncio.to_thread(self._generations.alias)
        except (CorruptError, OSError) as error:
            self._say(str(error))
            return
        self._say("")
        self.serving = LIVE if alias is None else alias.serving
        self.served_before = alias.previous[0] if alias is not None and alias.previous else LIVE
        self.shards = 0 if alias is None else await asyncio.to_thread(self._most_shards, alias)

    def _most_shards(self, alias: Alias) -> int:
        assert self._generations is not None
        for name in alias.held:
            if name not in self._shards_of:
                try:
                    self._shards_of[name] = len(self._generations.read(name).shards)
                except (CorruptError, OperatorError, OSError):
                    # The searchers, which need more of it than a number, say in their status what is wrong.
                    continue
        return max((self._shards_of.get(name, 0) for name in alias.held), default=0)

    def _say(self, problem: str) -> None:
        if problem != self._problem and problem:
            log.error("event=alias_unreadable serving=%s next=unchanged problem=%s", self.serving, problem)
        self._problem = problem

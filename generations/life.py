"""The life of a generation in a searcher, as searchers, brokers and publications see it.

                 its files are loaded      the ends of the log are reached     a broker sends queries
    (named) ──► RESTORING ──────────► CATCHING_UP ──────────────────► READY ──────────────► SERVING
                 ▲  ▲  │                 │  ▲  │                      │ │ ▲                   │
                 │  │  └────────┐        │  │  └────────┐             │ │ └───────────────────┘
                 │  └───────────┼────────┘  └───────────┼─────────────┘ │   the broker has changed over
                 │   its position in the log is lost    │ it stood still│
                 │                                      │ and is behind │
                 └──────────── FAILED ◄─────────────────┴───────────────┘
                 tried again    its files cannot be used, or its feed has ended

    any of them ──► LEAVING ──► (gone): neither the alias nor a broker has named it for a while

A searcher moves a generation along these lines and says where it is; that it
is SERVING is the broker's word, which routes queries to one that is READY.
Queries are answered in READY and SERVING alone: before, an answer would show
products that are removed since.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from schemas.search_pb2 import ShardStatus


class Life(enum.Enum):
    """The values are what `ShardStatus.life` says."""

    RESTORING = "restoring"
    CATCHING_UP = "catching_up"
    READY = "ready"
    SERVING = "serving"
    FAILED = "failed"
    LEAVING = "leaving"

    @property
    def answers(self) -> bool:
        return self in (Life.READY, Life.SERVING)

    @property
    def text(self) -> str:
        """For a person who asks why it does not answer."""
        return _TEXTS[self]


_TEXTS: Mapping[Life, str] = MappingProxyType(
    {
        Life.RESTORING: "loading its index",
        Life.CATCHING_UP: "catching up with index-deltas",
        Life.READY: "ready",
        Life.SERVING: "serving",
        Life.FAILED: "stopped taking deltas",
        Life.LEAVING: "letting its index go",
    }
)

_KNOWN = frozenset(state.value for state in Life)

STEPS: Mapping[Life, frozenset[Life]] = MappingProxyType(
    {
        Life.RESTORING: frozenset((Life.CATCHING_UP, Life.FAILED, Life.LEAVING)),
        Life.CATCHING_UP: frozenset((Life.READY, Life.RESTORING, Life.FAILED, Life.LEAVING)),
        Life.READY: frozenset((Life.SERVING, Life.CATCHING_UP, Life.RESTORING, Life.FAILED, Life.LEAVING)),
        Life.SERVING: frozenset((Life.READY, Life.CATCHING_UP, Life.RESTORING, Life.FAILED, Life.LEAVING)),
        Life.FAILED: frozenset((Life.RESTORING, Life.LEAVING)),
        Life.LEAVING: frozenset(),
    }
)
"""From each state those that may follow."""


def step(before: Life, after: Life) -> Life:
    """`after`, where it may follow (staying is always allowed). Raises `ValueError` else: a fault of the program."""
    if after is not before and after not in STEPS[before]:
        raise ValueError(f"a generation that is {before.value} cannot become {after.value}")
    return after


def life_of(status: ShardStatus) -> Life:
    """Where the generation of a status is. Searchers of other versions say whether it is ready or has failed."""
    if status.life in _KNOWN:
        return Life(status.life)
    return Life.READY if status.ready else Life.FAILED if status.failed else Life.CATCHING_UP

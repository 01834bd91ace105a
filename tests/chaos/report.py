"""The journal of a run, a line a round, and what the lines come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tests.chaos.parts import KILL, TARGET_S, part_of
from tests.chaos.round import Round


def append(journal: Path, done: Round) -> None:
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("ab") as file:
        file.write(msgspec.json.encode(done) + b"\n")


def read(journal: Path) -> list[Round]:
    """The rounds so far, of this run and of those that it goes on from; none where there is no journal."""
    if not journal.exists():
        return []
    return [msgspec.json.decode(line, type=Round) for line in journal.read_bytes().splitlines()]


def figures(rounds: Sequence[Round]) -> dict[str, Any]:
    """Recovery by part and kind of fault where one part was hit alone, and for pairs; what was wrong; what failed."""
    alone: dict[str, dict[str, list[Round]]] = defaultdict(lambda: defaultdict(list))
    pairs = [done for done in rounds if len(done.faults) > 1]
    for done in rounds:
        if len(done.faults) == 1:
            (fault,) = done.faults
            alone[part_of(fault["part"])][fault["kind"]].append(done)
    recovery: dict[str, dict[str, Any]] = {}
    for part, by_kind in sorted(alone.items()):
        recovery[part] = {kind: _recovery(some) for kind, some in sorted(by_kind.items())}
        if part in TARGET_S:
            recovery[part][KILL] = {**recovery[part].get(KILL, {}), "target_s": TARGET_S[part]}
    if pairs:
        recovery["two at once"] = {"any": _recovery(pairs)}
    return {
        "rounds": len(rounds),
        "faults": dict(Counter(fault["kind"] for done in rounds for fault in done.faults)),
        "hit": dict(Counter(part_of(fault["part"]) for done in rounds for fault in done.faults)),
        "pairs": len(pairs),
        "events": sum(done.events for done in rounds),
        "answers_judged": sum(done.answers for done in rounds),
        "answers_wrong": sum(len(done.wrong) for done in rounds),
        "wrong": [text for done in rounds for text in done.wrong][:20],
        "digests_compared": sum(done.equal is not None for done in rounds),
        "digests_different": sum(done.equal is False for done in rounds),
        "not_recovered": [
            {"round": done.number, "faults": done.faults, "waiting_for": done.waiting_for[:500]}
            for done in rounds
            if done.recovery_s is None or not done.equal
        ],
        "recovery_s": recovery,
        "queries_failed_while_a_part_was_away": _sum(done.failures for done in rounds),
        "queries_failed_while_all_ran": _sum(done.failures_while_whole for done in rounds),
    }


def _recovery(rounds: Sequence[Round]) -> dict[str, Any]:
    took = [done.recovery_s for done in rounds if done.recovery_s is not None]
    found: dict[str, Any] = {"times": len(rounds), "not_within_the_limit": len(rounds) - len(took)}
    if took:
        median, p90 = np.percentile(took, [50, 90]).tolist()
        found |= {"median": round(median, 1), "p90": round(p90, 1), "max": round(max(took), 1)}
    return found


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())

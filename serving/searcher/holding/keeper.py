"""Which generations a searcher holds: those that the alias names, and those that brokers route to.

A new generation is loaded beside the old one, catches up with the deltas and
answers; the old one goes once nobody has named it for a while, and never
before the one that serves is ready here. A swap stops nothing: brokers see in
the status what is ready, and choose.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from generations.life import Life
from schemas.errors import CorruptError, VitrineError
from schemas.full_index.generation import LIVE, Alias, Generation
from serving.searcher.holding.slot import Held, Slot, is_generation, newest_first

log = logging.getLogger(__name__)

LOOK_S = 0.3
FORGET_AFTER_S = 15.0
"""A generation that neither the alias nor a broker has named for this long is let go."""
TRY_AGAIN_S = 30.0
"""A generation that failed is tried again after this time, then after twice that; and when the alias moves."""
TRY_AGAIN_AT_MOST_S = 600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a generation is not held, or no longer followed; tried again at `again_s` (monotonic)."""

    problem: str
    held: Held | None
    tries: int
    alias_version: int
    again_s: float


@dataclass(slots=True)
class _Known:
    """One generation as the keeper knows it, on its thread. `named_at`: when it was last wanted (monotonic)."""

    named_at: float
    described: Generation | None = None
    held: Held | None = None
    leaving: Held | None = None
    failure: Failure | None = None
    tried_at_version: int = 0

    @property
    def life(self) -> Life | None:
        """None: it was never opened here, or is gone."""
        if self.held is not None:
            return self.held.searcher.life
        if self.leaving is not None:
            return Life.LEAVING
        return None if self.failure is None else Life.FAILED


class GenerationKeeper:
    """Owns what a slot holds. `named` and the properties are for any thread; `look` runs on the keeper's own."""

    def __init__(self, slot: Slot, *, look_s: float = LOOK_S, forget_after_s: float = FORGET_AFTER_S) -> None:
        self._slot = slot
        self._look_s = look_s
        self._forget_after_s = forget_after_s
        self._labels = f"shard={slot.shard} replica={slot.replica}"
        self._alias: Alias | None = None
        self._alias_known = False
        self._alias_problem = ""
        self._alias_expected = False
        self._known: dict[str, _Known] = {}
        self._held: dict[str, Held] = {}
        self._preferred: list[str] = []
        self._failed: dict[str, Failure] = {}
        self._asked: dict[str, tuple[float, frozenset[str]]] = {}
        self._asked_lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"generations-{slot.shard}-{slot.replica}")

    # For any thread. The collections are replaced, never changed.

    @property
    def held(self) -> dict[str, Held]:
        """By generation, those included that are being loaded or have failed."""
        return self._held

    @property
    def preferred(self) -> list[str]:
        """Those held, the serving one first, then those that served before."""
        return self._preferred

    @property
    def failed(self) -> dict[str, Failure]:
        """Generations that should be held and cannot be."""
        return self._failed

    @property
    def alias_problem(self) -> str:
        """Why the alias cannot be read; then what is held stays. Empty: it can."""
        return self._alias_problem

    def named(self, asker: str, generations: Iterable[str]) -> None:
        """A broker routes queries to these; they are held while it goes on saying so."""
        names = frozenset(name for name in generations if is_generation(name))
        with self._asked_lock:
            before = self._asked.get(asker)
            self._asked[asker] = (time.monotonic(), names)
        if before is None or before[1] != names:
            self._wake.set()

    def start(self) -> None:
        """Takes the first look, so that what is held is being loaded when this returns, then looks on its thread."""
        self._slot.adopt_old_layout()
        self._alias_expected = any(name != LIVE for name in self._slot.kept())
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Ends everything after last snapshots; returns when all of it has ended."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for held in self._held.values():
            held.feed.end()
        for held in (*self._held.values(), *(known.leaving for known in self._known.values() if known.leaving)):
            held.feed.join()
        self._finish_leaving()

    # On the keeper's thread.

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(self._look_s)
            self._wake.clear()
            try:
                self.look()
            except Exception:
                # What is held goes on being fed and asked; the next look may well succeed.
                log.exception("event=look_failed %s", self._labels)

    def look(self) -> None:
        """Reads the alias, begins to load what is named and not held, lets go of what nobody names."""
        self._read_alias()
        now = time.monotonic()
        wanted = self._wanted(now)
        self._finish_leaving()  # first: what has left is forgotten, also when it was named
        for name in wanted:
            self._of(name).named_at = now
            self._hold(name, now)
        if self._alias_known and self._serving_is_ready():
            self._let_go(now)
        for name, known in self._known.items():
            if known.held is None and name not in wanted:
                known.failure = None
        self._show()

    def _of(self, name: str) -> _Known:
        """What is known of it; a generation that nobody has named since the start counts as named then."""
        return self._known.setdefault(name, _Known(self._started))

    def _show(self) -> None:
        """Puts what other threads see in the place of what they saw."""
        self._held = {name: known.held for name, known in self._known.items() if known.held is not None}
        self._failed = {name: known.failure for name, known in self._known.items() if known.failure is not None}
        order = [] if self._alias is None else [self._alias.serving, *self._alias.previous]
        self._preferred = list(dict.fromkeys(n for n in (*order, *newest_first([*self._held])) if n in self._held))
        self._slot.metrics.generations.set(len(self._held))

    def _read_alias(self) -> None:
        generations = self._slot.generations
        try:
            alias = generations.alias()
            if alias is None and self._alias_expected:
                raise CorruptError(
                    f"there is no alias in {generations.where}, and this searcher has held a full index: is that the "
                    "place that VITRINE_GENERATIONS should name? vitrine alias --to NAME sets the alias anew"
                )
        except (CorruptError, OSError) as error:
            if not self._alias_problem:
                log.error("event=alias_unreadable %s problem=%s", self._labels, error)
                self._slot.metrics.alias_unreadable.set(1)
            self._alias_problem = str(error)
            return
        if self._alias_problem:
            log.info("event=alias_readable %s", self._labels)
        self._slot.metrics.alias_unreadable.set(0)
        if alias is not None and alias != self._alias:
            log.info(
                "event=alias %s version=%d serving=%s beside=%s",
                self._labels,
                alias.version,
                alias.serving,
                ",".join(alias.beside),
            )
        self._alias, self._alias_problem, self._alias_known = alias, "", True
        self._alias_expected = self._alias_expected or alias is not None

    @property
    def _alias_version(self) -> int:
        return 0 if self._alias is None else self._alias.version

    def _wanted(self, now: float) -> list[str]:
        """Those named now, the serving one first."""
        wanted = [LIVE] if self._alias is None else self._alias.held
        if not self._alias_known:
            wanted = self._slot.kept()  # what it held when it ended
        with self._asked_lock:
            self._asked = {a: said for a, said in self._asked.items() if now - said[0] < self._forget_after_s}
            asked = {name for _, names in self._asked.values() for name in names}
        return list(dict.fromkeys((*wanted, *newest_first([*asked]))))

    def _hold(self, name: str, now: float) -> None:
        """Begins to load a generation, if this slot has a part in it, and it is not held and did not fail just now."""
        known = self._of(name)
        if known.life is not None and known.life.answers:
            known.failure = None
        if known.held is not None:
            ended = known.life is Life.FAILED and known.held.feed.has_ended()
            if name == LIVE or not ended:
                return
            if known.failure is None or known.failure.held is not known.held:
                self._fail(known, known.held.searcher.problem, now)
                return
        failure = known.failure
        due = failure is None or now >= failure.again_s or failure.alias_version != self._alias_version
        if known.leaving is not None or not due:
            return
        known.tried_at_version = self._alias_version
        try:
            fresh = self._opened(name, known)
        except (VitrineError, OSError) as error:
            self._fail(known, str(error), now)
            self._slot.metrics.failed_generations.inc()
            log.error("event=generation_unusable %s generation=%s problem=%s", self._labels, name, error)
            return
        if fresh is not None:
            known.held = fresh
            self._show()
            fresh.feed.start()
            log.info("event=generation_loading %s generation=%s", self._labels, name)

    def _opened(self, name: str, known: _Known) -> Held | None:
        """The generation, not started; None when it has fewer shards than this slot would need."""
        slot = self._slot
        if name == LIVE:
            return slot.live() if slot.shard < slot.settings.shards else None
        if known.described is None:
            known.described = slot.describe(name)
        return slot.full(known.described) if slot.shard < len(known.described.shards) else None

    def _fail(self, known: _Known, problem: str, now: float) -> None:
        tries = 0 if known.failure is None else known.failure.tries + 1
        again_s = now + min(TRY_AGAIN_S * 2**tries, TRY_AGAIN_AT_MOST_S)
        known.failure = Failure(problem, known.held, tries, known.tried_at_version, again_s)
        self._show()

    def _serving_is_ready(self) -> bool:
        serving = LIVE if self._alias is None else self._alias.serving
        known = self._of(serving)
        if known.held is not None:
            return known.held.searcher.is_ready
        shards = self._slot.settings.shards if serving == LIVE else None
        if known.described is not None:
            shards = len(known.described.shards)
        return shards is not None and self._slot.shard >= shards

    def _let_go(self, now: float) -> None:
        """Of every generation not named for a while: its feed, its memory, and then its folder."""
        for name in {*self._held, *self._slot.kept()}:
            known = self._of(name)
            if known.leaving is not None or now - known.named_at <= self._forget_after_s:
                continue
            known.described = None
            if known.held is None:
                self._remove(name)
                continue
            left, known.held = known.held, None
            self._show()
            self._slot.metrics.unwatch(name)
            left.feed.end(save=False)
            known.leaving = left
            log.info("event=generation_let_go %s generation=%s", self._labels, name)

    def _finish_leaving(self) -> None:
        """Frees what nobody has asked for longer than any query takes, once its feed has ended."""
        for name, known in [*self._known.items()]:
            if known.leaving is None or not known.leaving.feed.has_ended():
                continue
            index = known.leaving.searcher.index
            known.leaving = None
            memory = [] if index is None else index.take_apart()
            del index
            while memory:
                memory.pop()  # a piece at a time, so that queries get the GIL in between
            self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            self._slot.remove(name)
        except OSError as error:
            # The next start finds it and tries again.
            log.warning("event=folder_left %s folder=%s problem=%s", self._labels, self._slot.folder(name), error)
            return
        self._known.pop(name, None)
        log.info("event=generation_freed %s generation=%s", self._labels, name)

"""One round: faults, the wait until everything is back and fresh, then the comparison with the log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.job import job_runs
from schemas.errors import OperatorError, TransientError
from tests.chaos.load import PREFIX, Askers, Feeder
from tests.chaos.oracle import Oracle
from tests.chaos.parts import KILL, Fault, inflict, parts, plan
from tests.support.whole.pictures import write_pictures
from tests.system import System, eventually

_PROBE = f"{PREFIX}-probe"
_POLL_S = 0.1
_TOLD = 500
"""Characters of a wrong answer that the journal keeps."""


@dataclass(slots=True)
class Round:
    """What one round came to; written to the journal as it is.

    `recovery_s`: from the end of the last fault until a new event with a new
    image was shown by every replica and every part ran; None: not within the
    limit. `equal`: the digests of all replicas were those of the log; None:
    not compared, because it was not fresh. `wrong`: answers that showed what
    they must not.
    """

    number: int
    faults: list[dict[str, Any]]
    recovery_s: float | None = None
    waiting_for: str = ""
    equal: bool | None = None
    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    failures_while_whole: dict[str, int] = field(default_factory=dict)
    events: int = 0

    @property
    def kills(self) -> int:
        return sum(fault["kind"] == KILL for fault in self.faults)

    @property
    def good(self) -> bool:
        return self.recovery_s is not None and bool(self.equal) and not self.wrong


class Chaos:
    """`with Chaos(system, ...) as chaos: chaos.round(1)`. The system runs, whole, and nobody else uses it.

    mend: called again and again while something is away; None: the system's own supervisor mends.
    """

    def __init__(
        self,
        system: System,
        seed: int,
        *,
        per_s: float = 40.0,
        products: int = 100,
        longest_s: float = 15.0,
        limit_s: float = 180.0,
        mend: Callable[[], None] | None = None,
    ) -> None:
        self._system = system
        self._seed = seed
        self._longest_s, self._limit_s = longest_s, limit_s
        self._mend = mend
        self._oracle = Oracle(system.settings)
        self._per_s, self._products = per_s, products
        self._names: set[str] = set()

    def __enter__(self) -> Chaos:
        self._feeder = Feeder(self._system, self._per_s, self._products, self._seed)
        self._askers = Askers(self._system, self._seed)
        self._recovered(0, time.monotonic())
        self._names = set(parts(self._system))
        self._askers.whole.set()
        return self

    def __exit__(self, *_: object) -> None:
        self._feeder.close()
        self._askers.close()

    def round(self, number: int, faults: list[Fault] | None = None) -> Round:
        """Never raises for what the system does; what it did is in the result. `faults`: default: by the plan."""
        if faults is None:
            faults = plan(self._seed, number, parts(self._system), self._longest_s)
        done = Round(number, [asdict(fault) for fault in faults])
        before = self._feeder.sent
        self._askers.whole.clear()
        ended = inflict(self._system, faults)
        try:
            done.recovery_s = self._recovered(number, ended)
            self._askers.whole.set()
            done.equal = self._compare()
        except AssertionError as error:
            done.waiting_for = str(error)
            done.equal = None if done.recovery_s is None else False
        self._judge(done)
        done.events = self._feeder.sent - before
        done.failures = _taken(self._askers.failures)
        done.failures_while_whole = _taken(self._askers.failures_while_whole)
        self._feeder.go()
        return done

    def _recovered(self, number: int, ended: float) -> float:
        """Seconds from `ended` on until everything is there and fresh. AssertionError names what is waited for."""
        name = 91_000 + number
        (url,) = write_pictures(self._system.home / "chaos-probes", range(name, name + 1))
        event = {"type": "product_added", "product_id": _PROBE, "product": {"price": number}, "images": [{"url": url}]}
        self._await_log(event)
        with httpx.Client(base_url=self._system.base, trust_env=False, timeout=10) as client:

            def back() -> bool:
                if self._mend is not None:
                    self._try_to_mend()
                self._expect_parts()
                self._expect_probe(client, url)
                return True

            eventually(back, "all parts run and a new event is shown", self._limit_s, _POLL_S)
        return round(time.monotonic() - ended, 2)

    def _await_log(self, event: dict[str, Any]) -> None:
        """Writes the probe, however long Kafka takes to be back."""

        def written() -> bool:
            if self._mend is not None:
                self._try_to_mend()
            try:
                self._system.produce(event)
            except AssertionError as error:  # its producer gave up
                raise TransientError("not_written", str(error)) from error
            return True

        eventually(written, "Kafka takes a record", self._limit_s, _POLL_S)

    def _try_to_mend(self) -> None:
        assert self._mend is not None
        if self._names - set(self._system.runtime.running()) - set(parts(self._system)) or not _runs(self._system):
            try:
                self._mend()
            except (OperatorError, TransientError) as error:
                raise TransientError("not_mended", str(error)) from error

    def _expect_parts(self) -> None:
        missing = self._names - set(parts(self._system))
        if missing:
            raise TransientError("parts_missing", ", ".join(sorted(missing)))
        if not _runs(self._system):
            raise TransientError("job", "not all tasks of the job run")
        views = self._system.shards()
        if waiting := [str(view) for view in views if not view.ready or view.error]:
            raise TransientError("shards", "; ".join(waiting))

    def _expect_probe(self, client: httpx.Client, url: str) -> None:
        if client.get("/readyz").status_code != 200:
            raise TransientError("blender", "/readyz does not say 200")
        receipt = client.get(f"/v1/products/{_PROBE}/status").json()
        replicas = receipt.get("replicas", [])
        searchable = [any(i["url"] == url and i["searchable"] for i in replica["images"]) for replica in replicas]
        if len(searchable) < self._system.settings.replicas or not all(searchable):
            raise TransientError("probe", f"not shown by every replica: {receipt}"[:500])

    def _compare(self) -> bool:
        """Holds the events, then waits until all replicas are what the log comes to. AssertionError at the limit."""
        self._feeder.hold()

        def equal() -> bool:
            self._oracle.truth.read()
            digests = self._oracle.truth.digests()
            views = self._system.shards()
            whole = len(views) == len(digests) * self._system.settings.replicas
            if not whole or any(view.digest != digests[view.shard] for view in views):
                raise TransientError("different", f"the log comes to {digests}, found are {views}")
            return True

        return eventually(equal, "every replica equals the log", self._limit_s, 0.3)

    def _judge(self, done: Round) -> None:
        answers = self._askers.take()
        try:
            self._oracle.truth.read()
        except TransientError as error:
            done.waiting_for += f"; answers not judged, the log cannot be read: {error}"
            return
        done.answers = len(answers)
        for answer in answers:
            done.wrong += [problem[:_TOLD] for problem in self._oracle.wrong(answer)]


def _runs(system: System) -> bool:
    try:
        return job_runs(FlinkAccess.of(system.settings))
    except (TransientError, OperatorError):
        return False


def _taken(counter: Counter[str]) -> dict[str, int]:
    taken = dict(counter)
    counter.subtract(taken)
    for name in taken:
        if not counter[name]:
            del counter[name]
    return taken

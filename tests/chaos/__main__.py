"""`python -m tests.chaos`: rounds until so many kills are done or the time is over, then the report.

A run goes on where the last one with the same journal stopped: after a Ctrl-C,
a time limit or the machine's end, the same command adds to it. The system
begins anew with each command; the numbers of the rounds, and with them the
faults, go on.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.result import REPOSITORY, write_result
from benchmarks.harness.system import drawn_weights
from schemas.errors import OperatorError, TransientError
from tests.chaos.report import append, figures, read
from tests.chaos.round import Chaos, Round
from tests.system import System

_REPLACED_AFTER = 2
"""A system that does not come back for so many rounds on end is put aside, logs and all, and a new one takes over."""

_STARTS = 3
"""Systems that may fail to start; then the run is over, with what it has."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs in all, those of earlier runs included")
    parser.add_argument("--seed", type=int, default=1, help="of the faults, the events and the queries")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after this time; 0: when the kills are done")
    parser.add_argument("--per-s", type=float, default=40.0, help="events a second")
    parser.add_argument("--products", type=int, default=100)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--longest-s", type=float, default=15.0, help="that a part stands still")
    parser.add_argument("--limit-s", type=float, default=180.0, help="for coming back, and for being equal to the log")
    parser.add_argument("--encoder", default="squeezenet1_1", help="a torchvision network; its weights are drawn")
    parser.add_argument("--restart-by-start", action="store_true", help="mend by `start`, not by the supervisor alone")
    parser.add_argument("--journal", type=Path, help="default: .cache/chaos-SEED.jsonl")
    parser.add_argument("--name", default="chaos", help="name of the result file")
    arguments = parser.parse_args(argv)
    journal = arguments.journal or REPOSITORY / ".cache" / f"chaos-{arguments.seed}.jsonl"
    until = time.monotonic() + (60 * arguments.minutes or float("inf"))
    not_started = 0
    try:
        while not_started < _STARTS and not _enough(read(journal), arguments.kills, until):
            try:
                _rounds(arguments, journal, until)
            except (OperatorError, TransientError) as error:  # a machine that is too busy to start one
                not_started += 1
                print(f"chaos: no system: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("chaos: stopped; the same command goes on", file=sys.stderr)
    rounds = read(journal)
    parameters = {name: value for name, value in vars(arguments).items() if name not in ("journal", "name")}
    write_result(arguments.name, parameters, figures(rounds))
    return 0 if rounds and not not_started and all(done.good for done in rounds) else 1


def _enough(rounds: list[Round], kills: int, until: float) -> bool:
    return sum(done.kills for done in rounds) >= kills or time.monotonic() > until


def _rounds(arguments: argparse.Namespace, journal: Path, until: float) -> None:
    """A system's life: until there are enough rounds, or it does not come back any more."""
    home = Path(tempfile.mkdtemp(prefix="vitrine-chaos-")).resolve()
    weights = drawn_weights(arguments.encoder, home)
    system = System(
        home / "home",
        encoder=arguments.encoder,
        weights=str(weights),
        shards=arguments.shards,
        replicas=arguments.replicas,
    )
    lost, whole = 0, False
    try:
        system.start()
        with Chaos(
            system,
            arguments.seed,
            per_s=arguments.per_s,
            products=arguments.products,
            longest_s=arguments.longest_s,
            limit_s=arguments.limit_s,
            mend=system.start if arguments.restart_by_start else None,
        ) as chaos:
            while lost < _REPLACED_AFTER and not _enough(rounds := read(journal), arguments.kills, until):
                done = chaos.round(1 + max((each.number for each in rounds), default=0))
                append(journal, done)
                print(_line(done, sum(each.kills for each in rounds) + done.kills), flush=True)
                lost = 0 if done.equal else lost + 1
        whole = not lost
    finally:
        system.stop()
        if whole:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(f"chaos: the system's logs are kept in {home}", file=sys.stderr)


def _line(done: Round, kills: int) -> str:
    what = " and ".join(f"{fault['kind']} {fault['part']} {fault['seconds'] or ''}".strip() for fault in done.faults)
    back = f"back after {done.recovery_s} s" if done.recovery_s is not None else f"NOT BACK: {done.waiting_for[:300]}"
    equal = {True: "equal to the log", False: "DIFFERS from the log", None: "not compared"}[done.equal]
    wrong = f", WRONG: {done.wrong[:2]}" if done.wrong else ""
    return f"round {done.number}, {kills} kills: {what}; {back}; {equal}; {done.answers} answers{wrong}"


if __name__ == "__main__":
    raise SystemExit(main())

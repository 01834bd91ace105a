"""Show the full indexes and which of them serves; go back to an earlier one, or hold another beside it.

A move is atomic and waits until the broker serves (or holds) what is wanted.
It makes no checks: those are made by vitrine publish.
Exit codes: 0 done; 1 the broker did not follow within --wait seconds, or the
alias cannot be read (--to sets it anew).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from cli.generations_view import as_json, as_text, generation_views
from cli.publishing import start_searchers
from cli.runtime.progress import Progress
from generations.broker import Broker, broker_of
from generations.folder import Generations
from generations.publish import WAIT_S
from generations.swap import wait_until_held, wait_until_let_go, wait_until_serving
from schemas.access.tier import TierAccess
from schemas.errors import CorruptError, TransientError
from schemas.full_index.generation import Alias
from schemas.settings import Settings, load_settings

NAME = "alias"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    move = parser.add_mutually_exclusive_group()
    move.add_argument("--rollback", action="store_true", help="serve the generation that served before")
    move.add_argument("--to", metavar="NAME", help="serve this generation, whatever its checks say")
    move.add_argument("--beside", nargs="+", metavar="NAME", help="hold these as well: ?generation=NAME asks them")
    move.add_argument("--alone", action="store_true", help="hold only the one that serves")
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    parser.add_argument("--wait", type=float, default=WAIT_S, metavar="S", help=f"for the broker ({WAIT_S:.0f})")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    generations = Generations(settings.layout.generations)
    if arguments.rollback:
        return _serve(settings, generations, generations.roll_back, arguments.wait)
    if arguments.to is not None:
        return _serve(settings, generations, lambda: generations.serve(arguments.to, "chosen"), arguments.wait)
    if arguments.beside is not None or arguments.alone:
        return _hold(settings, generations, arguments.beside or [], arguments.wait)
    views, problem = generation_views(settings.layout.generations)
    print(as_json(views) if arguments.json else as_text(settings.layout.generations, views))
    if problem:
        raise CorruptError(problem)
    return 0


def _serve(settings: Settings, generations: Generations, move: Callable[[], Alias], wait_s: float) -> int:
    progress = Progress()
    alias = move()
    generation = generations.read(alias.serving)
    progress.say(f"the alias names {generation.name}")
    start_searchers(settings, generation, progress)
    return _end(
        settings.tier,
        progress,
        lambda broker: wait_until_serving(broker, generation.name, len(generation.shards), wait_s, progress.say),
        done=f"{generation.name} serves",
        next_step="vitrine alias --rollback goes back",
    )


def _hold(settings: Settings, generations: Generations, names: list[str], wait_s: float) -> int:
    progress = Progress()
    wanted = [generations.read(name) for name in dict.fromkeys(names)]
    before = generations.alias()
    alias = generations.hold_beside([generation.name for generation in wanted])
    progress.say(
        f"the alias names {alias.serving}" + (f" and {', '.join(alias.beside)} beside it" * bool(alias.beside))
    )
    for generation in wanted:
        start_searchers(settings, generation, progress)
    left = {*(before.beside if before is not None else ())} - {*alias.held}
    shards_of = {generation.name: len(generation.shards) for generation in wanted}

    def wait(broker: Broker) -> str:
        problem = wait_until_held(broker, shards_of, wait_s, progress.say)
        return problem or wait_until_let_go(broker, sorted(left), wait_s, progress.say)

    done = (
        f"held beside {alias.serving}: {', '.join(alias.beside)}" if alias.beside else f"{alias.serving} alone is held"
    )
    return _end(settings.tier, progress, wait, done=done, next_step="vitrine alias --alone lets it go")


def _end(tier: TierAccess, progress: Progress, wait: Callable[[Broker], str], *, done: str, next_step: str) -> int:
    """Waits for the broker, if one is there: else whoever starts finds the alias where it is."""
    with broker_of(tier) as broker:
        try:
            broker.status()
        except TransientError as error:
            progress.say(f"nobody serves yet ({error.detail}); vitrine start serves it")
            return 0
        problem = wait(broker)
    if problem:
        raise TransientError("not_followed", f"{problem}; vitrine status says how it goes on, {next_step}")
    progress.say(done)
    return 0

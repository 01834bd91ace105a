"""Moving the alias to a generation that may serve, and back when nobody comes to serve it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from generations.broker import Broker
from generations.folder import Generations
from generations.swap import Say, wait_until_serving
from schemas.errors import CorruptError, TransientError
from schemas.full_index.generation import LIVE, Alias, Generation

log = logging.getLogger(__name__)

_BACK_WITHIN_S = 15.0


def move(
    generations: Generations,
    generation: Generation,
    broker: Broker,
    wait_s: float,
    say: Say,
    prepare: Callable[[Generation], None],
    seen: int | None,
) -> str:
    """Moves the alias and waits for the broker; takes the move back when that fails. Empty, or why it failed.

    `seen`: the alias's version before the checks. Raises `OperatorError` where it was moved since.
    """
    name = generation.name
    try:
        serving = broker.status().serving
        before = _alias(generations, serving)
    except TransientError as error:
        # Only by force: then there is nobody to wait for, and whoever starts finds the alias.
        generations.serve(name, seen=seen)
        say(f"the alias names {name}; nobody serves yet ({error})")
        return ""
    prepare(generation)
    if before is None or before.serving != name or serving != name:
        # Also where the alias names it already and it does not serve: with a move searchers try it again at once.
        generations.serve(name, seen=seen)
    say(f"the alias names {name}; searchers load it beside what serves")
    problem = wait_until_serving(broker, name, len(generation.shards), wait_s, say)
    if not problem:
        say(f"{name} serves")
        return ""
    if before is not None and before.serving == name:
        return f"{problem}; the alias named it before and still does: vitrine alias --rollback goes back"
    generations.take_back(name, before)
    back = LIVE if before is None else before.serving
    say(f"taking the move back, to {back}: {problem}")
    shards = 0 if back == LIVE else len(generations.read(back).shards)
    left = wait_until_serving(broker, back, shards, _BACK_WITHIN_S, say, give_up_on_failure=False)
    return f"{problem}; the alias names {back} again" + (f", but {left}" if left else "")


def _alias(generations: Generations, serving: str) -> Alias | None:
    """Where it stands. Of one that cannot be read, and that this very move mends, `serving` is what is known."""
    try:
        return generations.alias()
    except CorruptError as error:
        log.warning("event=alias_unreadable next=set_anew serving=%s problem=%s", serving, error)
        return Alias(version=0, serving=serving or LIVE)

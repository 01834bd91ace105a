"""Publishing from a command line: with the searchers that a generation of more shards needs."""

from __future__ import annotations

from cli.runtime.progress import Progress
from cli.runtime.services import BROKER
from cli.runtime.system import System
from generations.publish import WAIT_S, Publisher
from jobs.full_index.build.answers import FileAnswers
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import PublishReport
from schemas.settings import Settings


def publish_generation(
    settings: Settings, name: str, progress: Progress, *, force: bool = False, wait_s: float = WAIT_S
) -> PublishReport:
    """See `Publisher.publish`. Starts searchers for all its shards, where the broker runs here."""
    return publisher_of(settings, progress).publish(
        name,
        wait_s=wait_s,
        force=force,
        prepare=lambda generation: start_searchers(settings, generation, progress),
    )


def publisher_of(settings: Settings, progress: Progress) -> Publisher:
    """One that says on the terminal how far it is."""
    return Publisher.from_settings(settings, FileAnswers.from_settings(settings), say=progress.say)


def start_searchers(settings: Settings, generation: Generation, progress: Progress) -> None:
    """Starts those that a generation of more shards needs; elsewhere, in containers say, that is the operator's.

    Does not wait for them: whoever moves the alias waits for the generation,
    and it may be meant to bring back a shard without which nothing is ready.
    """
    system = System(settings, progress)
    if BROKER in system.running():
        system.start_services(shards=len(generation.shards), wait=False)

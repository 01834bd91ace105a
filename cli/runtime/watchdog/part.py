"""The watchdog as a part of the system."""

from __future__ import annotations

from cli.runtime.environment import part_environment
from cli.runtime.parts import Part
from cli.runtime.programs import python
from cli.runtime.watchdog.state import NAME
from schemas.settings import Settings

NO_SUPERVISOR = "--no-supervisor"


def watchdog_part(settings: Settings, *options: str) -> Part:
    """`options`: `NO_SUPERVISOR` where somebody else starts again what ends."""
    command = [python(), "-m", "cli.runtime.watchdog", *options]
    return Part(name=NAME, command=command, environment=part_environment(settings))

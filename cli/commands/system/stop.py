"""Stop the system: cancels the job, ends the processes that `start` started; nothing is lost.

With names of processes (as `vitrine status` shows them) these alone, which then stay ended until `start`.
"""

from __future__ import annotations

import argparse

from cli.runtime.system import System
from schemas.settings import load_settings

NAME = "stop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parts", nargs="*", metavar="PROCESS", help="broker, searcher-0-0, ...; by default everything")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    system = System(settings)
    stopped = system.stop_parts(arguments.parts) if arguments.parts else system.stop()
    print(f"stopped {len(stopped)} processes" if stopped else f"nothing of {settings.home} was running")
    return 0

"""Stop the system: cancels the job, ends the processes that `start` started; nothing is lost."""

from __future__ import annotations

import argparse

from cli.runtime.system import System
from schemas.settings import load_settings

NAME = "stop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # it has none


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    stopped = System(settings).stop()
    print(f"stopped {len(stopped)} processes" if stopped else f"nothing of {settings.home} was running")
    return 0

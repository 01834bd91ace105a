"""Become one part of the system, for systemd or a container: what `start` starts under a supervisor of ours.

It runs until it is told to end (SIGTERM), and exits with an error where the set-up is wrong; whoever started it starts
it again. Use `systemctl`, `docker compose` or `kubectl` there instead of `vitrine start` and `vitrine stop`.
"""

from __future__ import annotations

import argparse

from cli.runtime.launch.becoming import become, part_names
from schemas.settings import load_settings

NAME = "part"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="kafka, flink-jobmanager, searcher-0-0 (shard, replica), broker, ...; without it: lists those there are",
    )


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    if arguments.name is None:
        print("\n".join(part_names(settings)))
    else:
        become(settings, arguments.name)
    return 0

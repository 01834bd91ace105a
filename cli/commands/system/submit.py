"""Submit the streaming job to a Flink that runs, unless it is there already; creates missing topics first.

`start` does this too; this is for a Kafka (VITRINE_KAFKA_BOOTSTRAP) and a Flink of your own.
"""

from __future__ import annotations

import argparse

from cli.runtime.system import System
from schemas.settings import load_settings

NAME = "submit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--flink", metavar="HOST:PORT", help="Flink's REST address (default 127.0.0.1 and VITRINE_FLINK_PORT)"
    )


def run(arguments: argparse.Namespace) -> int:
    system = System(load_settings())
    print("submitted" if system.submit_job(arguments.flink) else "runs already")
    return 0

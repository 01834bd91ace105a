"""Start what does not run: Kafka, Flink, the streaming job, searchers, broker, blender.

May be called at any time; it also mends a system of which a process has died.
"""

from __future__ import annotations

import argparse

from cli.runtime.system import System
from schemas.settings import load_settings

NAME = "start"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        choices=("kafka", "flink"),
        help="kafka: the broker and its topics; flink: these and Flink without a job; by default everything",
    )


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    system = System(settings)
    match arguments.only:
        case "kafka":
            system.start_kafka()
            print(f"Kafka {settings.bootstrap}")
        case "flink":
            system.start_flink()
            print(f"Kafka {settings.bootstrap}\nFlink http://127.0.0.1:{settings.flink_port}")
        case _:
            system.start()
            print(f"page  {settings.blender.url}/\nFlink http://127.0.0.1:{settings.flink_port}")
            print(f"Kafka {settings.bootstrap}")
    return 0

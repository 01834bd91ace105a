"""The options of a replay on a command line, the same for every way to start one. Knows no Flink."""

from __future__ import annotations

import argparse


def add_replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from-log", action="store_true", help="from empty stores: the log and image-features alone")
    parser.add_argument(
        "--from", dest="begin", metavar="WHERE", help="offsets, one a partition (12,40), or a time (2026-01-31T00:00Z)"
    )
    parser.add_argument("--to", dest="end", metavar="WHERE", help="offsets or a time, exclusive (default: the end)")
    parser.add_argument("--check", action="store_true", help="only report: send nothing, keep the position")
    parser.add_argument("--sample", type=int, default=200, metavar="N", help="products to ask the shards about")
    parser.add_argument("--wait", type=float, default=60.0, metavar="S", help="for the stream, and for healing to show")


def replay_arguments(arguments: argparse.Namespace) -> list[str]:
    """The same options again, for the process that runs the replay."""
    found = ["--sample", str(arguments.sample), "--wait", str(arguments.wait)]
    for flag, given in (("--from-log", arguments.from_log), ("--check", arguments.check)):
        found += [flag] if given else []
    for flag, where in (("--from", arguments.begin), ("--to", arguments.end)):
        found += [] if where is None else [flag, str(where)]
    return found

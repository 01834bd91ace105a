"""The options of a build on a command line, the same for every way to start one. Knows no Flink."""

from __future__ import annotations

import argparse

from indexing.lists.kinds import IndexKind
from jobs.full_index.build.options import BuildOptions


def add_build_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shards", type=int, metavar="N", help="default: as many as the serving generation has")
    parser.add_argument(
        "--kind", choices=[kind.value for kind in IndexKind], help="default: index_kind of the settings"
    )
    parser.add_argument("--lists", type=int, metavar="L", help="inverted lists a shard; default: from its images")
    parser.add_argument("--recall", type=float, metavar="R", help="@10 against exact search, that nprobe is chosen for")
    parser.add_argument("--headroom", type=float, metavar="H", help="free space of a list, as a part of its entries")
    parser.add_argument("--seed", type=int, metavar="S", help="of the training sample and of k-means")
    parser.add_argument("--encoder", metavar="X", help="default: that of the serving generation, else of the settings")
    parser.add_argument("--weights", metavar="FILE", help="local weights of a torchvision encoder")
    parser.add_argument(
        "--extract", action="store_true", help="ask for missing vectors first; always so for a further encoder"
    )
    parser.add_argument(
        "--wait", type=float, default=120.0, metavar="S", help="how long extraction may stand still before it is left"
    )


_FLAGS = ("shards", "kind", "lists", "recall", "headroom", "seed", "encoder", "weights")


def build_arguments(arguments: argparse.Namespace) -> list[str]:
    """The same options again, for the process that runs the build."""
    found = ["--wait", str(arguments.wait)]
    for name in _FLAGS:
        value = getattr(arguments, name)
        found += [] if value is None else [f"--{name}", str(value)]
    return found + (["--extract"] if arguments.extract else [])


def build_options(arguments: argparse.Namespace) -> BuildOptions:
    """Raises `OperatorError` for a number that no index can have."""
    given = {name: getattr(arguments, name) for name in _FLAGS if getattr(arguments, name) is not None}
    return BuildOptions(extract=arguments.extract, wait_s=max(0.0, arguments.wait), **given)

"""List products that show the same picture, or nearly so: copies that were scaled, cut or stored anew.

Compares every picture that can be found with every other, over all shards of
the index that serves, as the searchers' snapshots on this machine have it: a
minute old at most, or a full index's own files where no searcher has one.
"""

from __future__ import annotations

import argparse

from cli.doubles import as_json, as_text, doubles_of
from schemas.errors import OperatorError
from schemas.settings import load_settings
from vision.same_picture import least_likeness

NAME = "duplicates"
_LIMIT = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--likeness",
        type=float,
        metavar="L",
        help="inner product from which on two pictures are one (default: as answers merge them)",
    )
    parser.add_argument("--limit", type=int, default=_LIMIT, metavar="N", help=f"groups shown (default {_LIMIT})")
    parser.add_argument("--json", action="store_true", help="all groups, as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    likeness: float | None = arguments.likeness
    if likeness is not None and not 0 < likeness <= 1:
        raise OperatorError(f"--likeness {likeness}: give a number above 0, up to 1")
    if arguments.limit < 1:
        raise OperatorError(f"--limit {arguments.limit}: give 1 or more")
    chosen = likeness or settings.doubles_likeness
    found = doubles_of(settings, lambda extractor_id: chosen or least_likeness(extractor_id))
    print(as_json(found) if arguments.json else as_text(found, arguments.limit))
    return 0

"""Check a full index, and let it serve if it passes.

vitrine build does this with what it has built, unless told otherwise. A check
that fails leaves everything as it was; the report, generations/last-publish.json
in VITRINE_HOME, is in /metrics and vitrine status until a publication passes.
Exit codes: 0 it serves (with --check-only: it passes), 1 it does not.
"""

from __future__ import annotations

import argparse

from cli.publishing import publish_generation, publisher_of
from cli.runtime.progress import Progress, Silent
from generations.folder import Generations
from generations.publish import WAIT_S
from schemas.access.objects import FullIndexes
from schemas.errors import OperatorError
from schemas.full_index.publish_report import encode_publish_report
from schemas.settings import load_settings

NAME = "publish"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="of a generation; vitrine alias lists them")
    which.add_argument("--latest", action="store_true", help="the generation that was built last")
    parser.add_argument("--force", action="store_true", help="also when checks fail; the report says so")
    parser.add_argument("--check-only", action="store_true", help="move nothing, keep no report")
    parser.add_argument("--json", action="store_true", help="the report as JSON instead of lines")
    parser.add_argument(
        "--wait", type=float, default=WAIT_S, metavar="S", help=f"for searchers to have loaded it ({WAIT_S:.0f})"
    )


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    name = latest(settings.layout.generations) if arguments.latest else arguments.name
    progress = Silent() if arguments.json else Progress()
    if arguments.check_only:
        report = publisher_of(settings, progress).check(name)
        text = report.checks_text()
    else:
        report = publish_generation(settings, name, progress, force=arguments.force, wait_s=arguments.wait)
        text = report.text()
    print(encode_publish_report(report).decode() if arguments.json else text)
    return 0 if report.passed else 1


def latest(place: FullIndexes) -> str:
    """The newest generation. Raises `OperatorError` when there is none."""
    names = Generations(place).names()
    if not names:
        raise OperatorError(f"no generation in {place}; vitrine build makes one")
    return names[-1]

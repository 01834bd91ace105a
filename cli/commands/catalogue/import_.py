"""Import a catalogue: CSV, JSON lines, Parquet, or a folder of pictures whose subfolders are categories.

Produces one product_added event per product. Importing again is harmless:
features that are known are reused. Exit code 1 when nothing could be imported.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.imported import remember_import
from cli.importers import import_catalogue
from cli.runtime.progress import Progress
from cli.settling import wait_until_searchable
from messaging.producer import now_ms
from schemas.settings import load_settings

NAME = "import"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", type=Path, metavar="PATH", help=".csv, .tsv, .jsonl or .parquet file, or a folder of pictures"
    )
    parser.add_argument(
        "--vectors",
        type=Path,
        metavar="FILE",
        help="a .npy file of your own vectors, row n of the catalogue's n-th row",
    )
    parser.add_argument("--wait", action="store_true", help="return only when every image is searchable")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    path = arguments.path.expanduser().resolve()
    report = import_catalogue(settings, path, vectors=arguments.vectors, progress=not arguments.quiet)
    print(report.text())
    if report.produced == 0:
        return 1
    remember_import(settings.layout.imports, settings.kafka, path)
    if arguments.wait:
        wait_until_searchable(settings.tier, settings.kafka, now_ms(), Progress())
    return 0

"""Import a catalogue: CSV, JSON lines, Parquet, a folder of pictures whose subfolders are categories, or a PostgreSQL.

Produces one product_added event per product; of a database also product_removed
for those that its mapping (VITRINE_DATABASE_MAPPING) says are not shown. Importing again is harmless:
features that are known are reused. Exit code 1 when nothing could be imported.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.imported import remember_import
from cli.importers import import_catalogue
from cli.importers.database.importing import import_database
from cli.importers.importing import ImportReport
from cli.runtime.progress import Progress
from cli.settling import wait_until_searchable
from messaging.producer import now_ms
from schemas.errors import OperatorError
from schemas.settings import Settings, load_settings

NAME = "import"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        nargs="?",
        help=".csv, .tsv, .jsonl or .parquet file, or a folder of pictures",
    )
    parser.add_argument(
        "--from",
        dest="database",
        metavar="URL",
        help="a PostgreSQL instead: postgresql://USER@HOST:PORT/DATABASE; password: PGPASSWORD, ~/.pgpass",
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
    report = _imported(settings, arguments)
    print(report.text())
    if report.produced + report.removed == 0:
        return 1
    if arguments.wait:
        wait_until_searchable(settings.tier, settings.kafka, now_ms(), Progress())
    return 0


def _imported(settings: Settings, arguments: argparse.Namespace) -> ImportReport:
    progress = not arguments.quiet
    if (arguments.path is None) == (arguments.database is None):
        raise OperatorError("name a catalogue, or a database by --from: vitrine import PATH")
    if arguments.database is not None:
        if arguments.vectors is not None:
            raise OperatorError("--vectors go with a table's rows, and a database's come in no order; leave it out")
        return import_database(settings, arguments.database, progress=progress)
    path = arguments.path.expanduser().resolve()
    report = import_catalogue(settings, path, vectors=arguments.vectors, progress=progress)
    if report.produced:
        remember_import(settings.layout.imports, settings.kafka, path)
    return report

"""Copy what a home needs to come back after its machine and its Kafka are lost, also while the system runs.

Both stores, as consistent copies; the full index that serves, where it lies in
a folder; the home's notes. Each file has a checksum; the manifest comes last.
Logs, snapshots and Kafka's topics are not in it. What is erased afterwards stays
in it: remove old backups.
"""

from __future__ import annotations

import argparse

from cli.backup.contents import files_at
from cli.backup.making import make_backup
from cli.runtime.progress import Progress
from schemas.settings import load_settings

NAME = "backup"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="PLACE", help="a folder, or s3://bucket/prefix")


def run(arguments: argparse.Namespace) -> int:
    settings, progress = load_settings(), Progress()
    files = files_at(arguments.place, settings.layout)
    backup = make_backup(settings, files, progress.say)
    print(f"{backup.name}: {len(backup.files)} files, {backup.bytes / 2**20:.1f} MiB in {files.where}")
    return 0

"""Put a backup into an empty home, after the machine and its Kafka were lost.

Where Kafka is still there, vitrine rebuild brings the stores back, newer than
any backup. Afterwards: vitrine start, then vitrine build.
"""

from __future__ import annotations

import argparse

from cli.backup.contents import SEALED, files_at, read_backup
from cli.backup.restoring import restore_backup
from cli.runtime.progress import Progress
from schemas.errors import OperatorError
from schemas.settings import load_settings

NAME = "restore"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="PLACE", help="where the backups are: a folder, or s3://bucket/prefix")
    parser.add_argument("--name", metavar="NAME", help="of a backup (the newest)")
    parser.add_argument("--list", action="store_true", help="only name the backups that there are")


def run(arguments: argparse.Namespace) -> int:
    settings, progress = load_settings(), Progress()
    files = files_at(arguments.place, settings.layout)
    names = files.names(SEALED)
    if arguments.list:
        print("\n".join(names))
        return 0
    if not (names or arguments.name):
        raise OperatorError(f"no backup in {files.where}; vitrine backup PLACE makes one")
    backup = read_backup(files, arguments.name or names[-1])
    restore_backup(settings, files, backup, progress.say)
    print(f"{backup.name} is in {settings.home}; vitrine start goes on with it, then vitrine build")
    return 0

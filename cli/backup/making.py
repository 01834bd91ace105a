"""A backup of a home, also while the system runs: first the copies of the stores, then their files with checksums."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from cli.backup.contents import GENERATIONS, NOTES_FOLDER, SEALED, STORES, Backup, encode_backup, new_name, notes
from disk.durable import write_durably
from feature_store.rocks.files import STORE_FILE
from generations.files.port import Files
from generations.folder import Generations, file_checksum
from jobs.full_index.truth.copies import copy_catalogue, copy_features
from schemas.errors import OperatorError
from schemas.full_index.generation import LIVE
from schemas.full_index.manifest import ShardFile
from schemas.log_epoch import read_epoch
from schemas.settings import Settings

Say = Callable[[str], None]


def make_backup(settings: Settings, files: Files, say: Say) -> Backup:
    """Takes copies and puts them into `files`, the manifest last.

    Raises `OperatorError` where there is nothing to back up, or the stores lie on a server; `TransientError` where
    the stores' owner makes no copy; `OSError` where the place is away or full.
    """
    layout = settings.layout
    if settings.store_server is not None:
        raise OperatorError(f"the stores lie at {settings.store_server}: back up that server by its own means")
    epoch = read_epoch(layout.log_epoch)
    if epoch is None or not (layout.catalogue_store / STORE_FILE).exists():
        raise OperatorError(f"{layout.home} has no stores to back up; vitrine start makes them")
    name = new_name()
    work = layout.home / "backup" / f".{name}"  # copies of the stores are hard links, so in the home
    try:
        # In the order of a build's cut: what the catalogue speaks of is among the features that are copied later.
        copy_catalogue(settings, work / STORES / layout.catalogue_store.name)
        copy_features(settings, work / STORES / layout.feature_store.name)
        for store in (layout.catalogue_store, layout.feature_store):
            if (store / STORE_FILE).exists():  # else nothing was ever written
                shutil.copy(store / STORE_FILE, work / STORES / store.name / STORE_FILE)
        say("the stores are copied")
        _copy_notes(settings, work)
        generation, there = _copy_generation(settings, work)
        say(
            f"the full index {generation} goes with them"
            if generation and not there
            else "no full index goes with them"
        )
        backup = Backup(
            name=name,
            made_ms=time.time_ns() // 1_000_000,
            event_partitions=settings.event_partitions,
            feature_partitions=settings.feature_partitions,
            topic_id=epoch.topic_id,
            generation=generation,
            served_there=there,
            files={
                file.relative_to(work).as_posix(): ShardFile(file.stat().st_size, file_checksum(file))
                for file in sorted(work.rglob("*"))
                if file.is_file()
            },
        )
        write_durably(work / SEALED, encode_backup(backup))
        say(f"sending {len(backup.files)} files, {backup.bytes / 2**20:.1f} MiB, to {files.where}")
        _put(files, work, name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return backup


def _put(files: Files, work: Path, name: str) -> None:
    if files.copied:
        files.add(work, name, SEALED)
        shutil.rmtree(files.folder / name)  # what was sent stays there alone
        return
    unfinished = files.folder / f".{name}"
    try:
        shutil.copytree(work, unfinished)
        files.add(unfinished, name, SEALED)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _copy_notes(settings: Settings, work: Path) -> None:
    (work / NOTES_FOLDER).mkdir()
    for note in notes(settings.layout):
        if note.exists():
            shutil.copy(note, work / NOTES_FOLDER)


def _copy_generation(settings: Settings, work: Path) -> tuple[str, str]:
    """(name, "") of what serves, copied; (name, place) where it lies in an object store; two empty texts for none."""
    generations = Generations(settings.layout.generations)
    alias = generations.alias()
    if alias is None or alias.serving == LIVE:
        return "", ""
    if generations.files.copied:
        return alias.serving, generations.where
    shutil.copytree(generations.folder / alias.serving, work / GENERATIONS / alias.serving, copy_function=_linked)
    return alias.serving, ""


def _linked(source: str, target: str) -> None:
    """Files of a generation are never changed: on the same file system a second name will do."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

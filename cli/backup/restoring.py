"""A backup, put into an empty home. Its Kafka is a new one: that is what a backup is for.

Where Kafka is still there, its compacted topics are newer than any backup, and
`vitrine rebuild` is the way. With a new Kafka the stores go on under a new
epoch, `vitrine start` writes the catalogue into `catalogue-records` again, and
the full index is continued from the beginning of a new `index-deltas`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import msgspec

from cli.backup.contents import GENERATIONS, NOTES_FOLDER, STORES, Backup
from cli.runtime.system import System
from generations.files.copies import sealed_pieces
from generations.files.port import Files
from generations.folder import GENERATION, Generations
from messaging.admin import describe
from schemas.access.objects import is_path
from schemas.errors import CorruptError, OperatorError, TransientError
from schemas.full_index.generation import decode_generation
from schemas.settings import Settings
from schemas.topics import PRODUCT_EVENTS

Say = Callable[[str], None]


def restore_backup(settings: Settings, files: Files, backup: Backup, say: Say) -> None:
    """Brings every file, compares it, and then moves all into place, the stores last.

    Raises `OperatorError` where the home is in use or not empty, other partitions are set, or Kafka still has what
    the backup is of; `CorruptError` naming the file that is not as it was written; `OSError`.
    """
    _refuse(settings, backup)
    layout = settings.layout
    work = layout.home / "backup" / ".restored"
    shutil.rmtree(work, ignore_errors=True)
    say(f"reading {len(backup.files)} files, {backup.bytes / 2**20:.1f} MiB, from {files.where}/{backup.name}")
    try:
        for path, expected in backup.files.items():
            if _bring(files, f"{backup.name}/{path}", work / path) != expected.checksum:
                raise CorruptError(
                    f"{files.where}/{backup.name}/{path} does not match its checksum; take another backup"
                )
        if backup.generation and not backup.served_there:
            _place_generation(settings, work / GENERATIONS / backup.generation)
            say(f"{backup.generation} serves")
        for note in sorted((work / NOTES_FOLDER).iterdir()):
            note.rename(layout.home / note.name)
        layout.catalogue_store.parent.mkdir(parents=True, exist_ok=True)
        for store in (layout.feature_store, layout.catalogue_store):
            if (work / STORES / store.name).exists():
                (work / STORES / store.name).rename(store)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refuse(settings: Settings, backup: Backup) -> None:
    layout = settings.layout
    if running := System(settings).running():
        raise OperatorError(f"{', '.join(sorted(running))} of {layout.home} are running; vitrine stop, or another home")
    local = (layout.catalogue_store, layout.feature_store, layout.kafka, layout.shards, layout.log_epoch)
    there = [str(each) for each in local if each.is_file() or (each.is_dir() and any(each.iterdir()))]
    if there:
        raise OperatorError(f"{layout.home} is not empty ({there[0]}); set VITRINE_HOME to a new one, or move it away")
    if settings.store_server is not None:
        raise OperatorError(f"the stores are to lie at {settings.store_server}; a backup is of stores in a home")
    wanted, found = ((each.event_partitions, each.feature_partitions) for each in (backup, settings))
    if wanted != found:
        raise OperatorError(
            f"the backup has {wanted[0]} event and {wanted[1]} feature partitions, the settings {found[0]} and "
            f"{found[1]}: set VITRINE_EVENT_PARTITIONS={wanted[0]} and VITRINE_FEATURE_PARTITIONS={wanted[1]}"
        )
    if settings.kafka_bootstrap:
        _refuse_same_log(settings, backup)


def _refuse_same_log(settings: Settings, backup: Backup) -> None:
    """A Kafka of one's own may have outlived the machine; that of the home is gone with it."""
    try:
        log = describe(settings.kafka, [PRODUCT_EVENTS]).get(PRODUCT_EVENTS)
    except TransientError as error:
        raise OperatorError(
            f"{error.detail}; whether it still has the topics decides how to go on: start it"
        ) from error
    if log is not None and log.topic_id == backup.topic_id:
        raise OperatorError(
            f"{settings.bootstrap} still has the topics that this backup is older than: vitrine rebuild brings both "
            "stores back from there"
        )


def _bring(files: Files, path: str, file: Path) -> str:
    """BLAKE2b-128 of what was brought, hex."""
    if not is_path(path):
        raise CorruptError(f"{files.where}/{path} leads elsewhere; take another backup")
    checksum = blake2b(digest_size=16)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        for piece in sealed_pieces(files, path):
            checksum.update(piece)
            out.write(piece)
    return checksum.hexdigest()


def _place_generation(settings: Settings, folder: Path) -> None:
    """Continued from the oldest record of a new `index-deltas`: what it lacks, a replay heals and a build counts."""
    generations = Generations(settings.layout.generations)
    generation = decode_generation((folder / GENERATION).read_bytes())
    made = generations.folder / f".build-{generation.name}"
    made.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(made)
    begun = msgspec.structs.replace(generation, delta_offsets=[0] * generation.delta_partitions)
    generations.add(made, begun)
    generations.serve(generation.name, "restored")

"""What a backup holds: stores, notes of the home, and the full index that served; each file with its checksum.

<backup>/backup.json                       `Backup`, written last
<backup>/stores/catalogue/, stores/features/    copies of both stores
<backup>/notes/<file>                      small files of the home, `NOTES`
<backup>/generations/<name>/               the full index that served, where it lay in a folder
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import msgspec

from generations.files.folder import FolderFiles
from generations.files.port import Files
from generations.files.store import StoreFiles
from schemas.access.objects import CopiedPlace, object_place
from schemas.checked_json import unwrap, wrap
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.manifest import ShardFile
from schemas.layout import Layout

FORMAT = 1
SEALED = "backup.json"
STORES, NOTES_FOLDER, GENERATIONS = "stores", "notes", "generations"

_NAME = re.compile(r"b\d{8}T\d{6}Z")


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """`topic_id`: of the product-events whose state the stores are. `generation`: that served, empty for none;
    `served_there`: in this object store, else it is in the backup. `files`: by path in the backup."""

    format: int = FORMAT
    name: str
    made_ms: int
    event_partitions: int
    feature_partitions: int
    topic_id: str
    generation: str = ""
    served_there: str = ""
    files: dict[str, ShardFile]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files.values())


def new_name() -> str:
    """By the second (UTC), so that names sort by age."""
    return time.strftime("b%Y%m%dT%H%M%SZ", time.gmtime())


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise OperatorError(f"{name!r} is no backup's name; vitrine restore PLACE --list lists them")
    return name


def files_at(text: str, layout: Layout) -> Files:
    """Where backups lie: a folder, or s3://bucket/prefix. Raises `OperatorError`."""
    place = object_place(text, "the place of backups")
    if place is None:
        return FolderFiles(Path(text).expanduser().resolve())
    return StoreFiles(CopiedPlace(place, layout.home / "backup"))


def notes(layout: Layout) -> list[Path]:
    """Small files of a home that a system goes on by."""
    return [layout.log_epoch, layout.encoder, layout.home / "vitrine.toml"]


def encode_backup(backup: Backup) -> bytes:
    return wrap("backup", msgspec.json.encode(backup))


def read_backup(files: Files, name: str) -> Backup:
    """Raises `OperatorError` where there is none, `CorruptError` where its manifest was altered."""
    try:
        data = files.read(f"{check_name(name)}/{SEALED}")
    except FileNotFoundError as error:
        raise OperatorError(f"no backup {name} in {files.where}; vitrine restore PLACE --list lists them") from error
    try:
        found = msgspec.json.decode(unwrap("backup", data), type=Backup)
    except msgspec.MsgspecError as error:
        raise CorruptError(f"{files.where}/{name}/{SEALED} does not decode: {error}; take another backup") from error
    if found.format != FORMAT:
        raise CorruptError(f"{files.where}/{name} has format {found.format}; this version reads {FORMAT}: upgrade it")
    return found

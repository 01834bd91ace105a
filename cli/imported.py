"""Which catalogues are in the log already, so that a second `vitrine run` need not send them again."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import msgspec

from cli.importers.sources import catalogue_file
from schemas.access.kafka import Kafka


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`fingerprint`: of names, sizes and times, not of bytes: a changed file has another one."""

    path: str
    fingerprint: str
    bootstrap: str


def remember_import(imports: Path, kafka: Kafka, path: Path) -> None:
    """Notes in the folder `imports` that the log of that Kafka holds the catalogue as it is now."""
    file = _file(imports, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(_record(kafka, path)))
    draft.replace(file)


def is_imported(imports: Path, kafka: Kafka, path: Path) -> bool:
    """Whether this very catalogue was imported into this log. When in doubt: no, since again is harmless."""
    try:
        known = msgspec.json.decode(_file(imports, path).read_bytes(), type=ImportRecord)
    except (FileNotFoundError, msgspec.MsgspecError):
        return False
    return known == _record(kafka, path)


def _record(kafka: Kafka, path: Path) -> ImportRecord:
    return ImportRecord(path=str(path), fingerprint=_fingerprint(path), bootstrap=str(kafka))


def _file(imports: Path, path: Path) -> Path:
    return imports / f"{blake2b(str(path).encode(), digest_size=8).hexdigest()}.imported.json"


def _fingerprint(path: Path) -> str:
    source = catalogue_file(path)
    files = sorted(file for file in source.rglob("*") if file.is_file()) if source.is_dir() else [source]
    digest = blake2b(digest_size=16)
    for file in files:
        state = file.stat()
        digest.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()

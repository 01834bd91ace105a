"""Shards of full indexes that lie elsewhere, on this machine's disk: brought once, file by file with its checksum."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from disk.locks import locked
from generations.files.port import Files
from schemas.errors import CorruptError
from schemas.full_index.manifest import MANIFEST, decode_manifest


def copied_shard(files: Files, part: str, sealed: str) -> Path:
    """The folder on this machine of the shard `part` (`<generation>/shard-<s>`), brought where it is not here yet.

    `sealed`: checksum of its manifest. One process of the machine brings it, the others wait. Raises `CorruptError`
    naming the file that is not as it was written, `OSError` where the place is away or the disk is full: then
    nothing of it stays.
    """
    final = files.folder / part
    final.parent.mkdir(parents=True, exist_ok=True)
    with locked(final.parent / f".{final.name}.lock"):
        if not final.is_dir():
            unfinished = final.with_name(f".{final.name}")
            shutil.rmtree(unfinished, ignore_errors=True)
            try:
                _bring(files, part, sealed, unfinished)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            unfinished.rename(final)
    return final


def sealed_pieces(files: Files, path: str) -> Iterator[bytes]:
    """The pieces of a file that a sealed generation has. Raises `CorruptError` when it is missing."""
    try:
        yield from files.pieces(path)
    except FileNotFoundError as error:
        raise CorruptError(f"{files.where}/{path} is missing") from error


def drop_copy(files: Files, part: str) -> bool:
    """Removes it from this machine; False: there was none. Whoever has mapped its files keeps them until it ends."""
    final = files.folder / part
    if not (files.copied and final.is_dir()):
        return False
    shutil.rmtree(final)
    return True


def _bring(files: Files, part: str, sealed: str, folder: Path) -> None:
    """The manifest says which files there are; searchers compare them again when they load them."""
    folder.mkdir()
    if _copy(files, f"{part}/{MANIFEST}", folder / MANIFEST) != sealed:
        raise CorruptError(f"{files.where}/{part}/{MANIFEST} is not the one that the generation was sealed with")
    for name, expected in decode_manifest((folder / MANIFEST).read_bytes()).files.items():
        if _copy(files, f"{part}/{name}", folder / name) != expected.checksum:
            raise CorruptError(f"{files.where}/{part}/{name} does not match its checksum")


def _copy(files: Files, path: str, file: Path) -> str:
    """BLAKE2b-128 of what was copied, hex."""
    checksum = blake2b(digest_size=16)
    with file.open("wb") as out:
        for piece in sealed_pieces(files, path):
            checksum.update(piece)
            out.write(piece)
    return checksum.hexdigest()

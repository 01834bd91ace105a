"""The folder of full indexes: listing, reading, removing generations, and moving the alias.

Builds write here, searchers read; on several machines it is a shared file
system. The alias is a file and not a Kafka record, so that it cannot be seen
before the files that it names, and so that it holds when Kafka is away.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from msgspec.structs import replace

from disk.durable import sync_folder, write_durably
from disk.locks import locked
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import (
    LIVE,
    Alias,
    Generation,
    check_name,
    decode_alias,
    decode_generation,
    encode_alias,
    encode_generation,
)
from schemas.full_index.learned import FOLDER, LearnedPart, checksum_of
from schemas.full_index.manifest import MANIFEST, ShardManifest, decode_manifest

ALIAS = "alias.json"
GENERATION = "generation.json"
LOCK = ".lock"

_PIECE = 1 << 20


def new_name(now: float | None = None) -> str:
    """A generation's name: the moment (UTC) to the microsecond, so that names sort by age, and a random digit."""
    now = time.time() if now is None else now
    micros = int(now * 1_000_000) % 1_000_000
    return f"g{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{micros:05x}{secrets.token_hex(1)[0]}"


class Generations:
    """All methods read the disk anew. Reading is for any process; `move` and `remove` take the folder's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Complete generations, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(f.name for f in self.folder.iterdir() if (f / GENERATION).is_file() and f.name[:1] != ".")

    def read(self, name: str) -> Generation:
        """Raises `OperatorError` when there is none of that name, `CorruptError` when its manifest was altered."""
        file = self.folder / check_name(name) / GENERATION
        try:
            data = file.read_bytes()
        except FileNotFoundError as error:
            raise OperatorError(
                f"no generation {name} in {self.folder}; vitrine alias lists those there are"
            ) from error
        try:
            return decode_generation(data)
        except CorruptError as error:
            raise CorruptError(f"{file}: {error}: build anew, or go back with `vitrine alias --rollback`") from error

    def shard_folder(self, name: str, shard: int) -> Path:
        return self.folder / name / f"shard-{shard}"

    def learned_file(self, name: str, kind: str) -> Path:
        return self.folder / name / FOLDER / kind

    def learned(self, name: str, part: LearnedPart) -> bytes:
        """The file of a part of generation `name`. Raises `CorruptError` naming it unless it is as it was written."""
        file = self.learned_file(name, part.kind)
        try:
            data = file.read_bytes()
        except FileNotFoundError as error:
            raise CorruptError(f"{file} is missing") from error
        if len(data) != part.size or checksum_of(data) != part.checksum:
            raise CorruptError(f"{file} does not match its checksum")
        return data

    def verify(self, name: str, progress: Callable[[int], None] = lambda _: None) -> Generation:
        """Reads every file of the generation and compares all checksums; `progress` gets bytes read.

        Raises `CorruptError` naming the first file that is not as it was written.
        """
        generation = self.read(name)
        for number, shard in enumerate(generation.shards):
            folder = self.shard_folder(name, number)
            if file_checksum(folder / MANIFEST) != shard.manifest:
                raise CorruptError(f"{folder / MANIFEST} is not the one that the generation was sealed with")
            manifest: ShardManifest = decode_manifest((folder / MANIFEST).read_bytes())
            for file, expected in manifest.files.items():
                if file_checksum(folder / file, progress) != expected.checksum:
                    raise CorruptError(f"{folder / file} does not match its checksum")
        for part in generation.learned:
            progress(len(self.learned(name, part)))
        return generation

    # -- the alias -----------------------------------------------------------------------------

    def alias(self) -> Alias | None:
        """Where it stands; None before the first publication. Raises `CorruptError`."""
        try:
            data = (self.folder / ALIAS).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return decode_alias(data)
        except CorruptError as error:
            raise CorruptError(f"{self.folder / ALIAS}: {error}: set it anew with `vitrine alias --to NAME`") from error

    def serving(self) -> Generation | None:
        """The full index that the alias names; None where it names none. Raises `CorruptError`, `OperatorError`."""
        alias = self.alias()
        return None if alias is None or alias.serving == LIVE else self.read(alias.serving)

    def serve(self, name: str, why: str = "publish") -> Alias:
        """Moves the alias to `name`; the one that served comes first among `previous`."""
        return self._move(lambda alias: _serving(alias, name, why))

    def roll_back(self) -> Alias:
        """Moves the alias to the latest of `previous` that is still there. Raises `OperatorError` when none is."""

        def back(alias: Alias | None) -> Alias:
            there = self.names()
            for name in alias.previous if alias is not None else ():
                if name in there:
                    moved = _serving(alias, name, "rollback")
                    # What was left is not what a further rollback should return to first.
                    left = alias.serving if alias is not None else ""
                    rest = [each for each in moved.previous if each != left]
                    return replace(moved, previous=[*rest, left])
            raise OperatorError("there is no earlier generation to go back to; vitrine alias lists those kept")

        return self._move(back)

    def take_back(self, name: str, before: Alias | None) -> Alias:
        """Undoes the move to `name`: what the alias said before, unless it was moved on meanwhile.

        Where there was none it names the index "live", rather than be removed:
        a searcher that has seen an alias takes a missing one for a wrong folder.
        """

        def back(alias: Alias | None) -> Alias:
            if alias is not None and alias.serving != name:
                return alias
            said = before or Alias(version=0, serving=LIVE)
            version = said.version if alias is None else alias.version
            return replace(said, version=version + 1, moved_ms=_now_ms(), why="taken back")

        return self._move(back)

    def hold_beside(self, names: list[str]) -> Alias:
        """Exactly these are held beside the serving one from now on. Raises `OperatorError` before a publication."""

        def beside(alias: Alias | None) -> Alias:
            if alias is None:
                raise OperatorError("nothing is published yet; vitrine build makes and publishes a full index")
            others = [name for name in names if name != alias.serving]
            return replace(alias, version=alias.version + 1, beside=others, moved_ms=_now_ms(), why="beside")

        return self._move(beside)

    def remove_old(self, keep: int) -> list[str]:
        """Removes all but the `keep` newest and those that the alias names as held or could go back to first."""
        with self.lock():
            alias = self.alias()
            held = set() if alias is None else {*alias.held, *alias.previous[:1]}
            doomed = [name for name in self.names()[:-keep] if name not in held]
            for name in doomed:
                # The manifest first: a removal cut short leaves no generation, only a folder that goes next time.
                (self.folder / name / GENERATION).unlink()
                shutil.rmtree(self.folder / name)
            for left in self.folder.iterdir() if self.folder.is_dir() else ():
                if left.is_dir() and left.name[:1] == "g" and not (left / GENERATION).exists():
                    shutil.rmtree(left)
            return doomed

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time changes the folder; the lock goes with the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / LOCK):
            yield

    def _move(self, change: Callable[[Alias | None], Alias]) -> Alias:
        with self.lock():
            try:
                present = self.alias()
            except CorruptError:
                present = None  # this very move is what mends it
            alias = change(present)
            for name in alias.held:
                if name != LIVE:
                    self.read(name)
            write_durably(self.folder / ALIAS, encode_alias(alias))
            return alias


def seal_generation(folder: Path, generation: Generation) -> None:
    """Writes generation.json into `folder`, whole and synced: from then on it is a generation."""
    write_durably(folder / GENERATION, encode_generation(generation))


def write_learned(folder: Path, part: LearnedPart, data: bytes) -> None:
    """The file of a part, durably, into the folder of a generation that is not sealed yet."""
    (folder / FOLDER).mkdir(exist_ok=True)
    write_durably(folder / FOLDER / part.kind, data)
    sync_folder(folder)


def file_checksum(file: Path, progress: Callable[[int], None] = lambda _: None) -> str:
    """BLAKE2b-128 of a file, hex. Raises `CorruptError` when it is missing."""
    checksum = blake2b(digest_size=16)
    try:
        with file.open("rb") as source:
            while piece := source.read(_PIECE):
                checksum.update(piece)
                progress(len(piece))
    except FileNotFoundError as error:
        raise CorruptError(f"{file} is missing") from error
    return checksum.hexdigest()


def _serving(alias: Alias | None, name: str, why: str) -> Alias:
    if alias is None:
        return Alias(version=1, serving=name, moved_ms=_now_ms(), why=why)
    previous = alias.previous
    if alias.serving != name:
        previous = [alias.serving, *(each for each in previous if each not in (name, alias.serving))]
    beside = [each for each in alias.beside if each != name]
    return replace(
        alias, version=alias.version + 1, serving=name, previous=previous, beside=beside, moved_ms=_now_ms(), why=why
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

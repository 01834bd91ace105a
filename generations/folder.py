"""The full indexes of a system: listing, reading, removing generations, and moving the alias.

Builds write here, searchers read. On several machines they lie in a shared
folder or in an object store (`generations/files`); then what a searcher maps
is copied to its own disk. The alias is a file and not a Kafka record, so that
it cannot be seen before the files that it names, and so that it holds when
Kafka is away.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from disk.durable import sync_folder, write_durably
from disk.locks import locked
from generations.alias import holding, moved_meanwhile, rolled_back, serving, taken_back
from generations.files.copies import copied_shard, drop_copy, sealed_pieces
from generations.files.folder import FolderFiles
from generations.files.port import ChangedError, Files
from generations.files.store import StoreFiles
from schemas.access.objects import FullIndexes
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

_TRIES = 5


def new_name(now: float | None = None) -> str:
    """A generation's name: the moment (UTC) to the microsecond, so that names sort by age, and a random digit."""
    now = time.time() if now is None else now
    micros = int(now * 1_000_000) % 1_000_000
    return f"g{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{micros:05x}{secrets.token_hex(1)[0]}"


class Generations:
    """All methods read anew. Reading is for any process; `move` and `remove` take this machine's lock.

    Reading raises an `OSError` where the place is away. `folder`: on this
    machine, see `generations.files.port.Files`; `where`: the place, to be shown.
    """

    def __init__(self, place: FullIndexes) -> None:
        """Raises `OperatorError` for an object store without boto3."""
        self.files: Files = FolderFiles(place) if isinstance(place, Path) else StoreFiles(place)
        self.folder = self.files.folder
        self.where = self.files.where

    def names(self) -> list[str]:
        """Complete generations, oldest first."""
        return self.files.names(GENERATION)

    def read(self, name: str) -> Generation:
        """Raises `OperatorError` when there is none of that name, `CorruptError` when its manifest was altered."""
        file = f"{check_name(name)}/{GENERATION}"
        try:
            data = self.files.read(file)
        except FileNotFoundError as error:
            raise OperatorError(f"no generation {name} in {self.where}; vitrine alias lists those there are") from error
        try:
            return decode_generation(data)
        except CorruptError as error:
            raise CorruptError(
                f"{self.where}/{file}: {error}: build anew, or go back with `vitrine alias --rollback`"
            ) from error

    def shard_folder(self, name: str, shard: int) -> Path:
        """Where the shard's files lie on this machine.

        Out of an object store they are brought here first, each compared with
        its checksum: raises `CorruptError`, `OSError` and what `read` does.
        """
        folder = self.folder / name / f"shard-{shard}"
        if not self.files.copied or folder.is_dir():
            return folder
        return copied_shard(self.files, f"{name}/shard-{shard}", self.read(name).shards[shard].manifest)

    def drop_copy(self, name: str, shard: int) -> bool:
        """Removes this machine's copy of a shard that lies in an object store; False: there is none."""
        return drop_copy(self.files, f"{name}/shard-{shard}")

    def learned(self, name: str, part: LearnedPart) -> bytes:
        """The file of a part of generation `name`. Raises `CorruptError` naming it unless it is as it was written."""
        file = f"{name}/{FOLDER}/{part.kind}"
        data = b"".join(sealed_pieces(self.files, file))
        if len(data) != part.size or checksum_of(data) != part.checksum:
            raise CorruptError(f"{self.where}/{file} does not match its checksum")
        return data

    def verify(self, name: str, progress: Callable[[int], None] = lambda _: None) -> Generation:
        """Reads every file of the generation where it lies and compares all checksums; `progress` gets bytes read.

        Raises `CorruptError` naming the first file that is not as it was written.
        """
        generation = self.read(name)
        for number, shard in enumerate(generation.shards):
            folder = f"{name}/shard-{number}"
            if _checksum(self.files, f"{folder}/{MANIFEST}") != shard.manifest:
                raise CorruptError(
                    f"{self.where}/{folder}/{MANIFEST} is not the one that the generation was sealed with"
                )
            manifest: ShardManifest = decode_manifest(self.files.read(f"{folder}/{MANIFEST}"))
            for file, expected in manifest.files.items():
                if _checksum(self.files, f"{folder}/{file}", progress) != expected.checksum:
                    raise CorruptError(f"{self.where}/{folder}/{file} does not match its checksum")
        for part in generation.learned:
            progress(len(self.learned(name, part)))
        return generation

    # -- the alias -----------------------------------------------------------------------------

    def alias(self) -> Alias | None:
        """Where it stands; None before the first publication. Raises `CorruptError`."""
        return self._alias()[0]

    def serving(self) -> Generation | None:
        """The full index that the alias names; None where it names none. Raises `CorruptError`, `OperatorError`."""
        alias = self.alias()
        return None if alias is None or alias.serving == LIVE else self.read(alias.serving)

    def serve(self, name: str, why: str = "publish", seen: int | None = None) -> Alias:
        """Moves the alias to `name`; the one that served comes first among `previous`.

        `seen`: the alias's version when this began to be worked out (0: there
        was none); raises `OperatorError` where it was moved since.
        """
        return self._move(lambda alias: serving(alias, name, why, self.where, seen))

    def roll_back(self) -> Alias:
        """Moves the alias to the latest of `previous` that is still there. Raises `OperatorError` when none is."""
        return self._move(lambda alias: rolled_back(alias, self.names()))

    def take_back(self, name: str, before: Alias | None) -> Alias:
        """Undoes the move to `name`, see `generations.alias.taken_back`."""
        return self._move(lambda alias: taken_back(alias, name, before), tries=_TRIES)

    def hold_beside(self, names: list[str]) -> Alias:
        """Exactly these are held beside the serving one from now on. Raises `OperatorError` before a publication."""
        return self._move(lambda alias: holding(alias, names))

    def add(self, made: Path, generation: Generation) -> None:
        """Seals the folder `made`, which lies in `folder`, and makes it a generation, durably and at once."""
        seal_generation(made, generation)
        self.files.add(made, generation.name, GENERATION)

    def remove_old(self, keep: int) -> list[str]:
        """Removes all but the `keep` newest and those that the alias names as held or could go back to first."""
        with self.lock():
            alias = self.alias()
            held = set() if alias is None else {*alias.held, *alias.previous[:1]}
            doomed = [name for name in self.names()[:-keep] if name not in held]
            for name in doomed:
                self.files.remove(name, GENERATION)
            self.files.sweep(GENERATION)
            return doomed

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process of a machine at a time changes them; the lock goes with the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / LOCK):
            yield

    def _alias(self) -> tuple[Alias | None, str | None]:
        """With its tag, see `Files.replace`."""
        try:
            data, tag = self.files.tagged(ALIAS)
        except FileNotFoundError:
            return None, None
        try:
            return decode_alias(data), tag
        except CorruptError as error:
            raise _UnreadableError(
                f"{self.where}/{ALIAS}: {error}: set it anew with `vitrine alias --to NAME`", tag
            ) from error

    def _move(self, change: Callable[[Alias | None], Alias], tries: int = 1) -> Alias:
        """Another machine may move it between being read and being written: so often it is tried, then refused."""
        with self.lock():
            while True:
                tries -= 1
                try:
                    present, tag = self._alias()
                except _UnreadableError as error:
                    present, tag = None, error.tag  # this very move is what mends it
                alias = change(present)
                for name in alias.held:
                    if name != LIVE:
                        self.read(name)
                try:
                    self.files.replace(ALIAS, encode_alias(alias), tag)
                    return alias
                except ChangedError as error:
                    if tries <= 0:
                        raise moved_meanwhile(self.where) from error


class _UnreadableError(CorruptError):
    """The alias; `tag`: of what is there in its place."""

    def __init__(self, text: str, tag: str) -> None:
        super().__init__(text)
        self.tag = tag


def seal_generation(folder: Path, generation: Generation) -> None:
    """Writes generation.json into `folder`, whole and synced: from then on it is a generation."""
    write_durably(folder / GENERATION, encode_generation(generation))


def write_learned(folder: Path, part: LearnedPart, data: bytes) -> None:
    """The file of a part, durably, into the folder of a generation that is not sealed yet."""
    (folder / FOLDER).mkdir(exist_ok=True)
    write_durably(folder / FOLDER / part.kind, data)
    sync_folder(folder)


def file_checksum(file: Path) -> str:
    """BLAKE2b-128 of a file, hex. Raises `CorruptError` when it is missing."""
    return _checksum(FolderFiles(file.parent), file.name)


def _checksum(files: Files, path: str, progress: Callable[[int], None] = lambda _: None) -> str:
    checksum = blake2b(digest_size=16)
    for piece in sealed_pieces(files, path):
        checksum.update(piece)
        progress(len(piece))
    return checksum.hexdigest()

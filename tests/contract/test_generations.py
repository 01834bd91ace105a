"""What every place of full indexes promises, held against each: a folder, and an object store."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from generations.files import store as store_files
from generations.files.port import ChangedError
from generations.folder import ALIAS, GENERATION, Generations
from indexing.snapshot.snapshot import load_files
from objects.place import Objects
from schemas.access.objects import CopiedPlace, FullIndexes, ObjectPlace
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import LIVE
from tests.support.objects.made import added
from tests.support.objects.server import ObjectStore, used

_numbers = count()


class Place:
    """One place of full indexes, seen from as many machines as are asked for."""

    def __init__(self, folder: Path, store: ObjectStore | None) -> None:
        self._folder = folder
        self._number = next(_numbers)
        self._machines = count()
        self._bucket = None if store is None else store.bucket("indexes")
        self.in_store = store is not None

    def machine(self) -> Generations:
        """Of an object store each machine has copies of its own."""
        place: FullIndexes = self._folder / "shared"
        if self._bucket is not None:
            copies = self._folder / f"machine-{next(self._machines)}"
            place = CopiedPlace(ObjectPlace(self._bucket, f"of/{self._number}"), copies)
        return Generations(place)


@pytest.fixture(params=["folder", "object store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, None if request.param == "folder" else request.getfixturevalue("object_store"))


@pytest.fixture
def here(place: Place) -> Generations:
    return place.machine()


@pytest.fixture
def four(here: Generations) -> list[str]:
    """Names of four generations, oldest first."""
    return [added(here, 1_800_000_000 + number) for number in range(4)]


def test_what_was_added_is_read_on_another_machine(place: Place, here: Generations, four: list[str]) -> None:
    other = place.machine()
    assert other.names() == four
    generation = other.read(four[0])
    assert other.verify(four[0]) == generation
    shard, manifest = load_files(other.shard_folder(four[0], 0))
    assert (shard.stats().digest.hex(), manifest.searchable) == (generation.shards[0].digest, 1)
    assert other.shard_folder(four[0], 0) == other.shard_folder(four[0], 0)


def test_place_where_nothing_is_has_no_generations_and_no_alias(here: Generations) -> None:
    assert (here.names(), here.alias(), here.serving()) == ([], None, None)
    with pytest.raises(OperatorError, match="vitrine alias lists"):
        here.read("g20260101T000000-000000")


def test_alias_moves_on_and_back_for_every_machine(place: Place, here: Generations, four: list[str]) -> None:
    other = place.machine()
    for name in four[:3]:
        here.serve(name)
    alias = other.alias()
    assert alias is not None
    assert (alias.version, alias.serving, alias.previous) == (3, four[2], [four[1], four[0]])
    assert other.roll_back().serving == four[1]
    assert here.hold_beside([four[3]]).held == [four[1], four[3]]
    assert other.serving() == here.read(four[1])


def test_first_publication_taken_back_leaves_the_index_that_grew(here: Generations, four: list[str]) -> None:
    here.serve(four[0])
    assert here.take_back(four[0], None).serving == LIVE


def test_of_two_publications_at_once_one_wins_and_the_other_is_told(
    place: Place, here: Generations, four: list[str]
) -> None:
    """Both were worked out by the alias as it was before either."""
    other = place.machine()
    seen = here.serve(four[0]).version
    here.serve(four[1], seen=seen)
    with pytest.raises(OperatorError, match=r"moved by somebody else.*vitrine alias shows"):
        other.serve(four[2], seen=seen)
    alias = other.alias()
    assert alias is not None
    assert (alias.serving, alias.version) == (four[1], seen + 1)


@pytest.mark.parametrize("first", [True, False])
def test_file_is_replaced_only_over_what_was_read(place: Place, first: bool) -> None:
    one, two = place.machine().files, place.machine().files
    one.folder.mkdir(exist_ok=True)
    tag = None
    if not first:
        one.write(ALIAS, b"before")
        tag = one.tagged(ALIAS)[1]
        assert two.tagged(ALIAS) == (b"before", tag)
    one.replace(ALIAS, b"one", tag)
    with pytest.raises(ChangedError):
        two.replace(ALIAS, b"two", tag)
    assert two.read(ALIAS) == b"one"


def test_write_that_is_sent_again_since_its_answer_was_lost_is_no_conflict(
    tmp_path: Path, object_store: ObjectStore
) -> None:
    files = Place(tmp_path, object_store).machine().files
    files.replace(ALIAS, b"one", None)
    files.replace(ALIAS, b"one", None)
    tag = files.tagged(ALIAS)[1]
    files.replace(ALIAS, b"two", tag)
    files.replace(ALIAS, b"two", tag)
    with pytest.raises(ChangedError):
        files.replace("removed.json", b"one", tag)


def test_machines_that_publish_at_once_end_with_one_alias(tmp_path: Path) -> None:
    """Of a folder alone: the server of these tests compares and writes in two steps, and lets two pass at once."""
    place = Place(tmp_path, None)
    here = place.machine()
    four = [added(here, 1_800_000_000 + number) for number in range(4)]
    seen = here.serve(four[0]).version
    machines = [place.machine() for _ in four[1:]]

    def publish(machine: Generations, name: str) -> str:
        try:
            return machine.serve(name, seen=seen).serving
        except OperatorError:
            return ""

    with ThreadPoolExecutor(3) as threads:
        won = [name for name in threads.map(publish, machines, four[1:]) if name]
    alias = here.alias()
    assert alias is not None
    assert (won, alias.version) == ([alias.serving], seen + 1)


def test_old_generations_go_but_never_one_that_is_held_or_gone_back_to(
    place: Place, here: Generations, four: list[str]
) -> None:
    other = place.machine()
    copy = other.shard_folder(four[2], 0)
    assert copy.is_dir()
    here.serve(four[0])
    here.serve(four[1])
    assert other.remove_old(1) == [four[2]]
    assert not copy.exists()  # the copies of what is gone go as well
    assert here.names() == [four[0], four[1], four[3]]
    with pytest.raises(OperatorError, match="no generation"):
        here.read(four[2])


def test_removed_while_it_is_loaded_is_an_error_that_names_the_file(here: Generations, four: list[str]) -> None:
    generation = here.read(four[3])
    here.serve(four[0])
    here.remove_old(1)
    here.files.remove(four[3], GENERATION)
    with pytest.raises((CorruptError, OperatorError), match=generation.name):
        here.verify(generation.name)


@pytest.mark.parametrize("file", ["rows.bin", "texts.bin", "lists.bin", "manifest.json"])
def test_altered_byte_in_any_file_is_found_and_named(
    place: Place, here: Generations, four: list[str], file: str
) -> None:
    path = f"{four[0]}/shard-0/{file}"
    data = bytearray(here.files.read(path))
    data[len(data) // 2] ^= 1
    here.files.write(path, bytes(data))
    with pytest.raises(CorruptError, match=file):
        here.verify(four[0])
    other = place.machine()
    with pytest.raises(CorruptError, match=file):
        load_files(other.shard_folder(four[0], 0))
    assert place.in_store is not (other.folder / four[0] / "shard-0").exists()


def test_unreadable_alias_is_set_anew_by_the_next_move(here: Generations, four: list[str]) -> None:
    here.serve(four[0])
    here.files.write(ALIAS, b"{}")
    with pytest.raises(CorruptError, match="set it anew with `vitrine alias --to NAME`"):
        here.alias()
    assert here.serve(four[1]).serving == four[1]


def test_folder_copied_into_a_store_is_the_same_there(tmp_path: Path, object_store: ObjectStore) -> None:
    folder = Generations(tmp_path / "folder")
    name = added(folder, 1_800_000_000)
    alias = folder.serve(name)
    there = Place(tmp_path, object_store).machine()
    for file in folder.folder.rglob("*"):
        if file.is_file() and file.name[:1] != ".":
            there.files.write(str(file.relative_to(folder.folder)), file.read_bytes())
    assert (there.alias(), there.verify(name)) == (alias, folder.read(name))


# -- an object store that dies ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    store = ObjectStore(tmp_path_factory.mktemp("mortal"))
    yield store
    store.kill()


@pytest.fixture
def dying(mortal: ObjectStore, object_store: ObjectStore, tmp_path: Path) -> Iterator[Place]:
    """In a store of its own, which tests kill; in the end it is started again."""
    used(mortal)
    yield Place(tmp_path, mortal)
    used(object_store)


def test_store_that_dies_in_an_upload_leaves_no_generation_and_what_is_left_is_swept(
    dying: Place, mortal: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = dying.machine()
    whole = added(here, 1_800_000_000)
    upload, sent = Objects.upload, count(1)

    def upload_until_it_dies(objects: Objects, path: str, file: Path) -> None:
        if next(sent) == 3:
            mortal.kill()
        upload(objects, path, file)

    with monkeypatch.context() as patched:
        patched.setattr(Objects, "upload", upload_until_it_dies)
        with pytest.raises(OSError, match="objects_unreachable"):
            added(here, 1_800_000_001)
    mortal.start()
    left = {each.name for each in (mortal.folder / "indexes" / "of").glob("*/g*")} - {whole}
    assert len(left) == 1
    assert here.names() == [whole]
    here.remove_old(3)
    assert here.names() == [whole]  # another machine may be about to send it
    monkeypatch.setattr(store_files, "LEFT_S", -60.0)
    here.remove_old(3)
    assert not here.files._objects.list(left.pop())  # type: ignore[attr-defined]


def test_store_that_dies_in_a_download_leaves_nothing_half_and_the_next_try_is_whole(
    dying: Place, mortal: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = added(dying.machine(), 1_800_000_000)
    other = dying.machine()
    pieces, asked = Objects.pieces, count(1)

    def pieces_until_it_dies(objects: Objects, path: str) -> Iterator[bytes]:
        if next(asked) == 3:
            mortal.kill()
        return pieces(objects, path)

    with monkeypatch.context() as patched:
        patched.setattr(Objects, "pieces", pieces_until_it_dies)
        with pytest.raises(OSError, match="objects_unreachable"):
            other.shard_folder(name, 0)
    assert not list((other.folder / name).glob("*shard-0"))
    mortal.start()
    load_files(other.shard_folder(name, 0))

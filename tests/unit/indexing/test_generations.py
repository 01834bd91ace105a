"""The folder of full indexes: names, the alias and its moves, what is kept, what an altered byte is answered with."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from generations.folder import ALIAS, Generations, file_checksum, new_name, seal_generation
from indexing.build.builder import ShardBuilder
from schemas.deltas.delta import DeltaBatch
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import LIVE, Generation, GenerationShard, check_name, decode_alias, decode_generation
from schemas.ids import image_id

EXTRACTOR, DIMENSION = "test-00000000-p1-4", 4


def make(folder: Path, moment: float) -> str:
    """A sealed generation of one shard with one image, made at that Unix time."""
    generations, name = Generations(folder), new_name(moment)
    shard = generations.shard_folder(name, 0)
    batch = DeltaBatch(extractor_id=EXTRACTOR)
    batch.add(image_id("p", "u"), "p", state_seq=1, valid=True, image_seq=1, url="u", vector_seq=1, vector=bytes(16))
    with ShardBuilder(shard, EXTRACTOR, DIMENSION) as builder:
        builder.add(batch)
        manifest = builder.seal({0: 7}, name)
    sealed = GenerationShard(
        manifest=file_checksum(shard / "manifest.json"),
        bytes=sum(file.size for file in manifest.files.values()),
        images=1,
        valid=1,
        searchable=1,
        digest=manifest.digest,
        kind=manifest.kind,
        lists=manifest.lists,
        nprobe=manifest.nprobe,
        recall=1.0,
    )
    generation = Generation(
        name=name,
        created_ms=int(moment * 1000),
        extractor_id=EXTRACTOR,
        encoder="test",
        weights="",
        dimension=DIMENSION,
        delta_partitions=1,
        delta_offsets=[7],
        shards=[sealed],
        catalogue_valid=1,
        catalogue_digests=[manifest.digest],
    )
    seal_generation(folder / name, generation)
    return name


@pytest.fixture
def four(tmp_path: Path) -> list[str]:
    """Names of four generations in `tmp_path`, oldest first."""
    return [make(tmp_path, 1_800_000_000 + number / 3) for number in range(4)]


def test_names_sort_by_the_moment_also_within_a_second(tmp_path: Path, four: list[str]) -> None:
    assert sorted(four) == four == Generations(tmp_path).names()
    assert [check_name(name) for name in four] == four


def test_folder_without_its_manifest_is_no_generation(tmp_path: Path, four: list[str]) -> None:
    (tmp_path / four[3] / "generation.json").unlink()
    generations = Generations(tmp_path)
    assert generations.names() == four[:3]
    with pytest.raises(OperatorError, match="vitrine alias lists"):
        generations.serve(four[3])
    assert generations.alias() is None


@pytest.mark.parametrize("name", ["", "..", "../elsewhere", "g20270115T080000-00000", "live/.."])
def test_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorError, match="no generation's name"):
        Generations(tmp_path).read(name)


def test_alias_moves_on_and_back_and_remembers_the_way(tmp_path: Path, four: list[str]) -> None:
    generations = Generations(tmp_path)
    for name in four[:3]:
        generations.serve(name)
    alias = generations.alias()
    assert alias is not None
    assert (alias.version, alias.serving, alias.previous) == (3, four[2], [four[1], four[0]])
    assert generations.roll_back().serving == four[1]
    # A second step back goes further back, and not to what was just left.
    assert generations.roll_back().serving == four[0]
    assert generations.roll_back().serving == four[2]


def test_rollback_with_nothing_before_says_so_and_moves_nothing(tmp_path: Path, four: list[str]) -> None:
    generations = Generations(tmp_path)
    generations.serve(four[0])
    with pytest.raises(OperatorError, match="no earlier generation"):
        generations.roll_back()
    alias = generations.alias()
    assert alias is not None and alias.serving == four[0]


def test_first_publication_taken_back_leaves_the_index_that_grew(tmp_path: Path, four: list[str]) -> None:
    generations = Generations(tmp_path)
    generations.serve(four[0])
    alias = generations.take_back(four[0], None)
    assert (alias.serving, generations.serving()) == (LIVE, None)


def test_take_back_leaves_a_later_move_alone(tmp_path: Path, four: list[str]) -> None:
    generations = Generations(tmp_path)
    before = generations.serve(four[0])
    generations.serve(four[1])
    generations.serve(four[2])
    assert generations.take_back(four[1], before).serving == four[2]


def test_generation_that_begins_to_serve_is_no_longer_held_beside(tmp_path: Path, four: list[str]) -> None:
    generations = Generations(tmp_path)
    generations.serve(four[0])
    assert generations.hold_beside([four[1], four[2], four[0]]).held == [four[0], four[1], four[2]]
    assert generations.serve(four[1]).beside == [four[2]]


def test_old_generations_go_but_never_one_that_is_held_or_gone_back_to(tmp_path: Path, four: list[str]) -> None:
    generations = Generations(tmp_path)
    generations.serve(four[0])
    generations.serve(four[1])
    assert generations.remove_old(1) == [four[2]]
    generations.hold_beside([four[3]])
    generations.serve(four[3])
    assert generations.remove_old(1) == [four[0]]
    assert generations.names() == [four[1], four[3]]


@pytest.mark.parametrize("file", ["rows.bin", "texts.bin", "lists.bin", "manifest.json"])
def test_altered_byte_in_any_file_is_found_and_named(tmp_path: Path, four: list[str], file: str) -> None:
    path = Generations(tmp_path).shard_folder(four[0], 0) / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=file):
        Generations(tmp_path).verify(four[0])


@pytest.mark.parametrize("decode", [decode_alias, decode_generation])
def test_any_altered_byte_of_a_manifest_or_an_alias_is_refused(
    tmp_path: Path, four: list[str], decode: Callable[[bytes], object]
) -> None:
    Generations(tmp_path).serve(four[0])
    file = tmp_path / ALIAS if decode is decode_alias else tmp_path / four[0] / "generation.json"
    whole = file.read_bytes()
    read = decode(whole)
    for place in range(0, len(whole), 7):
        data = bytearray(whole)
        data[place] ^= 4
        with pytest.raises(CorruptError):
            assert decode(bytes(data)) == read  # never reached with something else
            raise CorruptError("equal although altered: white space, say")
    for end in range(0, len(whole), 11):
        with pytest.raises(CorruptError):
            decode(whole[:end])


def test_alias_that_was_altered_is_mended_by_the_next_move(tmp_path: Path, four: list[str]) -> None:
    generations = Generations(tmp_path)
    generations.serve(four[0])
    (tmp_path / ALIAS).write_bytes(b"{}")
    with pytest.raises(CorruptError, match="vitrine alias --to"):
        generations.alias()
    assert generations.serve(four[1]).serving == four[1]
    assert generations.alias() is not None


def _move_often(folder: Path, names: list[str]) -> None:
    for name in names * 25:
        Generations(folder).serve(name)


def test_readers_see_whole_aliases_and_no_move_is_lost_while_two_processes_move_it(
    tmp_path: Path, four: list[str]
) -> None:
    generations = Generations(tmp_path)
    generations.serve(four[0])
    context = multiprocessing.get_context("fork")
    movers = [context.Process(target=_move_often, args=(tmp_path, four[part : part + 2])) for part in (0, 2)]
    for mover in movers:
        mover.start()
    versions = []
    while any(mover.is_alive() for mover in movers):
        alias = generations.alias()
        assert alias is not None and alias.serving in four
        versions.append(alias.version)
    for mover in movers:
        mover.join()
        assert mover.exitcode == 0
    assert versions == sorted(versions)
    last = generations.alias()
    assert last is not None and last.version == 1 + 2 * 50

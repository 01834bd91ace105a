"""A shard on disk: checksummed files that load without conversion, replaced atomically.

    folder/CURRENT                    name of the complete snapshot
    folder/<name>/manifest.json       schemas.full_index.manifest: counts, digest, delta offset, checksums
                  rows.bin            records of forward.ROW_DTYPE
                  validity.bin        one bit a row
                  texts.bin           chunks of the text buffer, one behind the other
                  lists.bin           per list its codes, then its row numbers, free space included
                  centroids.bin       float32, only when trained
                  codes.bin           laid out as lists.bin, and codec.bin its parameters, only of coded kinds
                  layout.json         sizes and capacities of lists, sizes of chunks, names by code

`write_files` and `load_files` know nothing of a live shard: the full index
writes the same files from arrays of its own.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from disk.durable import sync_folder
from indexing.lists.codec import codec_of
from indexing.lists.inverted_lists import InvertedLists
from indexing.lists.kinds import IndexKind
from indexing.lists.reranked import CodedLists, Lists, codes_over
from indexing.lists.view import Block, Part
from indexing.look.looks import Look
from indexing.rows.digest import digest_bytes, sum_digests
from indexing.rows.forward import ForwardIndex
from indexing.rows.usable import SUPERSEDED, searchable_rows, valid_rows
from indexing.shard.contents import ShardContents, VectorRows
from indexing.shard.shard import Shard
from indexing.snapshot.reading import (
    checked,
    map_blocks,
    map_texts,
    read_array,
    read_blocks,
    read_entries,
    read_rows,
    read_texts,
)
from schemas.errors import CorruptError
from schemas.full_index.manifest import FORMAT, MANIFEST, ShardFile, ShardManifest, decode_manifest, encode_manifest

_log = logging.getLogger(__name__)

_WRITTEN_ROWS = 1 << 12

CURRENT = "CURRENT"
_HINT = "remove the folder, and the shard is rebuilt from the full index or from index-deltas"


Complete: TypeAlias = Callable[[Sequence[memoryview], Iterable[Part]], None]
"""Finishes rows in place from (texts by chunk; vectors and row numbers by list), as their files have them."""


class _Layout(msgspec.Struct, kw_only=True):
    sizes: list[int]
    capacities: list[int]
    chunks: list[int]
    categories: list[str]
    brands: list[str]
    refusals: dict[str, int] = {}


def save(shard: Shard, folder: Path, delta_offsets: Mapping[int, int]) -> ShardManifest:
    """Writes a snapshot and makes it the current one; the one before stays valid until then.

    `delta_offsets`: next offset to apply, by partition of `index-deltas`. From the writer
    thread this takes as long as writing the files does; to hold the writer up
    for the copy of the rows alone, call `shard.contents()` there and `publish`
    with it in another thread (one at a time).
    """
    shard.scrub()
    return publish(shard.contents(), folder, delta_offsets)


def publish(
    contents: ShardContents, folder: Path, delta_offsets: Mapping[int, int], *, generation: str = ""
) -> ShardManifest:
    """Writes the files below `folder`, moves CURRENT to them, removes what was there before."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{sum(delta_offsets.values()):020d}-{time.time_ns():x}"
    unfinished = folder / f".{name}"
    manifest = write_files(contents, unfinished, delta_offsets, generation=generation)
    unfinished.rename(folder / name)
    _write_synced(folder / f".{CURRENT}", [name.encode()])
    (folder / f".{CURRENT}").rename(folder / CURRENT)
    sync_folder(folder)
    for other in folder.iterdir():
        if other.is_dir() and other.name != name:
            shutil.rmtree(other)
    _log.info(
        "snapshot folder=%s rows=%d delta_offsets=%s seconds=%.2f",
        folder / name,
        manifest.rows,
        dict(delta_offsets),
        time.monotonic() - started,
    )
    return manifest


def exists(folder: Path) -> bool:
    """Whether a snapshot was ever completed in `folder`."""
    return (folder / CURRENT).exists()


def restore(folder: Path, look: Look | None = None) -> tuple[Shard, ShardManifest]:
    """The current snapshot as a shard, and its manifest; `look` as for `load_files`.

    Raises `FileNotFoundError` when there is none, `CorruptError` naming the
    file when its bytes are not those that were written.
    """
    name = (folder / CURRENT).read_text().strip()
    if not name or "/" in name:
        raise CorruptError(f"{folder / CURRENT} names no snapshot: {_HINT}")
    try:
        return load_files(folder / name, look)
    except CorruptError as error:
        raise CorruptError(f"{error}: {_HINT}") from error


def write_files(
    contents: ShardContents,
    folder: Path,
    delta_offsets: Mapping[int, int],
    *,
    generation: str = "",
    headroom: float = 0.25,
    complete: Complete | None = None,
) -> ShardManifest:
    """Writes a shard's files into the new folder `folder`, the manifest last, all of it synced.

    headroom: free space of each list, as a part of its entries. complete: for
    rows that are not finished, called when all other files are there.
    """
    folder.mkdir(parents=True)
    files: dict[str, ShardFile] = {}
    sizes = [len(ids) for _, ids in contents.lists]
    # Even, so that the row numbers behind the codes lie at a multiple of 8 bytes.
    capacities = [(int(size * (1 + headroom)) + 2) & ~1 for size in sizes]
    layout = _Layout(
        sizes=sizes,
        capacities=capacities,
        chunks=[len(chunk) for chunk in contents.texts],
        categories=contents.categories,
        brands=contents.brands,
        refusals={image.hex(): number for image, number in contents.refusals.items()},
    )
    parts: dict[str, Iterable[Any]] = {
        "lists.bin": _list_bytes(contents.lists, contents.dimension, capacities),
        "texts.bin": contents.texts,
        "validity.bin": [contents.validity],
        "layout.json": [msgspec.json.encode(layout)],
    }
    if contents.centroids is not None:
        parts["centroids.bin"] = [np.ascontiguousarray(contents.centroids)]
    if contents.codec is not None:
        parts["codes.bin"] = _list_bytes(contents.codes, contents.codec.width, capacities)
        parts["codec.bin"] = [np.ascontiguousarray(contents.codec.parameters)]
    # What is written reaches the disk while the next file, or the rows' digests, are still computed.
    with ThreadPoolExecutor(1, "sync") as syncing:
        synced = []
        for name, pieces in parts.items():
            files[name] = _write(folder / name, pieces)
            synced.append(syncing.submit(_sync, folder / name))
        if complete is not None:
            complete(
                map_texts(folder / "texts.bin", layout.chunks),
                read_entries(folder / "lists.bin", contents.dimension, sizes, capacities),
            )
        files["rows.bin"] = _write(folder / "rows.bin", [contents.rows.view(np.uint8)])
        synced.append(syncing.submit(_sync, folder / "rows.bin"))
        for each in synced:
            each.result()
    flags, valid, usable = contents.rows["flags"], valid_rows(contents.rows), searchable_rows(contents.rows)
    manifest = ShardManifest(
        format=FORMAT,
        extractor_id=contents.extractor_id,
        dimension=contents.dimension,
        kind=contents.kind.value,
        rows=len(contents.rows),
        images=int((flags & SUPERSEDED == 0).sum()),
        valid=int(valid.sum()),
        searchable=int(usable.sum()),
        digest=digest_bytes(sum_digests(contents.rows["digest"][valid])).hex(),
        lists=len(sizes),
        nprobe=contents.nprobe,
        delta_offset=next(iter(delta_offsets.values())) if len(delta_offsets) == 1 else -1,
        delta_offsets=dict(delta_offsets),
        watermark_ms=contents.watermark_ms,
        progress=contents.progress,
        files=files,
        training=contents.training,
        generation=generation,
        created_ms=time.time_ns() // 1_000_000,
    )
    write_manifest(manifest, folder)
    return manifest


def write_manifest(manifest: ShardManifest, folder: Path) -> None:
    """Writes the manifest of the files in `folder`, over the one that is there, and syncs the folder.

    For a folder that no reader knows yet: a crash in the middle leaves no manifest that decodes.
    """
    _write_synced(folder / MANIFEST, [encode_manifest(manifest)])
    sync_folder(folder)


def map_lists(folder: Path, manifest: ShardManifest) -> Lists:
    """The lists of files just written, mapped and not read, to measure them. Checks no checksum."""
    layout = msgspec.json.decode((folder / "layout.json").read_bytes(), type=_Layout)

    def array(name: str) -> NDArray[np.float32]:
        return np.fromfile(folder / name, dtype=np.float32)

    def blocks(name: str, width: int) -> list[Block]:
        return map_blocks(folder / name, layout.capacities, width)

    return _lists(manifest, layout, array, blocks, blocks)


def map_text_chunks(folder: Path) -> list[memoryview]:
    """The chunks of the text buffer of files just written, mapped and not read. Checks no checksum."""
    layout = msgspec.json.decode((folder / "layout.json").read_bytes(), type=_Layout)
    return map_texts(folder / "texts.bin", layout.chunks)


def _lists(
    manifest: ShardManifest,
    layout: _Layout,
    array: Callable[[str], NDArray[np.float32]],
    blocks: Callable[[str, int], list[Block]],
    ranked_blocks: Callable[[str, int], list[Block]],
) -> Lists:
    """Lists from their files, which the functions read by name; `ranked_blocks`: vectors that stay on disk.

    Raises `KeyError` or `ValueError` when the files do not fit the manifest.
    """
    kind, dimension = IndexKind(manifest.kind), manifest.dimension
    centroids = None
    if kind is not IndexKind.EXACT:
        centroids = array("centroids.bin").reshape(manifest.lists, dimension)
    vectors = (ranked_blocks if kind.mapped else blocks)("lists.bin", dimension)
    lists = InvertedLists.load(dimension, centroids, vectors, layout.sizes)
    if not kind.coded:
        return lists
    codec = codec_of(kind, dimension, array("codec.bin"))
    codes = blocks("codes.bin", codec.width)
    return CodedLists(codec, lists, codes_over(codec, centroids, codes, layout.sizes))


def load_files(folder: Path, look: Look | None = None) -> tuple[Shard, ShardManifest]:
    """Loads what `write_files` wrote.

    look: what its vectors are made by, where deltas are to be applied to it; one of another extractor is not used.
    Raises `CorruptError` naming the file that is not as it was written; the
    caller adds what to do about it.
    """
    try:
        manifest = decode_manifest((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise CorruptError(f"{folder / MANIFEST} is missing") from error
    except CorruptError as error:
        raise CorruptError(f"{folder / MANIFEST}: {error}") from error
    files = manifest.files

    def array(name: str) -> NDArray[np.float32]:
        return read_array(folder / name, files[name]).view(np.float32)

    def blocks(name: str, width: int) -> list[Block]:
        return read_blocks(folder / name, files[name], layout.capacities, width)

    def ranked_blocks(name: str, width: int) -> list[Block]:
        # Those of kinds whose codes are far smaller: read only to rank the best again, they stay on disk.
        with checked(folder / name, files[name]) as file:
            file.skim()
        return map_blocks(folder / name, layout.capacities, width)

    try:
        layout = msgspec.json.decode(read_array(folder / "layout.json", files["layout.json"]).data, type=_Layout)
        arrays, count = read_rows(folder / "rows.bin", files["rows.bin"])
        forward = ForwardIndex.load(arrays, count, read_texts(folder / "texts.bin", files["texts.bin"], layout.chunks))
        validity = read_array(folder / "validity.bin", files["validity.bin"])
        lists = _lists(manifest, layout, array, blocks, ranked_blocks)
        refusals = {bytes.fromhex(image): number for image, number in layout.refusals.items()}
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise CorruptError(f"{folder}: files do not fit the manifest ({error})") from error
    if look is not None and look.extractor_id != manifest.extractor_id:
        look = None  # nothing of that extractor's can be applied, and the caller sees of which the shard is
    shard = Shard.load(manifest, forward, validity, lists, layout.categories, layout.brands, refusals, look)
    digest = shard.stats().digest.hex()
    if digest != manifest.digest:
        raise CorruptError(f"{folder / MANIFEST}: digest {manifest.digest}, but the rows sum to {digest}")
    return shard, manifest


def _list_bytes(
    lists: Sequence[tuple[VectorRows, NDArray[np.int64]]], width: int, capacities: list[int]
) -> Iterator[Any]:
    for (codes, ids), capacity in zip(lists, capacities, strict=True):
        free = capacity - len(ids)
        for start in range(0, len(ids), _WRITTEN_ROWS):
            yield np.ascontiguousarray(codes[start : start + _WRITTEN_ROWS])
        yield bytes(free * width * 4)
        yield np.ascontiguousarray(ids)
        yield np.full(free, -1, dtype=np.int64)


def _write_synced(path: Path, pieces: Iterable[Any]) -> ShardFile:
    """Writes, syncs, and says what it wrote."""
    written = _write(path, pieces)
    _sync(path)
    return written


def _write(path: Path, pieces: Iterable[Any]) -> ShardFile:
    """Writes, and says what it wrote."""
    checksum = blake2b(digest_size=16)
    size = 0
    with path.open("wb") as file:
        for piece in pieces:
            if len(piece):
                view = memoryview(piece).cast("B")
                checksum.update(view)
                file.write(view)
                size += len(view)
    return ShardFile(size, checksum.hexdigest())


def _sync(path: Path) -> None:
    """Returns when what was written to the file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())

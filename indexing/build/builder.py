"""Builds a shard's files from whole images, without a live shard: one searcher's part of the full index.

What comes out is what a snapshot is made of (`indexing.snapshot.snapshot`), so that a
searcher loads it without conversion and applies deltas over it.

The digest of a shard is computed from these files (`indexing.build.digest`),
not from what was added: who knows what the shard must come to compares.

Memory. Rows, texts and vectors go to spool files beside the result and are
mapped, not read: the kernel may drop their pages at any time. What a build
allocates for good is about 80 bytes an image (row numbers, list numbers,
draw keys, validity), and over it a constant: the training sample
(`SAMPLE_BYTES` at most) and batches of 16,384 vectors. The disk holds the
files twice while they are written.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from devices import CPU
from disk.durable import sync_folder
from indexing.build.digest import fill_digests
from indexing.build.lists import EncodedCodes, assign, by_list, by_segment
from indexing.build.rows import RowBuilder
from indexing.build.sample import draw_keys, held_back_positions, refuse_doubled_images, training_positions
from indexing.build.spool import Spool
from indexing.lists.codec import Codec, code_bytes, train_codec
from indexing.lists.kinds import IndexKind, default_kind
from indexing.lists.view import Part
from indexing.look.looks import Look, Untuned
from indexing.rows.usable import searchable_rows
from indexing.rows.validity import ValidityBitmap
from indexing.shard.contents import ShardContents
from indexing.shard.progress import SourceProgress
from indexing.snapshot import snapshot
from indexing.training.choosing import choose_search
from indexing.training.nearest import CentroidSearch
from indexing.training.probes import choose_probes, exact_scores
from indexing.training.search import SearchOver
from indexing.training.train import ITERATIONS, default_nlist, omp_threads, sample_size, train_centroids
from schemas.deltas.delta import DeltaBatch
from schemas.errors import OperatorError
from schemas.full_index.manifest import ShardManifest

__all__ = ["BuildSettings", "ShardBuilder", "assign", "default_nlist", "train_centroids"]

_log = logging.getLogger(__name__)

SAMPLE_BYTES = 256 << 20
"""Greatest size of the training sample."""
MEASURED_QUERIES = 256
"""Held-back vectors that recall is measured with."""


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How a shard is built.

    kind None: from the number of vectors. nlist None: from the number of
    vectors, or as many as the given centroids. seed: of the sample and of
    k-means. recall: wanted @10, in (0, 1]. headroom: free space of each
    inverted list, as a part of its entries, for the deltas to come. threads 0:
    all cores. device: of k-means and assignment, as in the settings
    (`indexing.training.choosing`).
    """

    kind: IndexKind | None = None
    nlist: int | None = None
    seed: int = 0
    recall: float = 0.99
    headroom: float = 0.25
    threads: int = 0
    device: str = CPU

    def __post_init__(self) -> None:
        if self.nlist is not None and self.nlist < 1:
            raise OperatorError(f"nlist {self.nlist}: an index has at least one list; leave it out for the default")
        if not 0 < self.recall <= 1:
            raise OperatorError(f"recall {self.recall}: give a number above 0, at most 1")
        if not 0 <= self.headroom <= 8:
            raise OperatorError(f"headroom {self.headroom}: give the free part of a list, 0 to 8")


@dataclass(slots=True)
class _Trained:
    """Centroids, what the manifest says of how they came about, and who assigns vectors to them."""

    centroids: NDArray[np.float32] | None
    facts: dict[str, Any]
    codec: Codec | None = None
    search: SearchOver = CentroidSearch


class ShardBuilder:
    """Builds the files of one shard in `folder`, which appears whole or not at all. One thread.

        with ShardBuilder(folder, extractor_id, dimension) as builder:
            for batch in batches:
                builder.add(batch)
            manifest = builder.seal(delta_offsets, generation)

    What a build that was killed left behind is removed by the next one for the
    same folder. Raises `OperatorError` when the folder is there already.
    """

    def __init__(
        self,
        folder: Path,
        extractor_id: str,
        dimension: int,
        settings: BuildSettings | None = None,
        look: Look | None = None,
    ) -> None:
        """look: what makes the vectors, of that extractor; None: they are features as they come."""
        if dimension < 1:
            raise ValueError(f"dimension {dimension}: a vector has at least one number")
        if folder.exists():
            raise OperatorError(f"{folder} is there already: build under another generation, or remove it")
        self._folder = folder
        self._extractor_id = extractor_id
        self._dimension = dimension
        self._settings = settings or BuildSettings()
        if self._settings.kind is not None and self._settings.kind.coded:
            code_bytes(self._settings.kind, dimension)  # refused now, and not after a day's extraction
        self._progress = SourceProgress()
        self._unfinished = folder.with_name(f".{folder.name}.unfinished")
        spools = folder.with_name(f".{folder.name}.spools")
        for leftover in (self._unfinished, spools):
            shutil.rmtree(leftover, ignore_errors=True)
        spools.mkdir(parents=True)
        self._opened = ExitStack()
        self._opened.callback(shutil.rmtree, spools)
        rows, texts, vectors = (
            self._opened.enter_context(Spool(spools / name)) for name in ("rows", "texts", "vectors")
        )
        self._look = look or Untuned(extractor_id, dimension)
        self._rows = RowBuilder(self._look, rows, texts, vectors)

    def __enter__(self) -> ShardBuilder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def __len__(self) -> int:
        """Images added."""
        return self._rows.count

    @property
    def ignored_vectors(self) -> int:
        """Vectors left out: of another extractor, of a wrong length, or with numbers that are not finite."""
        return self._rows.ignored_vectors

    def add(self, batch: DeltaBatch) -> None:
        """Adds images, each with its whole state and, where it has one, its vector; each image comes once.

        Valid images; a removed one (`valid` False) may come too and stays a
        tombstone, which keeps an older delta from listing it again. Raises
        `RejectedError` for a row without image id or state.
        """
        self._rows.add(batch)
        self._progress.advance(batch.progress)

    def seal(
        self,
        delta_offsets: Mapping[int, int],
        generation: str = "",
        *,
        centroids: NDArray[np.float32] | None = None,
        begins: Callable[[str], None] = lambda _: None,
    ) -> ShardManifest:
        """Trains, assigns, writes, measures; the folder is complete and synced when this returns. Once.

        delta_offsets: next offset to apply over the files, by partition of
        `index-deltas`.
        centroids: (nlist, dimension), trained elsewhere (on a sample of all
        shards, say); None: trained on this shard's own vectors.
        begins: told of each phase: train, assign, write, digest, measure. Raises
        `CorruptError` when an image came twice, `OperatorError` when there are
        fewer vectors than lists.
        """
        started = time.monotonic()
        settings = self._settings
        rows, (vectors, vector_rows) = self._rows.rows(), self._rows.vectors()
        refuse_doubled_images(rows["image_id"])
        is_searchable = searchable_rows(rows)
        keys = draw_keys(rows["image_id"][vector_rows], settings.seed)
        begins("train")
        with omp_threads(settings.threads):
            trained = self._trained(vectors, keys, centroids)
            exact, codec = trained.centroids is None, trained.codec
            if trained.centroids is None:
                lists = by_segment(vectors, vector_rows)
            else:
                begins("assign")
                numbers = assign(vectors, trained.centroids, codec, trained.search)
                lists = by_list(vectors, vector_rows, numbers, len(trained.centroids))
            contents = ShardContents(
                extractor_id=self._extractor_id,
                dimension=self._dimension,
                rows=rows,
                validity=np.packbits(is_searchable, bitorder="little"),
                texts=self._rows.texts(),
                lists=lists,
                centroids=trained.centroids,
                categories=self._rows.categories.names(),
                brands=self._rows.brands.names(),
                progress=self._progress.table(),
                watermark_ms=self._progress.watermark_ms,
                training=trained.facts,
                codec=codec,
                refusals=self._rows.refusals,
                codes=[] if codec is None else [(EncodedCodes(codec, stored), ids) for stored, ids in lists],
            )
            # A closed segment of an exact shard is never appended to: free space in it would be lost.
            headroom = 0.0 if exact else settings.headroom
            begins("write")

            def complete(texts: Sequence[memoryview], written: Iterable[Part]) -> None:
                begins("digest")
                names = ([name.encode() for name in names] for names in (contents.categories, contents.brands))
                fill_digests(rows, texts, written, *names, hashed=self._look.changes)

            manifest = snapshot.write_files(
                contents, self._unfinished, delta_offsets, generation=generation, headroom=headroom, complete=complete
            )
            if not exact:
                begins("measure")
                usable = is_searchable[vector_rows]
                manifest = self._measured(manifest, vectors, vector_rows, usable, keys, contents.validity)
        snapshot.write_manifest(manifest, self._unfinished)
        self._unfinished.rename(self._folder)
        sync_folder(self._folder.parent)
        _log.info(
            "built folder=%s kind=%s images=%d vectors=%d lists=%d nprobe=%d seconds=%.2f",
            self._folder,
            manifest.kind,
            manifest.images,
            len(vectors),
            manifest.lists,
            manifest.nprobe,
            time.monotonic() - started,
        )
        return manifest

    def _trained(
        self, vectors: NDArray[np.float32], keys: NDArray[np.uint64], given: NDArray[np.float32] | None
    ) -> _Trained:
        settings, count = self._settings, len(vectors)
        if given is not None and (given.ndim != 2 or given.shape[1] != self._dimension or not len(given)):
            raise ValueError(f"centroids of shape {given.shape}; this shard takes (lists, {self._dimension})")
        kind = default_kind(count, self._dimension) if settings.kind is None else settings.kind
        if given is not None and kind is IndexKind.EXACT:
            kind = IndexKind.IVF_FLAT
        # Nothing can be trained on nothing: such a shard begins with exact search, as a live one does.
        if kind is IndexKind.EXACT or (not count and (given is None or kind.coded)):
            # Exact on purpose: no searcher trains it, however large it grows.
            chosen = {"chosen": True} if settings.kind is IndexKind.EXACT else {}
            return _Trained(None, {"vectors": count, "recall_at_10": 1.0, **chosen})
        if given is not None:
            nlist = len(given)
        else:
            nlist = min(default_nlist(count, kind), count) if settings.nlist is None else settings.nlist
            if nlist > count:
                raise OperatorError(f"{nlist} lists need at least as many vectors, this shard has {count}: lower nlist")
        facts: dict[str, Any] = {"nlist": nlist, "seed": settings.seed, "vectors": count, "sample": 0}
        if given is not None and not kind.coded:
            search, _ = choose_search(settings.device, vectors, nlist)
            return _Trained(np.ascontiguousarray(given, dtype=np.float32), facts, search=search)
        wanted = max(nlist, min(sample_size(nlist), SAMPLE_BYTES // (4 * self._dimension)))
        sample = vectors[training_positions(keys, wanted, min(nlist, count))]
        facts["sample"] = len(sample)
        search, device = choose_search(settings.device, sample, nlist, ITERATIONS if given is None else 1)
        if device != CPU:
            facts["device"] = device
        centroids = train_centroids(sample, nlist, settings.seed, search) if given is None else given
        codec = train_codec(kind, sample, settings.seed) if kind.coded else None
        return _Trained(np.ascontiguousarray(centroids, dtype=np.float32), facts, codec, search)

    def _measured(
        self,
        manifest: ShardManifest,
        vectors: NDArray[np.float32],
        vector_rows: NDArray[np.int64],
        usable: NDArray[np.bool_],
        keys: NDArray[np.uint64],
        validity: NDArray[np.uint8],
    ) -> ShardManifest:
        """The manifest with the nprobe that reaches the recall wanted, measured on the very files written."""
        candidates = np.nonzero(usable)[0]
        positions = candidates[held_back_positions(keys[candidates], MEASURED_QUERIES)]
        if not len(positions):
            # Nothing to measure with: whatever the deltas bring is searched in all lists.
            return msgspec.structs.replace(manifest, nprobe=manifest.lists)
        queries = np.ascontiguousarray(vectors[positions])
        truth = exact_scores(queries, positions, vectors, usable)
        lists = snapshot.map_lists(self._unfinished, manifest)
        bitmap = ValidityBitmap()
        bitmap.load(validity)
        chosen = choose_probes(lists, queries, vector_rows[positions], truth, bitmap.selector, self._settings.recall)
        facts = {
            **manifest.training,
            "recall_at_10": chosen.recall,
            "recall_wanted": self._settings.recall,
            "queries": chosen.queries,
        }
        return msgspec.structs.replace(manifest, nprobe=chosen.nprobe, training=facts)

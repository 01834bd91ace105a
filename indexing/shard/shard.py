"""One shard of the index: applies deltas, answers searches.

Threads: `apply` is called by one thread, the writer. `search`, `product`,
`stats` and `watermark_ms` are called by any number of threads and take no
lock. `train` and `capture` are called by any thread; they hold the writer up
for milliseconds only (a lock that readers never see).

What readers may rely on: a row is written before its validity bit is set and
marked before its bit is cleared, and every row that a scan found is looked up
in the forward index afterwards. So a search that begins after `apply` returned
shows all of the batch, and a search that runs beside it never shows an image
that is removed, replaced, or whose state is not known.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.lists.reranked import CodedLists, Lists
from indexing.look.looks import Look, Untuned
from indexing.rows.digest import digest_bytes
from indexing.rows.forward import ForwardIndex
from indexing.rows.results import ImageState, ProductState, ShardStats
from indexing.shard.attributes import ProductAttributes
from indexing.shard.contents import ShardContents
from indexing.shard.progress import SourceProgress
from indexing.shard.questions.answering import Answering
from indexing.shard.questions.naming import Name
from indexing.shard.questions.question import ShardAnswer, ShardQuestion
from indexing.shard.reader import ShardReader
from indexing.shard.recall import recalls
from indexing.shard.refusals import Refusals
from indexing.shard.state import NameCodes, ShardState
from indexing.shard.training import LiveTrainer
from indexing.shard.writer import DeltaWriter
from schemas.deltas.delta import DeltaBatch
from schemas.found import Hit
from schemas.full_index.manifest import ShardManifest
from schemas.query.filters import Filter
from schemas.query.indexed import Indexed

__all__ = ["Hit", "ImageState", "ProductState", "Shard", "ShardStats"]


class Shard:
    """Images of one shard under one extractor; `dimension`: of its vectors, float32, L2-normalised."""

    def __init__(self, extractor_id: str, dimension: int, look: Look | None = None) -> None:
        """look: what its vectors are made by, of that extractor; None: they are features as deltas bring them."""
        if dimension < 1:
            raise ValueError(f"dimension {dimension}: a vector has at least one number")
        look = look or Untuned(extractor_id, dimension)
        if (look.extractor_id, look.dimension) != (extractor_id, dimension):
            raise ValueError(f"the look is of {look.extractor_id} ({look.dimension}), the shard of {extractor_id}")
        self._state = ShardState(look)
        self._writer = DeltaWriter(self._state)
        self._reader = ShardReader(self._state)
        self._answering: Answering | None = None
        self._write_lock = threading.Lock()
        self._trainer = LiveTrainer(self._state, self._write_lock)

    @property
    def extractor_id(self) -> str:
        """Of all its vectors."""
        return self._state.extractor_id

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._state.dimension

    @property
    def nprobe(self) -> int:
        """Lists that were chosen for a search to probe; may be set at any time. See `effort`."""
        return self._state.nprobe

    @nprobe.setter
    def nprobe(self, nprobe: int) -> None:
        self._state.nprobe = nprobe

    @property
    def effort(self) -> float:
        """How many times as many lists as `nprobe`, and rows to rank again, a search takes; 1 after a training."""
        return self._state.effort

    @effort.setter
    def effort(self, effort: float) -> None:
        self._state.effort = effort
        if isinstance(lists := self._state.lists, CodedLists):
            lists.effort = effort

    def recalls(self, vectors: NDArray[np.float32], limit: int, tree: Filter | None = None) -> list[float]:
        """Recall @10 of searches for each of these vectors, see `indexing.shard.recall`. Any thread; slow."""
        return recalls(self._state, vectors, limit, tree)

    @property
    def training(self) -> dict[str, Any]:
        """Parameters and measured recall of the last training; empty before the first."""
        return self._state.training

    def apply(self, batch: DeltaBatch) -> None:
        """Applies a batch; searches see it once this returns. Writer thread only.

        Bad rows (no image id, a vector of the wrong length or with numbers
        that are not finite, or of another extractor) are left out and counted.
        """
        with self._write_lock:
            self._writer.apply(batch)

    def takes_down(self, batch: DeltaBatch) -> int:
        """How many images the batch will take down that are shown now. Any thread."""
        return self._reader.takes_down(batch)

    def search(self, vectors: NDArray[np.float32], limit: int, nprobe: int = 0) -> list[list[Hit]]:
        """The `limit` best images for each query, best first; equal scores in the order of image ids.

        vectors: (n, dimension) float32. nprobe 0: the index's own. Any thread.
        Raises `ValueError` for a wrong shape or numbers that are not finite.
        """
        return self._reader.search(vectors, limit, nprobe)

    def open_attributes(self, indexed: Indexed) -> None:
        """From now on the shard answers filters and words of these fields and texts. Before there are readers.

        Built from what is there: a field may be declared long after its products arrived.
        """
        with self._write_lock:
            state = self._state
            state.attributes = attributes = ProductAttributes(indexed, state.forward, state.rows)
            self._answering = Answering(state, attributes, self._reader)

    def answer(self, question: ShardQuestion) -> ShardAnswer:
        """Images near vectors, products by words or in an order, counts; all within a filter. Any thread.

        Raises `ValueError` as `search` does, and before `open_attributes`; `RejectedError` for words that are too many.
        """
        if self._answering is None:
            raise ValueError("this shard answers no filters and words: open_attributes comes first")
        return self._answering.answer(question)

    def suggest(self, text: str, limit: int) -> list[tuple[str, int]]:
        """The text with its last word completed, and how many products on sale have that word. Any thread."""
        if self._answering is None:
            raise ValueError("this shard knows no words: open_attributes comes first")
        return self._answering.suggest(text, limit)

    def names(self, text: str, limit: int) -> list[Name]:
        """Whole names of products on sale that the text may become, see `questions.naming`. Any thread."""
        if self._answering is None:
            raise ValueError("this shard knows no words: open_attributes comes first")
        return self._answering.names(text, limit)

    def product(self, product_id: str) -> list[ImageState]:
        """All images of a product that this shard knows, removed ones too, by image id. Any thread."""
        return self._reader.product(product_id)

    def with_shown(self, hit: Hit) -> Hit:
        """The hit with what its picture shows, as far as that is told, at this moment. Any thread."""
        return self._reader.with_shown(hit)

    def shown(self, product_id: str) -> ProductState | None:
        """What is shown of a product, of its valid image with the latest state; None when it has none. Any thread."""
        return self._reader.shown(product_id)

    def image_ids(self) -> list[bytes]:
        """Of every image known, removed ones too. Writer thread only."""
        return self._state.rows.image_ids()

    def product_hashes(self) -> NDArray[np.uint64]:
        """The first half of every image's id, (n,): its product's hash. Writer thread only."""
        return self._state.rows.product_hashes()

    def recompute_digest(self) -> bytes:
        """The digest from every row and vector anew, to check the one that is kept. Any thread, not beside `train`."""
        with self._write_lock:
            return self._state.recompute_digest()

    def waiting(self) -> tuple[int, int]:
        """(valid images that wait for their vector, valid images that extraction gave up): `stats` without its sums."""
        refused = self._state.refusals.count
        return max(0, self._state.valid - self._state.searchable - refused), refused

    def stats(self) -> ShardStats:
        """Counts, digest and memory. Any thread; exact between two batches, approximate within one."""
        lists = self._state.lists
        pending, refused = self.waiting()
        return ShardStats(
            images=len(self._state.rows),
            valid=self._state.valid,
            searchable=self._state.searchable,
            pending=pending,
            refused=refused,
            rows=len(self._state.forward),
            digest=digest_bytes(self._state.digest),
            memory_bytes=self._state.forward.allocated
            + self._state.validity.allocated
            + lists.allocated
            + self._state.rows.allocated
            + (0 if self._state.attributes is None else self._state.attributes.allocated),
            index_kind=lists.kind,
            lists=len(lists),
            nprobe=self._state.probes,
            applied_rows=self._state.applied_rows,
            ignored_vectors=self._state.ignored_vectors,
            ignored_rows=self._state.ignored_rows,
        )

    def watermark_ms(self) -> int:
        """Contents reflect all events up to this time (Unix, ms); 0 until every source partition was seen."""
        return self._state.progress.watermark_ms

    # -- training ------------------------------------------------------------------------------

    def train(
        self,
        nlist: int | None = None,
        seed: int = 0,
        *,
        nprobe: int | None = None,
        recall: float = 0.99,
        threads: int = 0,
    ) -> None:
        """Builds inverted lists and swaps them in under running searches: see `LiveTrainer.train`. Any thread."""
        self._trainer.train(nlist, seed, nprobe=nprobe, recall=recall, threads=threads)

    # -- as a whole ----------------------------------------------------------------------------

    @property
    def unscrubbed(self) -> bool:
        """Whether bytes of erased images are left in memory, though nothing shows them. Any thread."""
        return self._state.unscrubbed

    def scrub(self) -> None:
        """Overwrites the bytes of erased images. Writer thread only, before `contents`; costs a pass over the rows.

        No contents taken before may still be written to a file: vectors are overwritten in place.
        """
        with self._write_lock:
            self._state.scrub()

    def contents(self) -> ShardContents:
        """The contents at this moment. Any thread; holds the writer up while the rows are copied.

        That is 136 bytes a row: 3 ms at 100,000 rows.
        Vectors and texts are append-only, but for `scrub`, and come by reference.
        """
        with self._write_lock:
            lists = self._state.lists
            return ShardContents(
                extractor_id=self._state.extractor_id,
                dimension=self._state.dimension,
                rows=self._state.forward.copy_rows(),
                validity=self._state.validity.copy(len(self._state.forward)),
                texts=self._state.forward.texts.contents(),
                refusals=self._state.refusals.table(),
                lists=lists.parts(),
                centroids=lists.centroids,
                categories=self._state.categories.names(),
                brands=self._state.brands.names(),
                nprobe=self._state.nprobe,
                progress=self._state.progress.table(),
                watermark_ms=self._state.progress.watermark_ms,
                training=dict(self._state.training),
                codec=lists.codec if isinstance(lists, CodedLists) else None,
                codes=lists.code_parts() if isinstance(lists, CodedLists) else (),
            )

    def take_apart(self) -> list[object]:
        """The memory of a shard that nobody uses any more, in pieces, for the caller to drop. Any thread.

        Drop the shard first, then a piece at a time. Dropped whole, the memory
        of a million images holds the GIL, and with it every query of the
        process, for tenths of a second. A query that still runs keeps what it reads.
        """
        self._state.rows.take_apart()
        return [*self._state.forward.memory(), *self._state.lists.memory()]

    @classmethod
    def load(
        cls,
        manifest: ShardManifest,
        forward: ForwardIndex,
        validity: NDArray[np.uint8],
        lists: Lists,
        categories: list[str],
        brands: list[str],
        refusals: Mapping[bytes, int] | None = None,
        look: Look | None = None,
    ) -> Shard:
        """A shard of rows and vectors that are already in place. categories, brands: names by code."""
        shard = cls(manifest.extractor_id, manifest.dimension, look)
        state = shard._state
        state.nprobe, state.training = manifest.nprobe, dict(manifest.training)
        state.take_over(forward)
        state.validity.load(validity)
        state.lists = lists
        state.progress = SourceProgress(manifest.progress, manifest.watermark_ms)
        state.categories, state.brands = NameCodes(categories), NameCodes(brands)
        state.refusals = Refusals(refusals)
        known = [number for image in state.refusals.images() if (number := state.rows.get(image)) is not None]
        state.refusals.recount(map(forward.read, known))
        return shard

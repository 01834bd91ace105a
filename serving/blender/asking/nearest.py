"""The images nearest to vectors, as products: a search that asks for nothing else."""

from __future__ import annotations

import time
from collections.abc import Sequence

from schemas.search_log import Kind
from serving.backend import MAX_IMAGES_PER_QUERY, SearchBackend
from serving.blender.asking.likeness import Vector
from serving.blender.asking.searching import Aim, Query, Searches
from serving.blender.showing.answers import PhotoSeen, SearchAnswer
from serving.blender.showing.details import shown
from serving.blender.showing.products import collapse
from serving.blender.showing.telling import Telling, Took, watermark_of
from serving.blender.writing.search_log import SearchLog

TIMEOUT_S = 3.0
"""For the whole way to the shards and back, waiting for a batch included; a slower shard is left out of the answer."""


class Nearest:
    """Lives on one event loop. `search_log`: None where the shop keeps none."""

    def __init__(
        self, backend: SearchBackend, searches: Searches, telling: Telling, search_log: SearchLog | None
    ) -> None:
        self._backend = backend
        self._searches = searches
        self._telling = telling
        self._log = search_log

    async def answer(
        self,
        kinds: tuple[Kind, ...],
        vectors: Sequence[Vector],
        limit: int,
        began: float,
        embed_s: float,
        aim: Aim,
        exclude: str | None = None,
        excluded_images: int = 0,
        deadline: float | None = None,
        photos: list[PhotoSeen] | None = None,
    ) -> SearchAnswer:
        """Asks for enough images that `limit` distinct products come out, where there are as many.

        `deadline` of `time.monotonic`; None: `TIMEOUT_S` from now on.
        """
        search_began = time.perf_counter()
        deadline = time.monotonic() + TIMEOUT_S if deadline is None else deadline
        images = 2 * limit + excluded_images
        while True:
            found = await self._searches.all([Query(v.tobytes(), images, aim, deadline) for v in vectors])
            if len({part.answer.generation for part in found}) > 1:
                continue  # a swap came in between; an answer is of one generation
            if len(found) == 1:
                hits = found[0].hits
            else:
                hits = sorted((hit for part in found for hit in part.hits), key=lambda hit: -hit.score)
            best = collapse(hits, limit, exclude)
            # Fewer hits than asked for: the shards have no more to give.
            exhausted = all(len(part.hits) < images for part in found)
            if len(best) >= limit or exhausted or images >= MAX_IMAGES_PER_QUERY:
                break
            images = min(images * 4, MAX_IMAGES_PER_QUERY)
        results = await shown(self._backend, best, found[0].answer.generation, deadline)
        answer = self._telling.tell(found, results, kinds, Took(began, search_began, embed_s), photos=photos)
        if self._log is not None:
            self._log.note(answer, kinds, watermark_of(found))
        return answer

"""The blender: embeds, searches, collapses images to products, answers. Plain Python, no HTTP in it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import numpy as np

from schemas.errors import RejectedError, TransientError
from schemas.features.ids import is_external
from schemas.query.body import ImageAsked
from schemas.query.box import WHOLE, Box
from schemas.query.fields import Fields
from schemas.query.question import Question
from schemas.query.rank import RankProfile
from schemas.search_pb2 import ProductRequest, ReplicaStatus, SearchRequest
from schemas.settings import Settings
from serving.backend import OVERDUE, SearchBackend, check_applied
from serving.blender.asking.asked import Asked
from serving.blender.asking.likeness import SIMILAR_VECTORS, Likeness, Vector, as_searched, vector_of, weighed
from serving.blender.asking.merging import Merging
from serving.blender.asking.nearest import TIMEOUT_S, Nearest
from serving.blender.asking.questions import Questions
from serving.blender.asking.searching import Aim, Searches
from serving.blender.embedding.encoders import WAIT_FOR_LOAD_S, Encoders
from serving.blender.embedding.items import Looked, PhotoItems
from serving.blender.embedding.meanings import Meanings
from serving.blender.embedding.vision_embedder import query_limits
from serving.blender.following import LOOK_S, Following
from serving.blender.metrics import BlenderMetrics
from serving.blender.publication import Publication
from serving.blender.ranking.models import LearnedRanks
from serving.blender.showing.answers import SearchAnswer, Suggestion, Suggestions
from serving.blender.showing.categories import categories_told, with_categories
from serving.blender.showing.of_index import ProductReceipt
from serving.blender.showing.photos import photos_seen
from serving.blender.showing.receipts import product_receipt
from serving.blender.showing.telling import Telling
from serving.blender.writing.search_log import SearchLog, kinds_of

log = logging.getLogger(__name__)

SEARCH_TIMEOUT_S = 10.0
"""For a whole search, waiting and embedding included."""


class BlenderService:
    """Everything that the HTTP interface offers, from a backend and (for photos) encoders. One event loop.

    The extractor id goes along with every query: an index of another extractor
    refuses it, so that no bad result is ever shown. What serves is asked for
    every second, with the extractor that photos are embedded with: the broker
    keeps a generation of it until that has changed.
    """

    def __init__(
        self,
        backend: SearchBackend,
        encoders: Encoders,
        metrics: BlenderMetrics,
        publication: Publication | None = None,
        look_s: float = LOOK_S,
        search_timeout_s: float = SEARCH_TIMEOUT_S,
        fields: Fields | None = None,
        profiles: Mapping[str, RankProfile] | None = None,
        search_log: SearchLog | None = None,
        meanings: Meanings | None = None,
        ranks: LearnedRanks | None = None,
        items: PhotoItems | None = None,
        merging: Merging | None = None,
    ) -> None:
        """`search_log`: None where the shop keeps none; `meanings`: None where words are not to be mapped to a look.

        `ranks`: None where no order is to be learned from clicks. `items`: None for one by the settings' defaults.
        `merging`: None where doubles are shown, unless a question wants them merged.
        """
        self.fields = fields or Fields()
        self.profiles = profiles or {}
        self.merging = merging or Merging()
        self._backend = backend
        self._encoders = encoders
        self._items = items or PhotoItems(query_limits(Settings()))
        self.metrics = metrics
        self._search_timeout_s = search_timeout_s
        self._searches = Searches(backend, metrics)
        self._log = search_log
        self._meanings = meanings
        self._telling = Telling(metrics, search_log)
        self._ranks = ranks
        self._nearest = Nearest(backend, self._searches, self._telling, search_log)
        learned = [part for part in (meanings, ranks) if part is not None]
        self.following = Following(backend, encoders, metrics, learned, publication, look_s)
        self._questions = Questions(
            *(backend, self._searches, metrics, self._telling, search_log, meanings, ranks), merging=self.merging
        )

    def start(self) -> None:
        """Begins to follow what serves and to load its encoder; needs the running loop."""
        self.following.start()

    async def close(self) -> None:
        await self.following.close()
        await self._encoders.close()
        self._items.close()
        await self._backend.close()
        if self._meanings is not None:
            self._meanings.close()
        if self._ranks is not None:
            self._ranks.close()
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    async def search_image(self, data: bytes, limit: int, generation: str = "") -> SearchAnswer:
        """Products that look like the photo in `data`, in `generation` or in the one that serves.

        Raises `RejectedError` for what is no picture, and for a generation that nobody holds; `TransientError` when
        too many photos wait already, or when it takes longer than a search may.
        """
        async with self._in_time(waits_for_load=bool(generation)):
            return await self._search_image(data, limit, generation)

    async def _search_image(self, data: bytes, limit: int, generation: str) -> SearchAnswer:
        began = time.perf_counter()
        aim = Aim(await self.following.extractor_of(generation) if generation else self._encoders.current, generation)
        looked = await self._looked([ImageAsked(data)], aim.extractor_id)
        vector = await self._encoders.vector(looked[0].data, aim.extractor_id, generation)
        embed_s = time.perf_counter() - began
        self.metrics.embed_seconds.observe(embed_s)
        answer = await self._nearest.answer(
            ("photo",), [vector], limit, began, embed_s, aim, photos=photos_seen(looked)
        )
        return with_categories(answer, categories_told(self._encoders.tuning(aim.extractor_id), [vector]))

    async def _looked(self, photos: Sequence[ImageAsked], extractor_id: str, tell: bool = False) -> list[Looked]:
        """Which part of each is searched with. Of vectors of the shop's own nobody looks: the encoders refuse them."""
        if is_external(extractor_id):
            return [Looked(each.data, WHOLE, None) for each in photos]
        boxes = [None if each.box is None else Box(*each.box) for each in photos]
        looks = (self._items.look(each.data, box, tell=tell) for each, box in zip(photos, boxes, strict=True))
        return await asyncio.gather(*looks)

    async def items(self, photo: bytes, generation: str = "") -> list[Box]:
        """What stands out in a photo, the best first; nothing where nobody looks (`_looked`), or nothing does."""
        async with self._in_time(waits_for_load=bool(generation)):
            if is_external(await self.following.extractor_of(generation) if generation else self._encoders.current):
                return []
            looked = await self._items.look(photo, tell=True)
            return [item.box for item in looked.items or ()]

    async def search_vector(self, vector: Vector, limit: int, generation: str = "") -> SearchAnswer:
        """Products near a vector of the index's extractor, of any length but zero."""
        began = time.perf_counter()
        async with self._in_time():
            aim = Aim(
                await self.following.extractor_of(generation) if generation else self.following.extractor_for(vector),
                generation,
            )
            made = as_searched(vector, aim.extractor_id, self._encoders.tuning)
            return await self._nearest.answer(("vector",), [made], limit, began, 0.0, aim)

    async def similar(self, product_id: str, limit: int, generation: str = "") -> SearchAnswer:
        """Products near any image of this one, itself left out. Raises `RejectedError('not_found', ...)`."""
        async with self._in_time():
            return await self._similar(product_id, limit, generation)

    async def _similar(self, product_id: str, limit: int, generation: str) -> SearchAnswer:
        began = time.perf_counter()
        deadline = time.monotonic() + TIMEOUT_S
        of, known = await self._searchable(product_id, generation)
        aim = Aim(await self.following.extractor_of(of), generation)
        vectors = known[:SIMILAR_VECTORS]
        return await self._nearest.answer(
            *(("product",), vectors, limit, began, 0.0, aim),
            exclude=product_id,
            excluded_images=len(known),
            deadline=deadline,
        )

    async def ask(
        self,
        question: Question,
        photos: Sequence[bytes] = (),
        vector: Vector | None = None,
        product_id: str = "",
        box: Box | None = None,
    ) -> SearchAnswer:
        """The answer to a question that is more than one photo, vector or product.

        `photos`, `vector`, `product_id`: what a route searches with besides the
        question's own examples; `box`: of its photos. All of them are added up to one vector, by their
        weights; a single product is looked like by any of its images. Raises
        `RejectedError` as the simple searches do, and for examples that cancel each other out.
        """
        async with self._in_time(waits_for_load=bool(question.generation)):
            began = time.perf_counter()
            current = self._encoders.current
            extractor = await self.following.extractor_of(question.generation) if question.generation else current
            likeness = Likeness(extractor, question.generation, self._encoders, self._vectors_of)
            products = [(each.id, each.weight) for each in question.products]
            if product_id:
                products.append((product_id, 1.0))
            pictures = [*question.images, *(ImageAsked(data, box=box) for data in photos)]
            looked = await self._looked(pictures, extractor, question.items)
            await likeness.add_photos([(one.data, each.weight) for one, each in zip(looked, pictures, strict=True)])
            embed_s = time.perf_counter() - began if pictures else 0.0
            given = [(vector_of(each.vector), each.weight) for each in question.vectors]
            if vector is not None:
                given.append((vector, 1.0))
            likeness.add_vectors(given)
            await likeness.add_products(products)
            if pictures:
                self.metrics.embed_seconds.observe(embed_s)
            vectors = likeness.vectors()
            # Of what needs no photo: products and vectors are asked with also where no encoder is there.
            parted = vectors and (pictures or question.look or question.explain)
            tuning = self._encoders.tuning(extractor) if parted else None
            told = categories_told(tuning, vectors) if pictures else None
            if question.look:
                vectors = weighed(vectors, question.look, tuning)
            asked = Asked(
                question,
                Aim(extractor, question.generation),
                [each.tobytes() for each in vectors],
                began,
                embed_s,
                time.monotonic() + TIMEOUT_S,
                without=[each for each, _ in products],
                images_without=likeness.images,
                also=(
                    *photos,
                    vector.tobytes() if vector is not None else b"",
                    product_id.encode(),
                    repr(box).encode(),
                ),
                photos=photos_seen(looked),
                kinds=kinds_of(question, photo=bool(photos), vector=vector is not None, product=bool(product_id)),
                tuning=tuning,
            )
            return with_categories(await self._questions.answer(asked), told)

    async def suggest(self, text: str, limit: int) -> Suggestions:
        """How the text may go on: by words, and by the names, of products on sale."""
        async with self._in_time():
            request = SearchRequest(suggest=text, list_limit=limit)
            answer = await self._backend.search(request, TIMEOUT_S)
            check_applied(request, answer, "the broker")
        return Suggestions([Suggestion(each.text, each.products, each.field or None) for each in answer.suggestions])

    async def _vectors_of(self, product_id: str, generation: str) -> list[Vector]:
        return (await self._searchable(product_id, generation))[1]

    async def _searchable(self, product_id: str, generation: str) -> tuple[str, list[Vector]]:
        """A product's vectors, and of which generation. Raises `RejectedError('not_found', ...)` where it has none."""
        replica = await self._present(product_id, generation)
        images = [image for image in replica.images if image.searchable and image.vector]
        if not images:
            raise _not_searchable(product_id)
        return replica.generation, [np.frombuffer(image.vector, dtype="<f4") for image in images]

    async def shows(self, product_id: str, url: str) -> bool:
        """Whether that product is listed now, with that picture. Raises `TransientError` when nobody can tell."""
        async with self._in_time():
            replica = await self._present(product_id)
        return any(image.valid and image.url == url for image in replica.images)

    async def _present(self, product_id: str, generation: str = "") -> ReplicaStatus:
        """What is known of a product by the replica that knows best."""
        answer = await self._backend.product(ProductRequest(product_id=product_id, generation=generation), TIMEOUT_S)
        answered = [replica for replica in answer.replicas if not replica.error]
        if not answered:
            problem = answer.replicas[0].error if answer.replicas else "it has no replica"
            raise TransientError("not_ready", f"the product's shard does not answer ({problem}); see GET /v1/index")
        # The serving generation's come first. Its replicas may be a moment apart; the one that has seen most of the
        # log knows best.
        replicas = [replica for replica in answered if replica.generation == answered[0].generation]
        return max(replicas, key=lambda status: status.watermark_ms)

    async def receipt(self, product_id: str) -> ProductReceipt:
        """What every replica shows of the product."""
        answer = await self._backend.product(ProductRequest(product_id=product_id), TIMEOUT_S)
        return product_receipt(product_id, answer)

    @asynccontextmanager
    async def _in_time(self, waits_for_load: bool = False) -> AsyncIterator[None]:
        """Bounds a search; what it waits for is left. A photo in a queue is not decoded any more."""
        limit_s = self._search_timeout_s + (WAIT_FOR_LOAD_S if waits_for_load else 0.0)
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError as error:
            raise TransientError(OVERDUE, f"not done within {limit_s:.0f} s; try again in a moment") from error


def _not_searchable(product_id: str) -> RejectedError:
    return RejectedError(
        "not_found",
        f"product {product_id!r} is not searchable (unknown, taken down, or its images wait for their vectors); "
        "GET /v1/products/{id}/status says which",
    )

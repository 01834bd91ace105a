"""Answers questions: from what is asked for, as vectors, to the page that is shown."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from indexing.ranking.model import RankModel
from schemas.errors import RejectedError, TransientError
from schemas.found import Hit
from schemas.ids import product_hash
from schemas.query.facets import decode_counts, encode_wanted
from schemas.query.filters import encode_filter
from schemas.query.question import Question
from schemas.search_pb2 import DetailsRequest
from serving.backend import MAX_DETAILS, MAX_IMAGES_PER_QUERY, SearchBackend
from serving.blender.asking.asked import Asked
from serving.blender.asking.merging import Merging
from serving.blender.asking.parts import tell_parts, tells_parts
from serving.blender.asking.searching import NOTHING_ELSE, Aim, Found, Query, Searches, Wanted
from serving.blender.embedding.meanings import Meanings, Meant
from serving.blender.metrics import BlenderMetrics
from serving.blender.ranking import pages
from serving.blender.ranking.candidates import Candidates, products_wanted
from serving.blender.ranking.models import LearnedRanks
from serving.blender.ranking.ranking import Page, Ranking
from serving.blender.ranking.scored import Vectors
from serving.blender.ranking.values import needs_attributes
from serving.blender.showing.answers import MergedHow, SearchAnswer, SearchedHow
from serving.blender.showing.counts import facet_answers
from serving.blender.showing.details import MAX_ATTRIBUTES_BYTES, shown
from serving.blender.showing.doubles import name_doubles
from serving.blender.showing.telling import Telling, Took, watermark_of
from serving.blender.writing.search_log import SearchLog

log = logging.getLogger(__name__)

_MOST_LISTED = 4096
"""Products that a list is asked for at most."""
BEHIND = 8
"""Products more that are asked for where doubles are merged: those of the last one shown stand right behind it."""


class Questions:
    """Asks shards for candidates, ranks them, shows a page. Lives on one event loop."""

    def __init__(
        self,
        backend: SearchBackend,
        searches: Searches,
        metrics: BlenderMetrics,
        telling: Telling,
        search_log: SearchLog | None = None,
        meanings: Meanings | None = None,
        ranks: LearnedRanks | None = None,
        merging: Merging | None = None,
    ) -> None:
        self._backend = backend
        self._searches = searches
        self._metrics = metrics
        self._telling = telling
        self._log = search_log
        self._meanings = meanings
        self._ranks = ranks
        self._merging = merging or Merging()

    async def answer(self, asked: Asked) -> SearchAnswer:
        """The page that is asked for, of one generation."""
        search_began = time.perf_counter()
        question = asked.question
        first = found = await self._found(asked, self._wanted(asked, any_word=question.match == "any"), asked.vectors)
        match = question.match
        if question.text and match == "auto":
            match = "all"
            if not first[0].listed:
                match = "any"
                asked.meant = await self._meant(asked, first[0].answer.generation)
                first = found = await self._found(asked, self._wanted(asked, any_word=True), asked.vectors)
        images = self._images(asked)
        if asked.meant is not None:
            found = await self._with_meaning(asked, asked.meant, found, images)
        while True:
            if needs_attributes(question) or self._merging.wanted(question):
                found = await self._with_attributes(asked, found)
            model = await self._model(question, first[0].answer.generation)
            vectors = _vectors(found) if self._compares(asked) else {}
            least = self._least(question, found, vectors)
            ranking = self._ranking(asked, found, images, model, least)
            page = ranking.page(vectors)
            if self._enough(asked, page, found, images):
                break
            # Images of few products took all the room: more of them, without counting again.
            images = min(4 * images, MAX_IMAGES_PER_QUERY)
            wanted = self._wanted(asked, any_word=match == "any")
            more = await self._found(asked, replace(wanted, facets=b""), asked.vectors, images)
            if more[0].answer.generation != first[0].answer.generation:
                # A swap came in between: what is counted is of the generation that is shown.
                first = more = await self._found(asked, wanted, asked.vectors, images)
            found = more if asked.meant is None else await self._with_meaning(asked, asked.meant, more, images)
        merged = None if least is None else MergedHow(least, page.compared, page.named)
        return await self._shown(asked, page, first, found, match, search_began, merged, learned=model is not None)

    def _wanted(self, asked: Asked, *, any_word: bool) -> Wanted:
        question = asked.question
        listing = not question.text and not asked.vectors
        sort = question.sort
        wanted = Wanted(
            filter=encode_filter(question.filter),
            facets=encode_wanted([facet.wanted for facet in question.facets]) if question.facets else b"",
            words=question.text,
            any_word=any_word and bool(question.text),
            listing=listing,
            order_by=("-" * sort.descending + sort.field.name) if sort is not None and not asked.vectors else "",
            list_limit=self._listed(asked) if listing or question.text else 0,
            with_vectors=self._compares(asked) or tells_parts(asked),
            explain=question.explain,
        )
        return NOTHING_ELSE if wanted == NOTHING_ELSE else wanted

    def _products(self, asked: Asked) -> int:
        lists = 1 + bool((asked.vectors or asked.meant) and asked.question.text)
        wanted = products_wanted(asked.question, len(asked.seen.shown), lists) + len(asked.without)
        return min(_MOST_LISTED, wanted + (BEHIND if self._merging.wanted(asked.question) else 0))

    def _listed(self, asked: Asked) -> int:
        """Products that a list is asked for: a list is asked once, and what is merged takes no place of the page."""
        merges = self._merging.wanted(asked.question)
        return min(_MOST_LISTED, self._products(asked) * (2 if merges else 1))

    def _images(self, asked: Asked) -> int:
        return min(MAX_IMAGES_PER_QUERY, 2 * self._products(asked) + asked.images_without)

    async def _found(
        self, asked: Asked, wanted: Wanted, vectors: Sequence[bytes], images: int | None = None
    ) -> list[Found]:
        """Of each vector (of none: one for the list), all by one generation."""
        images = self._images(asked) if images is None else images
        queries = [Query(vector, images, asked.aim, asked.deadline, wanted) for vector in vectors or [b""]]
        while True:
            found = await self._searches.all(queries)
            # A swap came in between; an answer is of one generation.
            if len({part.answer.generation for part in found}) == 1:
                return found

    async def _meant(self, asked: Asked, generation: str) -> Meant | None:
        """What the words look like, where that is to be asked for: of words alone, in the order of relevance."""
        question = asked.question
        if self._meanings is None or not question.weights.meaning or asked.vectors or question.sort is not None:
            return None
        return await self._meanings.vector(question.text, generation)

    async def _model(self, question: Question, generation: str) -> RankModel | None:
        """The order that this generation learned, where the question asks for it and there is one."""
        if self._ranks is None or question.rank is None or not question.rank.learned:
            return None
        return await self._ranks.of(generation)

    async def _with_meaning(self, asked: Asked, meant: Meant, found: list[Found], images: int) -> list[Found]:
        """The same, and behind it what looks like the words, by the same generation; without it where that fails."""
        aim = Aim(meant.extractor_id, found[0].answer.generation)
        wanted = Wanted(filter=encode_filter(asked.question.filter), with_vectors=self._merging.wanted(asked.question))
        query = Query(meant.vector, images, aim, asked.deadline, NOTHING_ELSE if wanted == NOTHING_ELSE else wanted)
        try:
            near = await self._searches.all([query])
        except (RejectedError, TransientError) as error:
            self._metrics.meaning_failures.inc()
            log.warning("event=meaning_not_searched next=words_alone problem=%s", error)
            return found
        return [*found, *near]

    async def _with_attributes(self, asked: Asked, found: list[Found]) -> list[Found]:
        """The same with the attributes of hits whose own were too long to come along, where they decide."""
        hits = [hit for part in found for hit in (*part.hits, *part.listed)]
        long = list(dict.fromkeys(hit.product_id for hit in hits if hit.attributes_omitted))[:MAX_DETAILS]
        if not long:
            return found
        request = DetailsRequest(
            product_ids=long, generation=found[0].answer.generation, max_bytes=MAX_ATTRIBUTES_BYTES
        )
        answer = await self._backend.details(request, max(0.0, asked.deadline - time.monotonic()))
        attributes = {detail.product_id: detail.attributes for detail in answer.details if not detail.trimmed}

        def whole(hits: list[Hit]) -> list[Hit]:
            return [
                msgspec.structs.replace(hit, attributes=attributes[hit.product_id], attributes_omitted=0)
                if hit.attributes_omitted and hit.product_id in attributes
                else hit
                for hit in hits
            ]

        return [replace(part, hits=whole(part.hits), listed=whole(part.listed)) for part in found]

    def _ranking(
        self, asked: Asked, found: list[Found], images: int, model: RankModel | None, least: float | None
    ) -> Ranking:
        question = asked.question
        near = [hit for part in found for hit in part.hits] if asked.vectors else None
        listed = found[0].listed
        meaning = [hit for part in found[1:] for hit in part.hits] if asked.meant and len(found) > 1 else None
        exhausted = all(len(part.hits) < images for part in found)
        if question.text or not asked.vectors:
            exhausted = exhausted and len(listed) < self._listed(asked)
        candidates = Candidates(
            look=near,
            words=listed if question.text else None,
            meaning=meaning,
            listed=listed if not question.text and not asked.vectors else None,
            exhausted=exhausted,
        )
        return Ranking(
            *(question, candidates),
            now_ms=watermark_of(found),
            shown=asked.seen.shown,
            without=asked.without,
            model=model,
            least=least,
        )

    def _compares(self, asked: Asked) -> bool:
        """Whether pictures are compared with each other, so that their vectors are wanted."""
        question = asked.question
        return (question.mmr is not None and bool(asked.vectors)) or self._merging.wanted(question)

    def _least(self, question: Question, found: list[Found], vectors: Vectors) -> float | None:
        """How alike pictures of doubles are; None where they are not merged, nor where there is none to compare."""
        if not vectors or not self._merging.wanted(question):
            return None
        return self._merging.least(found[0].answer.extractor_id)

    def _enough(self, asked: Asked, page: Page, found: list[Found], images: int) -> bool:
        """The page is full, or nothing more is to be had by asking for more images."""
        if page.complete or not (asked.vectors or asked.meant):
            return True
        return images >= MAX_IMAGES_PER_QUERY or all(len(part.hits) < images for part in found)

    async def _shown(
        self,
        asked: Asked,
        page: Page,
        first: list[Found],
        found: list[Found],
        match: str,
        search_began: float,
        merged: MergedHow | None,
        *,
        learned: bool,
    ) -> SearchAnswer:
        question = asked.question
        answer = first[0].answer
        hits = [msgspec.structs.replace(each.hit, score=each.score) for each in page.results]
        results = await shown(self._backend, hits, answer.generation, asked.deadline)
        if question.explain:
            parts = {each.hit.product_id: each.explain for each in page.results}
            for result in results:
                if (part := parts[result["product_id"]]) is not None:
                    result["explain"] = part
            if tells_parts(asked):
                tell_parts(asked, hits, parts)
        unnamed = name_doubles(page, results)
        if named := page.named - len(unnamed):
            self._metrics.merged.inc(named)
        counted = bool(question.text or question.facets) or not asked.vectors
        told = self._telling.tell(
            found,
            results,
            asked.kinds,
            Took(asked.began, search_began, asked.embed_s),
            matches=answer.matches if counted else None,
            facets=facet_answers(question, decode_counts(answer.facets)) if question.facets else None,
            cursor=_cursor(asked, page, unnamed),
            match=match if question.text else None,
            by_meaning=any(each.fit.meaning is not None for each in page.results),
            learned_rank=learned and question.sort is None,
            corrected=dict(answer.corrected) or None,
            photos=asked.photos,
            explain=SearchedHow(list(answer.plan), merged) if question.explain else None,
        )
        if self._log is not None:
            fits = {each.hit.product_id: each.fit for each in page.results}
            before = asked.seen.places + question.offset
            self._log.note(told, asked.kinds, watermark_of(found), question, fits, before)
        return told


def _cursor(asked: Asked, page: Page, unnamed: list[str]) -> str | None:
    """Of the page after this one, which begins with what this one could not name; None: there is none."""
    if not page.more and not unnamed:
        return None
    shown = page.shown.difference(map(product_hash, unnamed))
    return pages.encode(shown, asked.digest, asked.seen.named + page.named - len(unnamed)) or None


def _vectors(found: list[Found]) -> Vectors:
    """By image id, of all that came with one."""
    hits = (hit for part in found for hit in (*part.hits, *part.listed) if hit.vector)
    return {hit.image_id: np.frombuffer(hit.vector, "<f4") for hit in hits}

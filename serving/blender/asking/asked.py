"""One question on its way."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from indexing.look.tuning import Tuning
from schemas.query.question import Question
from schemas.search_log import Kind
from serving.blender.asking.searching import Aim
from serving.blender.embedding.meanings import Meant
from serving.blender.ranking import pages
from serving.blender.showing.answers import PhotoSeen


class Asked:
    """One question on its way: what it is asked with, and since when.

    `vectors`: to look like, float32 of length 1; of several an image's best
    score counts. `without`: products that the answer leaves out, `images_without`
    images of theirs, at most. `also`: what the route asks besides, for the cursor.
    `kinds`: what is asked with, for who counts; `photos`: what the answer says of
    them. `tuning`: by which parts of the look are told apart, where it has any.
    `meant`: what the words look like, once that is asked for as well.
    """

    def __init__(
        self,
        question: Question,
        aim: Aim,
        vectors: Sequence[bytes],
        began: float,
        embed_s: float,
        deadline: float,
        *,
        without: Collection[str] = (),
        images_without: int = 0,
        also: tuple[bytes, ...] = (),
        kinds: tuple[Kind, ...] = (),
        tuning: Tuning | None = None,
        photos: list[PhotoSeen] | None = None,
    ) -> None:
        self.question = question
        self.aim = aim
        self.vectors = vectors
        self.began = began
        self.embed_s = embed_s
        self.deadline = deadline
        self.without = without
        self.images_without = images_without
        self.kinds = kinds
        self.tuning = tuning
        self.photos = photos
        self.digest = question.digest(*also)
        self.seen = pages.decode(question.cursor, self.digest)
        self.meant: Meant | None = None

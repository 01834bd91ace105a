"""Vectors that a shop gives with its images, for the extractor `external:NAME:DIMENSION`: which must be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from schemas.errors import RejectedError
from schemas.events.event import ProductEvent, images_of
from schemas.events.given_vector import unit
from schemas.events.record import ImageEntry, ProductRecord
from schemas.features.ids import dimension_of, is_external

MISSING = "missing_vector"
"""Reason of a dead letter: an image of the shop's own extractor came without a vector, or none is known of it."""
UNEXPECTED = "unexpected_vector"
WRONG_LENGTH = "vector_length"


class VectorRule:
    """What `extractors`, ids with the main one first, demand of an event's images; at most one of them is external.

    The main extractor's images must have a vector where it is external: nothing
    else can make one. Where it is a further one, images may be without.
    """

    def __init__(self, extractors: Sequence[str]) -> None:
        self._extractor_id = next((name for name in extractors if is_external(name)), "")
        self._demanded = self._extractor_id == extractors[0]
        self._dimension = dimension_of(self._extractor_id) if self._extractor_id else 0

    def check(self, event: ProductEvent) -> None:
        """Raises `RejectedError` for an image that cannot be used as it is: the event is not applied, as a whole."""
        for image in images_of(event):
            if image.vector is None:
                if self._demanded:
                    raise RejectedError(
                        MISSING,
                        f"image {image.url[:200]!r} has no vector, and this index is of {self._extractor_id}: send the "
                        f"event with a vector of {self._dimension} numbers for each image",
                    )
            elif not self._extractor_id:
                raise RejectedError(
                    UNEXPECTED,
                    f"image {image.url[:200]!r} has a vector, and this index takes none: leave it out, or set "
                    "VITRINE_ENCODER to external:NAME:DIMENSION",
                )
            elif len(image.vector) != self._dimension:
                raise RejectedError(
                    WRONG_LENGTH,
                    f"image {image.url[:200]!r} has a vector of {len(image.vector)} numbers, {self._extractor_id} has "
                    f"{self._dimension}",
                )


class GivenVectors:
    """The vectors that a batch's events bring, by the image and the version that each of them makes it."""

    def __init__(self) -> None:
        self._vectors: dict[tuple[str, str, str | None], list[float]] = {}

    def note(self, event: ProductEvent) -> None:
        for image in images_of(event):
            if image.vector is not None:
                self._vectors[event.product_id, image.url, image.version_text] = image.vector

    def images(self, records: Mapping[str, ProductRecord | None]) -> Iterator[tuple[ProductRecord, ImageEntry]]:
        """The images of `records` (by product id), as they are now, whose vector came with this batch."""
        for product_id in {product_id for product_id, _, _ in self._vectors}:
            record = records.get(product_id)
            if record is None:
                continue
            for entry in record.images:
                if (product_id, entry.url, entry.version) in self._vectors:
                    yield record, entry

    def of(self, record: ProductRecord, entry: ImageEntry) -> bytes | None:
        """That of the image as the record has it, at length 1; None where no event of the batch brought it."""
        vector = self._vectors.get((record.product_id, entry.url, entry.version))
        return None if vector is None else unit(vector)

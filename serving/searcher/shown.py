"""What a shard shows of a product as a whole, from what it knows of its images."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from indexing.rows.results import ImageState
from schemas.events.attributes import TEXT_ATTRIBUTES

TRIMMED_CHARACTERS = 1000


def bearer_of_attributes(images: Iterable[ImageState]) -> ImageState | None:
    """The image whose state tells the product's attributes, as searches show them; None when there is no image.

    All attached images of a product carry its attributes, and the one changed
    last has the present ones. A detached image carries none (it is a
    tombstone), however late that happened. Of a product without attached
    images the latest state counts that tells anything.
    """
    return max(images, key=lambda image: (image.valid, _tells(image), image.state_seq), default=None)


def _tells(image: ImageState) -> bool:
    return bool(image.attributes) or image.price == image.price or image.sales >= 0 or image.praise == image.praise


def trimmed(attributes: bytes) -> bytes:
    """The known texts alone, each cut to `TRIMMED_CHARACTERS`: of a product that an answer has no room for."""
    texts = msgspec.json.decode(attributes)
    return msgspec.json.encode({n: texts[n][:TRIMMED_CHARACTERS] for n in TEXT_ATTRIBUTES if n in texts})

"""What a shard shows of a product as a whole, from what it knows of its images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from indexing.rows.results import ImageState, ProductState
from schemas.events.attributes import TEXT_ATTRIBUTES
from schemas.search_pb2 import Detail, ImageStatus, ReplicaStatus

TRIMMED_CHARACTERS = 1000


def product_status(images: Sequence[ImageState]) -> ReplicaStatus:
    """Of a product: its images, tombstones too, and its attributes. Whose answer it is, the caller fills in."""
    status = ReplicaStatus(
        images=[_image(image) for image in images], price=float("nan"), sales=-1, praise=float("nan")
    )
    if (bearer := bearer_of_attributes(images)) is not None:
        status.price, status.sales, status.praise = bearer.price, bearer.sales, bearer.praise
        status.attributes = bearer.attributes
    return status


def _image(state: ImageState) -> ImageStatus:
    return ImageStatus(
        image_id=state.image_id,
        url=state.url,
        valid=state.valid,
        searchable=state.searchable,
        state_seq=state.state_seq,
        vector_seq=state.vector_seq,
        vector=state.vector,
    )


def product_details(products: Iterable[tuple[str, ProductState | None]], max_bytes: int) -> list[Detail]:
    """What is shown of each product, by its id; attributes are trimmed once `max_bytes` of them are used up."""
    room, details = max_bytes, []
    for product_id, state in products:
        if state is None:
            details.append(Detail(product_id=product_id, gone=True))
            continue
        whole = len(state.attributes) <= room
        attributes = state.attributes if whole else trimmed(state.attributes)
        room = max(0, room - len(attributes))
        details.append(
            Detail(
                product_id=product_id,
                price=state.price,
                sales=state.sales,
                praise=state.praise,
                attributes=attributes,
                trimmed=not whole,
            )
        )
    return details


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

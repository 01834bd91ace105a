"""Where the texts of rows lie: attributes once for all images of a product, of each image all its own."""

from __future__ import annotations

from indexing.rows.forward import ForwardIndex, Row
from indexing.rows.row_map import RowMap
from indexing.rows.usable import SAID, SAID_SHIFT


class RowTexts:
    """Of the rows of one batch of deltas. Writer thread only."""

    def __init__(self, forward: ForwardIndex, rows: RowMap) -> None:
        self._forward = forward
        self._rows = rows
        self._placed: dict[bytes, int] = {}

    def attributes(self, image_id: bytes, attributes: bytes) -> int:
        """Where these attributes lie: the images of a product refer to one text, also those that come later."""
        if not attributes:
            return 0
        texts = self._forward.texts
        place = self._placed.get(attributes)
        if place is None:
            place = self._of_sibling(image_id, attributes)
        if place is None:
            place = texts.append(attributes)
        else:
            texts.share(place, len(attributes))
        self._placed[attributes] = place
        return place

    def _of_sibling(self, image_id: bytes, attributes: bytes) -> int | None:
        """Where the product's first or last image has the same attributes."""
        siblings = self._rows.of_product(image_id[:8])
        for number in {*siblings[:1], *siblings[-1:]}:
            row = self._forward.read(number)
            offset, size = row.attributes_offset, row.attributes_size
            if size == len(attributes) and self._forward.texts.read(offset, size) == attributes:
                return offset
        return None

    def identified(self, row: Row, image_id: bytes, product_id: str, url: str) -> Row:
        """The row of this image; what its picture says stays."""
        said = self._identity(row)[2]
        return self._placed_anew(row, image_id, product_id.encode(), url.encode(), said)

    def with_said(self, row: Row, said: bytes) -> Row:
        """The row with what its new picture says (`schemas.features.said`)."""
        if not said and not row.said_size:
            return row
        product, url, old = self._identity(row)
        return row if said == old else self._placed_anew(row, row.image_id, product, url, said)

    def _identity(self, row: Row) -> tuple[bytes, bytes, bytes]:
        """(product id, URL, what the picture says)"""
        identity = self._forward.identity_of(row)
        assert identity is not None, "the writer never reads a text that it dropped"
        return identity

    def _placed_anew(self, row: Row, image_id: bytes, product: bytes, url: bytes, said: bytes) -> Row:
        self._forward.texts.release(row.identity_offset, row.identity_size)
        return row._replace(
            image_id=image_id,
            identity_offset=self._forward.texts.append(product + url + said),
            product_size=len(product),
            url_size=len(url),
            flags=row.flags & ~SAID | len(said) << SAID_SHIFT,
        )

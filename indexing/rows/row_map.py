"""Where an image's row is: by image id, and by product.

A loaded shard has its images in sorted arrays, which are made in one go
without the GIL and freed as fast: queries of the generation that serves
meanwhile do not notice. A dictionary of a million entries would hold the GIL
for tenths of a second when it grows and when it goes, and takes thirteen times
the memory. What deltas bring afterwards is in dictionaries until the next load.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

ADDED_IMAGE_BYTES = 260
"""An image's share of the two dictionaries, measured: keys, values and tables."""
LOADED_IMAGE_BYTES = 21
"""An image's share of the arrays: its id, its row number, and the directory's part."""

_HALVES = Struct("<QQ")
_BUCKET_IMAGES_LOG2 = 3


class RowMap:
    """Row numbers of images. One thread writes, any thread reads.

    An image id is the product's hash and the URL's, 8 bytes each
    (`schemas.ids`): sorted by both, the images of a product lie together.
    """

    def __init__(self, image_ids: NDArray[np.void] | None = None, numbers: NDArray[np.int64] | None = None) -> None:
        """image_ids: (n,) of type V16, each once; numbers: (n,), their rows. Neither: an empty map."""
        halves = np.empty((0, 2), "<u8") if image_ids is None else _contiguous(image_ids)
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        self._products = halves[order, 0]
        self._urls = halves[order, 1]
        self._numbers = (np.empty(0, np.int64) if numbers is None else numbers)[order].astype(np.uint32)
        # Hashes are even: by its highest bits a product is found within a few entries.
        bits = max(0, len(order).bit_length() - _BUCKET_IMAGES_LOG2)
        self._shift = 64 - bits
        firsts = np.arange(1 << bits, dtype=np.uint64) << np.uint64(self._shift % 64)
        starts = np.searchsorted(self._products, firsts).astype(np.uint32)
        self._starts = np.append(starts, np.uint32(len(order)))
        # Elements of memoryviews come as Python's numbers, in a third of numpy's time.
        self._view_products, self._view_urls = self._products.data, self._urls.data
        self._view_numbers, self._view_starts = self._numbers.data, self._starts.data
        self._added: dict[bytes, int] = {}
        self._added_of_product: dict[bytes, tuple[int, ...]] = {}

    def __len__(self) -> int:
        """Number of images."""
        return len(self._products) + len(self._added)

    @property
    def allocated(self) -> int:
        """Bytes of memory held."""
        arrays = (self._products, self._urls, self._numbers, self._starts)
        return sum(array.nbytes for array in arrays) + ADDED_IMAGE_BYTES * len(self._added)

    def get(self, image_id: bytes) -> int | None:
        """The image's present row; None where it is not known."""
        number = self._added.get(image_id)
        if number is None and (place := self._place(image_id)) is not None:
            number = self._view_numbers[place]
        return number

    def add(self, image_id: bytes, number: int) -> None:
        """A row for an image that is not known yet. Writer thread only."""
        self._added[image_id] = number
        key = image_id[:8]
        self._added_of_product[key] = (*self._added_of_product.get(key, ()), number)

    def move(self, image_id: bytes, number: int) -> None:
        """Another row for a known image. Writer thread only."""
        before = self._added.get(image_id)
        if before is None:
            place = self._place(image_id)
            assert place is not None, "only known images move"
            self._view_numbers[place] = number
            return
        self._added[image_id] = number
        key = image_id[:8]
        rows = self._added_of_product[key]
        self._added_of_product[key] = tuple(number if row == before else row for row in rows)

    def of_product(self, product_hash: bytes) -> tuple[int, ...]:
        """A row of each of the product's images: the present one, or one that was present when this began."""
        added = self._added_of_product.get(product_hash, ())
        if not len(self._products):
            return added
        first, end = self._range(int.from_bytes(product_hash, "little"))
        return (*self._view_numbers[first:end].tolist(), *added)

    def image_ids(self) -> list[bytes]:
        """Of every image known. Writer thread only."""
        joined = np.stack((self._products, self._urls), axis=1).tobytes()
        return [joined[start : start + 16] for start in range(0, len(joined), 16)] + list(self._added)

    def product_hashes(self) -> NDArray[np.uint64]:
        """The product's hash of every image, (n,). Writer thread only."""
        added = np.frombuffer(b"".join(self._added), dtype="<u8")[::2]
        return np.concatenate((self._products, added))

    def numbers(self) -> list[int]:
        """The present row of every image. Writer thread only."""
        numbers: list[int] = self._numbers.tolist()
        return numbers + list(self._added.values())

    def take_apart(self) -> None:
        """Empties the dictionaries, an entry at a time: dropped whole, they would hold the GIL until they are gone."""
        tables: tuple[dict[Any, Any], ...] = (self._added, self._added_of_product)
        for table in tables:
            while table:
                table.popitem()

    def _range(self, product: int) -> tuple[int, int]:
        """Where the product's images lie in the arrays: from, to."""
        products, starts, bucket = self._view_products, self._view_starts, product >> self._shift
        first = bisect_left(products, product, starts[bucket], starts[bucket + 1])
        if first == len(products) or products[first] != product:
            return first, first
        return first, bisect_right(products, product, first, starts[bucket + 1])

    def _place(self, image_id: bytes) -> int | None:
        """Where the image lies in the arrays."""
        product, url = _HALVES.unpack(image_id)
        first, end = self._range(product)
        place = bisect_left(self._view_urls, url, first, end)
        return place if place < end and self._view_urls[place] == url else None


def _contiguous(image_ids: NDArray[np.void]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(image_ids).view("<u8").reshape(-1, 2)

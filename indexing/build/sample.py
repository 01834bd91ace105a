"""Which images train the centroids and which test them: drawn by image id, not by order of arrival.

Image ids are hashes, so a seeded mix of their bits is as good as a random
number, and the draw depends on the set of images alone: a build that is
killed and run again, in whatever order its batches come, trains the same
centroids on the same sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.errors import CorruptError

HELD_BACK_SHARE = 16
"""One image in this many never trains centroids: recall is measured with these."""

_HELD_BACK_BELOW = np.uint64((1 << 64) // HELD_BACK_SHARE)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def draw_keys(image_ids: NDArray[np.void], seed: int) -> NDArray[np.uint64]:
    """A random-looking number for each image, (n,), from ids of type V16 (splitmix64's finaliser over both halves)."""
    halves = np.frombuffer(image_ids.tobytes(), dtype="<u8").reshape(-1, 2)
    keys = halves[:, 0] ^ (halves[:, 1] * _GOLDEN)
    keys += np.uint64((seed * int(_GOLDEN)) & 0xFFFFFFFFFFFFFFFF)
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX_1
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX_2
    mixed: NDArray[np.uint64] = keys ^ (keys >> np.uint64(31))
    return mixed


def refuse_doubled_images(image_ids: NDArray[np.void]) -> None:
    """Raises `CorruptError` naming an image that is there twice: a build takes each image once, in its last state."""
    keys = draw_keys(image_ids, 0)
    order = np.argsort(keys, kind="stable")
    same = np.nonzero(keys[order[1:]] == keys[order[:-1]])[0]
    for first, second in zip(order[same].tolist(), order[same + 1].tolist(), strict=True):
        if image_ids[first].tobytes() == image_ids[second].tobytes():
            raise CorruptError(
                f"image {image_ids[first].tobytes().hex()} came twice (rows {first} and {second}): "
                "the stores' copies overlap; take the checkpoints again and run the build anew"
            )


def training_positions(keys: NDArray[np.uint64], wanted: int, least: int) -> NDArray[np.int64]:
    """Positions of the training sample in the order of their keys: of the images not held back, `wanted` or all.

    Held-back images join it only when there are fewer than `least` without them.
    """
    candidates = np.nonzero(keys >= _HELD_BACK_BELOW)[0]
    if len(candidates) < least:
        candidates = np.arange(len(keys))
    return _smallest(candidates, keys, wanted)


def held_back_positions(keys: NDArray[np.uint64], wanted: int) -> NDArray[np.int64]:
    """Positions of the test sample in the order of their keys: the smallest keys, held back where there are enough."""
    return _smallest(np.arange(len(keys)), keys, wanted)


def _smallest(candidates: NDArray[np.int64], keys: NDArray[np.uint64], wanted: int) -> NDArray[np.int64]:
    chosen = keys[candidates]
    if wanted < len(candidates):
        nearest = np.argpartition(chosen, wanted)[:wanted]
        candidates, chosen = candidates[nearest], chosen[nearest]
    return candidates[np.argsort(chosen, kind="stable")]

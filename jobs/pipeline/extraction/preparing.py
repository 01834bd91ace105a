"""From an image file to what the extraction child makes a feature of: decoded once, for the network and who else looks.

The words in it and the objects that it shows are looked for where the settings ask for that (docs/adr/0061, 0065).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jobs.pipeline.extraction.protocol import Configure
from schemas.features.objects import LEAST_SCORE, told_objects
from vision.pictures.decode import ImageLimits, decode_image

if TYPE_CHECKING:
    from vision.detector.detecting import Detector
    from vision.embedder import Embedder
    from vision.words.reading import WordReader

log = logging.getLogger("jobs.extraction")


class Prepared(NamedTuple):
    """What the network is given, the words in the picture, and the names of objects that it shows."""

    pixels: NDArray[np.uint8]
    words: list[str]
    objects: list[str]


class Preparer:
    """Loaded once. `prepare` may run in many threads."""

    def __init__(self, configure: Configure, embedder: Embedder) -> None:
        """Raises `OperatorError` where what is to look is not installed."""
        self._limits = ImageLimits(configure.max_bytes, configure.max_pixels)
        self._embedder = embedder
        self._words: WordReader | None = None
        self._detector: Detector | None = None
        if configure.words:
            from vision.words.reading import WordReader

            self._words = WordReader(configure.threads)
        if configure.objects:
            from vision.detector.detecting import Detector

            self._detector = Detector(configure.threads)

    def prepare(self, key: bytes, data: bytes) -> Prepared:
        """A picture in which nothing can be read or seen is found by its look all the same. Raises `RejectedError`."""
        image = decode_image(data, self._limits)
        return Prepared(
            self._embedder.input_of(image),
            _unless_it_fails(self._read, image, key),
            _unless_it_fails(self._seen, image, key),
        )

    def _read(self, image: Image.Image) -> list[str]:
        return [] if self._words is None else self._words.read(image)

    def _seen(self, image: Image.Image) -> list[str]:
        return [] if self._detector is None else told_objects(self._detector.named(image, LEAST_SCORE))


def _unless_it_fails(look: Callable[[Image.Image], list[str]], image: Image.Image, key: bytes) -> list[str]:
    try:
        return look(image)
    except Exception:
        log.exception("event=picture_not_%s image_key=%s", look.__name__.strip("_"), key.hex())
        return []

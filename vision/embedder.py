"""Image bytes to vectors: the one path that catalogue pictures take, and shoppers' photos once they are put right."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision import extractor
from vision.kept.embedding import Vectors, device_here, kept_vectors
from vision.pictures.decode import ImageLimits, decode_image
from vision.pictures.photo import put_right
from vision.pictures.preprocess import model_input

logger = logging.getLogger(__name__)


class Embedder:
    """A loaded encoder. `prepare` may run in many threads; `embed` uses the network's own threads."""

    def __init__(self, facts: extractor.Extractor, vectors: Vectors) -> None:
        self._vectors = vectors
        self.extractor_id = facts.extractor_id
        self.dimension = facts.dimension
        self.image_size = facts.image_size

    def prepare(self, data: bytes, limits: ImageLimits) -> NDArray[np.uint8]:
        """Decodes, cleans and resizes one picture: (size, size, 3) uint8, RGB.

        Thread-safe; most of it runs without the GIL. Raises `RejectedError` as `decode_image` does.
        """
        return self.input_of(decode_image(data, limits))

    def input_of(self, image: Image.Image) -> NDArray[np.uint8]:
        """`prepare` of a picture that is decoded. Thread-safe."""
        return model_input(image, self.image_size)

    def prepare_photo(self, data: bytes, limits: ImageLimits) -> NDArray[np.uint8]:
        """`prepare` for what a shopper asks with, put right first (`vision.pictures.photo`)."""
        return model_input(put_right(decode_image(data, limits)), self.image_size)

    def embed(self, inputs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Prepared pictures to (n, dimension) float32 rows of unit length, in their order.

        One call is one batch of the network: a few dozen pictures use it best. A
        row does not depend on the others, except in its last bits.
        """
        if not inputs:
            return np.empty((0, self.dimension), np.float32)
        return self._vectors(np.stack(inputs))


def create_embedder(
    encoder: str,
    weights: str = "",
    device: str = "auto",
    threads: int = 0,
    *,
    bfloat16: bool = False,
    kept: bool = True,
) -> Embedder:
    """Loads an encoder by name (`vision.encoding`): a moment where its network is kept for here (`vision.kept`).

    Else PyTorch is loaded and measures how it runs best here, which takes some seconds.

    `device`: auto (the faster one of CPU and CUDA's first card, as measured here), cpu, cuda,
    cuda:1, ...; `threads`: CPU threads of the network in this whole process, 0
    for PyTorch's default; `bfloat16`: may be used where it is faster, at a
    loss of recall (`vision.encoding.execution`); `kept`: what was kept will
    do. Start the process with `vision.environment.MALLOC_ENV`. Raises `OperatorError`.
    """
    facts = extractor.describe(encoder, weights)
    kept = kept and not bfloat16
    decided = device_here(facts.extractor_id, device) if kept else ""
    vectors = kept_vectors(facts.extractor_id, decided, threads)
    if vectors is None:
        from vision.encoding.measured import measured_vectors  # PyTorch: seconds

        vectors = measured_vectors(facts, weights, device, threads, bfloat16=bfloat16, kept=kept, known=decided)
    else:
        logger.info("embedder ready extractor_id=%s execution=kept", facts.extractor_id)
    return Embedder(facts, vectors)

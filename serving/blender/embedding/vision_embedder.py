"""The `vision` package behind `PhotoEmbedder`: the shopper's photo takes the same way as the catalogue's."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from generations.folder import Generations
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import LIVE
from schemas.settings import Settings
from serving.blender.embedding.photos import PhotoEmbedder
from vision.decode import ImageLimits, checked_header
from vision.extractor import describe, extractor_id

log = logging.getLogger(__name__)

WARM_UP_BATCHES = (1, 2, 4)
"""The network specialises itself on the first inputs of a size; shoppers should not wait for that."""


def first_extractor(settings: Settings) -> tuple[str, str]:
    """(extractor id, generation) to begin with: of what the alias names, or of the settings where there is none."""
    generations = Generations(settings.layout.generations)
    try:
        serving = generations.serving()
        if serving is not None:
            return serving.extractor_id, serving.name
    except (CorruptError, OperatorError) as error:
        log.error("event=alias_unreadable next=extractor_of_the_settings problem=%s", error)
    return extractor_id(settings.encoder, settings.weights), LIVE


def load_extractor(settings: Settings, wanted: str, generation: str) -> PhotoEmbedder:
    """The encoder of extractor `wanted`: the settings', or as the manifest of `generation` says.

    Raises `OperatorError` when what is there is another extractor, `CorruptError` for a damaged manifest.
    """
    encoder, weights = settings.encoder, settings.weights
    if generation != LIVE and extractor_id(encoder, weights) != wanted:
        manifest = Generations(settings.layout.generations).read(generation)
        encoder, weights = manifest.encoder, manifest.weights
    found = extractor_id(encoder, weights)
    if found != wanted:
        raise OperatorError(
            f"generation {generation} is of extractor {wanted}, and encoder {encoder} with weights "
            f"{weights or 'as published'} is {found} here; put the weights back that it was extracted with"
        )
    return load_embedder(settings, encoder, weights)


def query_limits(settings: Settings) -> ImageLimits:
    """Far below the catalogue's: a photo is scaled down anyway, and its sender is nobody we know."""
    return ImageLimits(
        max_bytes=settings.query_max_bytes,
        max_pixels=settings.query_max_pixels,
        max_jpeg_pixels=settings.query_max_jpeg_pixels,
        halve=True,
    )


def load_embedder(settings: Settings, encoder: str = "", weights: str = "") -> PhotoEmbedder:
    """Loads and warms a model, by default the settings': seconds, and half a gigabyte. Raises `OperatorError`."""
    # Importing torch takes seconds, in which the process already answers /healthz.
    from vision.embedder import Embedder, create_embedder

    if not encoder:
        encoder, weights = settings.encoder, settings.weights
    limits = query_limits(settings)

    class VisionEmbedder:
        def __init__(self, embedder: Embedder) -> None:
            self._embedder = embedder

        def weigh(self, data: bytes) -> int:
            return checked_header(data, limits).cost

        def prepare(self, data: bytes) -> NDArray[np.uint8]:
            return self._embedder.prepare(data, limits)

        def embed(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
            return self._embedder.embed(inputs)

    embedder = VisionEmbedder(create_embedder(encoder, weights, settings.device))
    size = describe(encoder, weights).image_size
    for count in WARM_UP_BATCHES:
        embedder.embed([np.full((size, size, 3), 127, np.uint8)] * count)
    return embedder

"""The `vision` package behind `PhotoEmbedder`: the shopper's photo, put right, goes the catalogue's way."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from generations.folder import Generations
from indexing.look.first import first_look
from indexing.look.looks import Look, Tuned
from indexing.look.part import look_of
from schemas.errors import CorruptError, OperatorError
from schemas.features.ids import features_of
from schemas.full_index.generation import LIVE
from schemas.settings import Settings
from serving.blender.embedding.photos import PhotoEmbedder
from vision.extractor import describe, extractor_id
from vision.pictures.decode import ImageLimits, checked_header

log = logging.getLogger(__name__)

Note = Callable[[str, NDArray[np.float32]], None]
"""Told (extractor id, base features (n, numbers)), on the thread that embeds."""

WARM_UP_BATCHES = (1, 2, 4)
"""The network specialises itself on the first inputs of a size; shoppers should not wait for that."""


def first_extractor(settings: Settings) -> tuple[str, str]:
    """(extractor id, generation) to begin with: of what the alias names, or of the settings where there is none."""
    generations = Generations(settings.layout.generations)
    try:
        serving = generations.serving()
        if serving is not None:
            return serving.extractor_id, serving.name
    except (CorruptError, OperatorError, OSError) as error:
        log.error("event=alias_unreadable next=extractor_of_the_settings problem=%s", error)
    return first_look(extractor_id(settings.encoder, settings.weights), settings.layout.looks).extractor_id, LIVE


def load_extractor(settings: Settings, note: Note, wanted: str, generation: str) -> PhotoEmbedder:
    """The encoder of extractor `wanted`: the settings', or as the manifest of `generation` says; tuned as that one is.

    `note`: told of the features of every photo that is asked with, where they are tuned.
    Raises `OperatorError` when what is there is another extractor, `CorruptError` for a damaged manifest.
    """
    encoder, weights = settings.encoder, settings.weights
    generations, manifest = Generations(settings.layout.generations), None
    if generation != LIVE:
        manifest = generations.read(generation)
        if extractor_id(encoder, weights) != features_of(wanted):
            encoder, weights = manifest.encoder, manifest.weights
    features = extractor_id(encoder, weights)
    if manifest is not None and manifest.extractor_id == wanted:
        look = look_of(manifest, lambda entry: generations.learned(generation, entry))
    else:
        look = first_look(features, settings.layout.looks)
    if look.extractor_id != wanted or features != look.features_id:
        raise OperatorError(
            f"generation {generation} is of extractor {wanted}, and encoder {encoder} with weights "
            f"{weights or 'as published'} is {look.extractor_id} here; put the weights back that it was extracted with"
        )
    return load_embedder(settings, encoder, weights, look, note)


def query_limits(settings: Settings) -> ImageLimits:
    """Far below the catalogue's: a photo is scaled down anyway, and its sender is nobody we know."""
    return ImageLimits(
        max_bytes=settings.query_max_bytes,
        max_pixels=settings.query_max_pixels,
        max_jpeg_pixels=settings.query_max_jpeg_pixels,
        halve=True,
    )


def load_embedder(
    settings: Settings, encoder: str = "", weights: str = "", look: Look | None = None, note: Note | None = None
) -> PhotoEmbedder:
    """Loads and warms a model, by default the settings': seconds, and half a gigabyte. Raises `OperatorError`.

    `look`: by which its features are asked with; None: as they are. `note`: told of features before they are tuned.
    """
    # Importing torch takes seconds, in which the process already answers /healthz.
    from vision.embedder import Embedder, create_embedder

    if not encoder:
        encoder, weights = settings.encoder, settings.weights
    limits = query_limits(settings)

    class VisionEmbedder:
        def __init__(self, embedder: Embedder) -> None:
            self._embedder = embedder
            self.tuning = look.tuning if isinstance(look, Tuned) else None
            self.note: Note | None = None  # not of what it is warmed up with

        def weigh(self, data: bytes) -> int:
            return checked_header(data, limits).cost

        def prepare(self, data: bytes) -> NDArray[np.uint8]:
            return self._embedder.prepare_photo(data, limits)

        def embed(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
            rows = self._embedder.embed(inputs)
            if self.tuning is None:
                return rows
            if self.note is not None:
                self.note(self._embedder.extractor_id, rows)
            return self.tuning.queries(rows)

    embedder = VisionEmbedder(create_embedder(encoder, weights, settings.device))
    size = describe(encoder, weights).image_size
    for count in WARM_UP_BATCHES:
        embedder.embed([np.full((size, size, 3), 127, np.uint8)] * count)
    embedder.note = note
    return embedder

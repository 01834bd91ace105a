"""What the world calls things, and where that lies in an encoder's space: names that a map of meaning need not learn.

- Colours: CSS's 148 names, each drawn as a piece of clothing on white and embedded.
- Kinds: ImageNet's 1,000 class names, each where the network's own classifier looks for it (after DeViSE, Frome et al.
  2013); of an EfficientNet-lite alone, on whose last layer that classifier stands.

The same for every shop: it depends on the extractor alone.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from schemas.features.blocks import blocks_of
from vision import extractor
from vision.embedder import Embedder
from vision.encoding.encoders import Head
from vision.pictures.decode import ImageLimits

_BATCH = 16
_SIZE = (320, 400)
_OUTLINE = ((90, 60), (230, 60), (300, 130), (260, 170), (235, 150), (235, 340), (85, 340), (85, 150), (60, 170),
            (20, 130))  # fmt: skip
"""A shirt."""
_COLOUR_WORDS = re.compile(
    r"alice|almond|antique|aquamarine|aqua|blanched|blue|blush|brown|burly|cadet|chiffon|coral|cornflower|cream|cyan"
    r"|dark|deep|dim|dodger|drab|fire|brick|floral|forest|ghost|goldenrod|gold|gray|green|grey|hot|indian|khaki|lace"
    r"|lavender|lawn|lemon|light|lime|magenta|medium|midnight|mint|misty|navajo|old|olive|orange|orchid|pale|papaya"
    r"|peach|pink|powder|puff|purple|rebecca|red|rose|rosy|royal|saddle|salmon|sandy|sea|shell|sky|slate|smoke|spring"
    r"|steel|turquoise|violet|wheat|whip|white|wood|yellow"
)


@dataclass(frozen=True, slots=True)
class KnownLooks:
    """names, and for each the direction (n, dimension) float32, of unit length, that leads to it from a mean."""

    names: tuple[str, ...]
    directions: NDArray[np.float32]


def known_looks(embedder: Embedder, encoder: str, weights: str = "") -> KnownLooks:
    """All that is known for an encoder, in two seconds. Raises `OperatorError` as `create_embedder` does."""
    colours = _colours(embedder)
    if not extractor.is_efficientnet_lite(encoder):
        return colours
    kinds = _kinds(encoder, weights)
    return KnownLooks(colours.names + kinds.names, np.concatenate([colours.directions, kinds.directions]))


def spaced(colour: str) -> str:
    """CSS's name as it is written: darkslategray is dark slate gray."""
    words = _COLOUR_WORDS.findall(colour)
    return " ".join(words) if "".join(words) == colour else colour


def _colours(embedder: Embedder) -> KnownLooks:
    names = list(ImageColor.colormap)
    limits = ImageLimits()
    inputs = [embedder.prepare(_drawn(name), limits) for name in names]
    rows = [embedder.embed(inputs[begin : begin + _BATCH]) for begin in range(0, len(inputs), _BATCH)]
    return KnownLooks(tuple(map(spaced, names)), _directions(np.concatenate(rows)))


def _drawn(colour: str) -> bytes:
    image = Image.new("RGB", _SIZE, "white")
    ImageDraw.Draw(image).polygon(_OUTLINE, fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _kinds(encoder: str, weights: str) -> KnownLooks:
    from torchvision.models import EfficientNet_B0_Weights  # its list of names alone

    names: list[str] = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    checkpoint = torch.load(extractor.describe(encoder, weights).weights_file, map_location="cpu", weights_only=True)
    classifier = checkpoint["_fc.weight"].float().numpy()
    directions = classifier - classifier.mean(axis=0)
    if extractor.is_composite(encoder):
        directions = directions @ Head(encoder).projection.numpy()[: extractor.HEAD_CHANNELS]
    if blocks := blocks_of(encoder):  # the last layer comes first
        directions = np.pad(directions, ((0, 0), (0, sum(block.length for block in blocks[1:]))))
    return KnownLooks(tuple(name.lower() for name in names), _directions(directions))


def _directions(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = rows - rows.mean(axis=0)
    directions: NDArray[np.float32] = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return directions.astype(np.float32)

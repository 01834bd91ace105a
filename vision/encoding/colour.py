"""Smoothed Lab histogram of a picture's foreground: the colour part of the composite encoders.

Networks trained to name things learn to look past colour, which is what tells
one product from its sister. Foreground is what is not near white: studio
backgrounds and our own padding are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_CELLS = 32
_BINS = 8
COLOUR_BINS = _BINS**3
_RANGE_AB = 64.0
_SMOOTHING = 0.5
_WHITE_DISTANCE = 12.0
LEAST_FOREGROUND = 0.02
WHITE_CELL = ((_CELLS - 1) * _CELLS + _CELLS // 2) * _CELLS + _CELLS // 2


class ColourHistogram(nn.Module):
    """Pixels (n, size, size, 3) uint8 to (n, 512) float32: square root of the histogram, unit length.

    Counts in a fine Lab grid by a table over 5-bit RGB, then spreads each
    cell over 8 x 8 x 8 bins by a Gaussian: neighbouring colours still match.
    """

    table: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        level = torch.arange(32, dtype=torch.float64) * 8 + 4
        seen = lab(torch.stack(torch.meshgrid(level, level, level, indexing="ij"), -1).reshape(-1, 3))
        unit = torch.stack([seen[:, 0] / 100, *((seen[:, c] + _RANGE_AB) / (2 * _RANGE_AB) for c in (1, 2))], 1)
        cell = (unit * _CELLS).long().clamp(0, _CELLS - 1)
        index = (cell[:, 0] * _CELLS + cell[:, 1]) * _CELLS + cell[:, 2]
        white = torch.linalg.vector_norm(seen - torch.tensor([100.0, 0.0, 0.0]), dim=1) <= _WHITE_DISTANCE
        self.register_buffer("table", torch.where(white, _CELLS**3, index), persistent=False)
        centre = (torch.arange(_CELLS) + 0.5) * _BINS / _CELLS
        weight = torch.exp(-0.5 * ((centre[:, None] - torch.arange(_BINS) - 0.5) / _SMOOTHING) ** 2)
        self.register_buffer("spread", weight / weight.sum(1, keepdim=True), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        n = len(images)
        code = (images >> 3).to(torch.int64)
        cell = self.table[(code[..., 0] << 10) | (code[..., 1] << 5) | code[..., 2]].reshape(n, -1)
        offset = torch.arange(n, device=cell.device)[:, None] * (_CELLS**3 + 1)
        count = torch.bincount((cell + offset).flatten(), minlength=n * (_CELLS**3 + 1)).reshape(n, -1).float()
        foreground = count[:, :-1]
        share = foreground.sum(1, keepdim=True) / cell.shape[1]
        # A picture that is white almost everywhere is described by that white.
        foreground[:, WHITE_CELL] += torch.where(share < LEAST_FOREGROUND, count[:, -1:], 0)[:, 0]
        grid = foreground.reshape(n, _CELLS, _CELLS, _CELLS)
        for _ in range(3):
            grid = torch.tensordot(grid, self.spread, dims=([1], [0]))
        return torch.nn.functional.normalize(grid.reshape(n, -1).sqrt())


def lab(rgb: Tensor) -> Tensor:
    """sRGB (n, 3) 0..255 to CIE Lab under D65."""
    value = rgb / 255
    linear = torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.tensor(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
        dtype=torch.float64,
    )
    xyz = linear @ to_xyz.T / torch.tensor([0.95047, 1.0, 1.08883], dtype=torch.float64)
    f = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)

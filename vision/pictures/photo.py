"""A shopper's photo, put right before it is looked at: a screenshot's frame off, the light as in a shop's pictures.

Catalogue pictures are taken in good light and fill their file; photos are not and do not, and the colours that they
lose are what a product is told by. What is done here is little, and nothing at all to most photos: each step has a sign
that studio pictures and good photos do not have (`benchmarks/robust`, docs/adr/0053).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

_SIDE = 256
"""Pixels of the longer side, about, of what is looked at to decide."""

_EVEN = 24
"""Levels (0..255) by which the pixels of a row may differ that shows nothing, JPEG's traces included."""
_LEAST_EDGE = 0.04
"""Share of the height that lies above, and below, a picture that is framed: a status bar's."""
_LEAST_SHOWN = 0.3
"""Share of the height that the picture has at least."""
_MUCH_TALLER = 3
"""As many times as the second tallest band of rows: else it is a page, or several things on white."""

_BRIGHTEST = 0.05
"""Share of the pixels that tell the light's colour: what is white, or shines."""
_WARM, _COLOURFUL = 1.3, 1.9
"""Strongest by weakest channel of these: below it is daylight, above it is a colourful thing and not the light."""
_ALL_OVER = 1.15
"""Strongest by weakest channel of the whole photo then, at least."""
_BRIGHT_SPOTS = 0.02
"""Share of the pixels that may be brighter in a dark photo."""
_DARK = 100
"""Luma up to which the others are in one."""
_BRIGHT = 250.0
"""What that becomes: studio white is whiter than `preprocess.WHITE`."""
_MOST_GAIN = 5.0


def put_right(photo: Image.Image) -> Image.Image:
    """An upright RGB photo as the catalogue's pictures are, as far as can be told; often the very same. Thread-safe."""
    small = _small(photo)
    shown = _framed_rows(small)
    if shown is not None:
        above, below = shown
        rows = photo.height / small.height
        photo = photo.crop((0, round(above * rows), photo.width, round(below * rows)))
        small = small.crop((0, above, small.width, below))
    return _by_white_light(photo, small)


def lit(photo: Image.Image) -> Image.Image:
    """As if by white light ("white patch": Land, 1977), and bright, where it is clearly neither."""
    return _by_white_light(photo, _small(photo))


def _framed_rows(small: Image.Image) -> tuple[int, int] | None:
    """First row of the picture that a screenshot shows, and the one behind it: the tallest band between empty ones."""
    grey = np.asarray(small.convert("L"))
    empty = grey.max(axis=1) - grey.min(axis=1) <= _EVEN
    height = len(empty)
    edges = np.flatnonzero(np.diff(empty, prepend=True, append=True))
    bands = sorted(((int(below - above), int(above)) for above, below in edges.reshape(-1, 2)), reverse=True)
    if len(bands) < 2:
        return None  # one thing before a plain wall
    (shown, above), (second, _) = bands[:2]
    if shown < _LEAST_SHOWN * height or second * _MUCH_TALLER > shown:
        return None
    if min(above, height - above - shown) < _LEAST_EDGE * height:
        return None
    return above, above + shown


def _by_white_light(photo: Image.Image, small: Image.Image) -> Image.Image:
    luma = small.convert("L")
    up_to = np.cumsum(luma.histogram()) / (small.width * small.height)
    shines = np.arange(256) >= np.searchsorted(up_to, 1 - _BRIGHTEST)
    gains = _against(ImageStat.Stat(small, luma.point((shines * 255).tolist())).mean, ImageStat.Stat(small).mean)
    bright = int(np.searchsorted(up_to, 1 - _BRIGHT_SPOTS))
    if bright < _DARK:
        gains = gains * min(_MOST_GAIN, _BRIGHT / max(bright, 1))
    if (gains == 1.0).all():
        return photo
    levels = np.clip(np.arange(256) * gains[:, np.newaxis], 0, 255).round()
    return photo.point(levels.astype(int).ravel().tolist())


def _against(light: Sequence[float], whole: Sequence[float]) -> NDArray[np.float64]:
    """By what to multiply red, green and blue under a light of that colour; ones where it may be no light's.

    `whole`: mean of all pixels, which a light tints as what shines. Lamps are between red and blue, with green in the
    middle: what is red, green or purple is a thing.
    """
    red, green, blue = (max(1.0, level) for level in light)
    warm = red >= green >= blue and whole[0] >= _ALL_OVER * whole[2]
    cold = blue >= green >= red and whole[2] >= _ALL_OVER * whole[0]
    strongest, weakest = max(red, blue), min(red, blue)
    if not (warm or cold) or not _WARM <= strongest / weakest <= _COLOURFUL:
        return np.ones(3)
    return np.array([strongest / red, strongest / green, strongest / blue])


def _small(photo: Image.Image) -> Image.Image:
    factor = max(photo.size) // _SIDE
    return photo.reduce(factor) if factor > 1 else photo

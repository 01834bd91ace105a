"""Finds things in pictures: the detector's network, run by OpenVINO."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision.detector.boxes import SIDE, Seen, boxes_of
from vision.detector.folder import checked_network
from vision.detector.names import NAMES

OUTPUTS = ("Identity", "Identity_1", "Identity_2", "Identity_3", "Identity_4", "Identity_5")
"""Of the published graph, in the order that `boxes_of` takes them in."""
MEAN, DEVIATION = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
"""Of blue, green and red: what its authors trained it with."""


class Detector:
    """The loaded network. `detect` may be called by any thread."""

    def __init__(self, threads: int = 1) -> None:
        """threads: of the processor, 0 for all. Raises `OperatorError` where the detector is missing or altered."""
        network = checked_network()
        from vision.openvino.onnx_file import OnnxNetwork

        self._network = OnnxNetwork(network, threads)

    def detect(self, image: Image.Image, least: float) -> list[Seen]:
        """What is seen with that score at least, the surest first. image: RGB, upright.

        The same for the same picture, on one machine; elsewhere a score may differ in its last digits.
        """
        return boxes_of(self.outputs(image), least)

    def outputs(self, image: Image.Image) -> list[NDArray[np.float32]]:
        """What the network makes of it, as `boxes_of` takes it."""
        return self._network.all(pixels=_input(image))

    def named(self, image: Image.Image, least: float) -> list[tuple[str, float]]:
        """Names and scores of what `detect` finds, the surest first."""
        return [(NAMES[each.label], each.score) for each in self.detect(image, least)]


def _input(image: Image.Image) -> NDArray[np.uint8]:
    """(1, side, side, 3): all of the picture, without its proportions."""
    small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small)[None]

"""Operations of TensorFlow.js as OpenVINO runs them, against the same in numpy."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vision.openvino.onnx_file import OnnxNetwork
from vision.openvino.tensorflow_js import UnknownOperation, save_network

SIDE = 6
VALID = {"padding": {"s": base64.b64encode(b"VALID").decode()}}
TWICE = {"list": {"i": ["1", "2", "2", "1"]}}
ONCE = {"list": {"i": ["1", "1", "1", "1"]}}


def node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


PIXELS = node("pixels", "Placeholder", shape={"shape": {"dim": [{"size": str(size)} for size in (1, 3, SIDE, SIDE)]}})
LAST = [PIXELS, node("last", "Transpose", "pixels", "to_last")]
TO_LAST = {"to_last": np.array([0, 2, 3, 1], np.int32)}


def run(folder: Path, nodes: list[dict[str, Any]], weights: dict[str, Any], pixels: NDArray[np.uint8]) -> Any:
    file = folder / "network.xml"
    save_network([*LAST, *nodes], TO_LAST | weights, [nodes[-1]["name"]], file, mean=(1, 2, 3), scale=(4, 5, 6))
    return OnnxNetwork(file, 1)(pixels=pixels[None])


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)


def given(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a graph sees of the pixels, channels last: blue first, from which a mean is taken, divided."""
    return ((pixels[:, :, ::-1] - np.float32([1, 2, 3])) / np.float32([4, 5, 6])).astype(np.float32)


def test_convolution_with_its_padding_is_that_of_numpy(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    kernel = np.random.default_rng(6).normal(size=(3, 3, 3, 2)).astype(np.float32)
    nodes = [
        node("padded", "Pad", "last", "around"),
        node("convolved", "Conv2D", "padded", "kernel", strides=TWICE, dilations=ONCE, **VALID),
        node("shifted", "AddV2", "convolved", "bias"),
        node("bent", "LeakyRelu", "shifted", alpha={"f": 0.1}),
    ]
    around = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    bias = np.float32([0.5, -3.0])
    found = run(tmp_path, nodes, {"around": around, "kernel": kernel, "bias": bias}, pixels)
    padded = np.pad(given(pixels), around[1:])
    windows = np.stack([[padded[y : y + 3, x : x + 3] for x in range(0, SIDE, 2)] for y in range(0, SIDE, 2)])
    expected = np.einsum("yxhwc,hwco->yxo", windows, kernel) + bias
    np.testing.assert_allclose(found[0], np.where(expected > 0, expected, 0.1 * expected), rtol=1e-4, atol=1e-4)


def test_resize_takes_pixels_by_their_centres(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    centres = {"align_corners": {"b": False}, "half_pixel_centers": {"b": True}}
    nodes = [node("twice", "ResizeBilinear", "last", "size", **centres)]
    found = run(tmp_path, nodes, {"size": np.array([2 * SIDE, 2 * SIDE], np.int32)}, pixels)[0]
    place = (np.arange(2 * SIDE) + 0.5) / 2 - 0.5
    for channel in range(3):
        plane = given(pixels)[:, :, channel]
        wide = np.stack([np.interp(place, np.arange(SIDE), line) for line in plane])
        expected = np.stack([np.interp(place, np.arange(SIDE), line) for line in wide.T]).T
        np.testing.assert_allclose(found[:, :, channel], expected, rtol=1e-4, atol=1e-4)


def test_pooling_shapes_and_parts_are_those_of_numpy(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    nodes = [
        node("pooled", "MaxPool", "last", ksize=TWICE, strides=TWICE, **VALID),
        node("parts", "SplitV", "pooled", "sizes", "axis"),
        node("joined", "ConcatV2", "parts:1", "parts", "axis"),
        node("dense", "SparseToDense", "places", "length", "values", "minus"),
        node("shape", "AddV2", "dense", "one"),
        node("rows", "Reshape", "joined", "shape"),
        node("likely", "Sigmoid", "rows"),
    ]
    weights = {
        "sizes": np.array([1, 2], np.int32), "axis": np.array(3, np.int32), "one": np.array([1, 1], np.int32),
        "places": np.array([[1]], np.int32), "length": np.array([2], np.int32), "minus": np.array(-2, np.int32),
        "values": np.array([2], np.int32),
    }  # fmt: skip
    found = run(tmp_path, nodes, weights, pixels)
    pooled = given(pixels).reshape(3, 2, 3, 2, 3).max(axis=(1, 3))
    expected = np.concatenate([pooled[:, :, 1:], pooled[:, :, :1]], axis=2).reshape(-1, 3)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-expected)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (node("end", "Softmax", "last"), "Softmax"),
        (node("end", "MaxPool", "last", ksize=TWICE, strides=TWICE, padding={"s": "U0FNRQ=="}), "padding SAME"),
        (node("end", "ResizeBilinear", "last", "to_last", align_corners={"b": True}), "centres"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(UnknownOperation, match=what):
        run(tmp_path, [wrong], {}, np.zeros((SIDE, SIDE, 3), np.uint8))

"""A graph of TensorFlow.js as a network of OpenVINO: the few operations that `vision.detector` needs, each as it says.

What depends on no input, as shapes, is computed here and is a constant there. Numbers stay as they are.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops
from openvino.preprocess import ColorFormat, PrePostProcessor

Array = NDArray[Any]
Value = Any
"""A constant (an array), or an output of a node of OpenVINO, whose package has no types."""


class UnknownOperation(ValueError):
    """The graph has an operation, or a form of one, that is not among those here."""


def save_network(
    nodes: Sequence[Mapping[str, Any]],
    weights: Mapping[str, Array],
    outputs: Sequence[str],
    file: Path,
    *,
    mean: Sequence[float],
    scale: Sequence[float],
) -> None:
    """Writes what `vision.openvino.onnx_file` runs: `file` and, beside it, its numbers.

    nodes: of a graph with one input (1, 3, height, width), as `modelTopology` has them. weights: by name. outputs:
    names, in the order wanted. mean, scale: of blue, green and red, taken off the pixels and divided by; the
    network that is written takes `pixels`, uint8 (1, height, width, 3), RGB. Raises `UnknownOperation`.
    """
    graph = _Graph(nodes, weights)
    results = [graph.value(name) for name in outputs]
    model = ov.Model([ops.result(each) for each in results], graph.inputs)
    steps = PrePostProcessor(model)
    pixels = steps.input()
    pixels.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.RGB)
    pixels.preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.BGR)
    pixels.preprocess().mean([*mean]).scale([*scale])
    pixels.model().set_layout(ov.Layout("NCHW"))
    built = steps.build()
    built.input(0).get_tensor().set_names({"pixels"})
    ov.save_model(built, str(file), compress_to_fp16=False)


class _Graph:
    """Makes each node once, when it is first asked for."""

    def __init__(self, nodes: Sequence[Mapping[str, Any]], weights: Mapping[str, Array]) -> None:
        self._nodes = {node["name"]: node for node in nodes}
        self._made: dict[str, tuple[Value, ...]] = {name: (array,) for name, array in weights.items()}
        self.inputs: list[Any] = []

    def value(self, name: str) -> Value:
        """Of `node` or `node:output`. A graph is some 300 nodes deep: less than Python's stack."""
        node, _, place = name.partition(":")
        if node not in self._made:
            self._made[node] = self._make(self._nodes[node])
        return self._made[node][int(place or 0)]

    def _make(self, node: Mapping[str, Any]) -> tuple[Value, ...]:
        kind, attributes = node["op"], node.get("attr", {})
        if kind == "Placeholder":
            sizes = [int(each["size"]) for each in attributes["shape"]["shape"]["dim"]]
            self.inputs.append(ops.parameter(sizes, np.float32))
            return (self.inputs[-1].output(0),)
        make = _OPERATIONS.get(kind)
        if make is None:
            raise UnknownOperation(f"{node['name']}: {kind} is not among {', '.join(sorted(_OPERATIONS))}")
        made = make([self.value(each) for each in node.get("input", ())], attributes)
        return made if isinstance(made, tuple) else (made,)


def _constant(value: Value) -> Value:
    return ops.constant(value).output(0) if isinstance(value, np.ndarray) else value


def _of(node: Any) -> Value:
    return node.output(0)


def _text(attributes: Mapping[str, Any], name: str) -> str:
    return base64.b64decode(attributes[name]["s"]).decode()


def _sides(attributes: Mapping[str, Any], name: str) -> list[int]:
    """Along height and width, of a list along N, H, W, C."""
    listed = [int(each) for each in attributes[name]["list"]["i"]]
    if listed[0] != 1 or listed[3] != 1:
        raise UnknownOperation(f"{name} of {listed}")
    return listed[1:3]


def _only_valid(attributes: Mapping[str, Any]) -> None:
    if _text(attributes, "padding") != "VALID":
        raise UnknownOperation(f"padding {_text(attributes, 'padding')}")


def _channels_first(value: Value) -> Value:
    return _of(ops.transpose(value, np.array([0, 3, 1, 2])))


def _channels_last(node: Any) -> Value:
    return _of(ops.transpose(node, np.array([0, 2, 3, 1])))


def _convolution(inputs: list[Value], attributes: Mapping[str, Any]) -> Value:
    _only_valid(attributes)
    pixels, kernel = inputs
    made = ops.convolution(
        _channels_first(pixels),
        _constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))),
        _sides(attributes, "strides"),
        [0, 0],
        [0, 0],
        _sides(attributes, "dilations"),
    )
    return _channels_last(made)


def _pooling(inputs: list[Value], attributes: Mapping[str, Any]) -> Value:
    _only_valid(attributes)
    strides, kernel = _sides(attributes, "strides"), _sides(attributes, "ksize")
    made = ops.max_pool(_channels_first(inputs[0]), strides, [1, 1], [0, 0], [0, 0], kernel)
    return _channels_last(_of(made))


def _padding(inputs: list[Value], attributes: Mapping[str, Any]) -> Value:
    value, around = inputs[0], inputs[1].astype(np.int64)
    filling = np.array(inputs[2] if len(inputs) > 2 else 0.0, np.float32)
    return _of(ops.pad(value, around[:, 0], around[:, 1], "constant", _constant(filling.reshape(()))))


def _resizing(inputs: list[Value], attributes: Mapping[str, Any]) -> Value:
    if attributes["align_corners"]["b"] or not attributes["half_pixel_centers"]["b"]:
        raise UnknownOperation("a resize that does not take pixels by their centres")
    made = ops.interpolate(
        _channels_first(inputs[0]),
        inputs[1].astype(np.int64),
        "linear_onnx",
        "sizes",
        coordinate_transformation_mode="half_pixel",
        axes=np.array([2, 3]),
    )
    return _channels_last(made)


def _sum(inputs: list[Value], attributes: Mapping[str, Any]) -> Value:
    one, other = inputs
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.asarray(one + other)
    return _of(ops.add(_constant(one), _constant(other)))


def _dense(inputs: list[Value], attributes: Mapping[str, Any]) -> Value:
    """Of constants: zeros, or the last one, but for values at some places."""
    places, shape, values, otherwise = inputs
    dense = np.full(tuple(shape.tolist()), otherwise)
    dense[tuple(np.atleast_2d(places).reshape(-1, len(shape)).T)] = values
    return dense


def _split(inputs: list[Value], attributes: Mapping[str, Any]) -> tuple[Value, ...]:
    value, sizes, axis = inputs
    made = ops.variadic_split(value, axis.astype(np.int64), sizes.astype(np.int64))
    return tuple(made.output(place) for place in range(len(sizes)))


_OPERATIONS: Mapping[str, Callable[[list[Value], Mapping[str, Any]], Value | tuple[Value, ...]]] = {
    "Add": _sum,
    "AddV2": _sum,
    "ConcatV2": lambda inputs, _: _of(ops.concat(inputs[:-1], int(inputs[-1]))),
    "Conv2D": _convolution,
    "Identity": lambda inputs, _: inputs[0],
    "LeakyRelu": lambda inputs, named: _of(ops.prelu(inputs[0], np.array([named["alpha"]["f"]], np.float32))),
    "MaxPool": _pooling,
    "Pad": _padding,
    "PadV2": _padding,
    "Reshape": lambda inputs, _: _of(ops.reshape(inputs[0], inputs[1].astype(np.int64), False)),
    "ResizeBilinear": _resizing,
    "Sigmoid": lambda inputs, _: _of(ops.sigmoid(inputs[0])),
    "SparseToDense": _dense,
    "SplitV": _split,
    "Transpose": lambda inputs, _: _of(ops.transpose(inputs[0], inputs[1].astype(np.int64))),
}

"""A traced network run by OpenVINO instead of PyTorch: on a CPU the same numbers in less than half the time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import openvino as ov
import torch
from openvino.frontend import (
    FrontEndManager,
    GeneralFailure,
    InitializationFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from openvino.preprocess import PrePostProcessor
from torch import Tensor

from vision.openvino import AT_ONCE, properties

_NOT_CONVERTED = (
    GeneralFailure,
    InitializationFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)


class OpenVinoBackbone:
    """A `Backbone` (`vision.encoding`) for float32 pixels on a CPU, with as many threads as PyTorch has. Any thread."""

    def __init__(self, traced: torch.jit.ScriptModule, size: int) -> None:
        """traced: of (n, 3, size, size), frozen. Raises `RuntimeError` for a network that OpenVINO cannot run."""
        try:
            self._compiled = ov.Core().compile_model(_model(traced, size), "CPU", properties(torch.get_num_threads()))
        except _NOT_CONVERTED as error:
            raise RuntimeError(str(error)) from error
        self._threads = threading.local()

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        request = getattr(self._threads, "request", None)
        if request is None:  # one holds the memory of one call at a time
            request = self._threads.request = self._compiled.create_infer_request()
        parts = [self._infer(request, part) for part in torch.split(pixels, AT_ONCE)]
        return parts[0] if len(parts) == 1 else tuple(torch.cat(found) for found in zip(*parts, strict=True))

    @staticmethod
    def _infer(request: Any, pixels: Tensor) -> tuple[Tensor, ...]:
        # channels_last seen as (n, size, size, 3) is contiguous: no copy.
        request.infer([pixels.permute(0, 2, 3, 1).contiguous().numpy()], share_inputs=True)
        return tuple(torch.from_numpy(output.data.copy()) for output in request.output_tensors)


def save(traced: torch.jit.ScriptModule, size: int, file: Path) -> None:
    """Writes what `OpenVinoBackbone` runs, for `vision.openvino.kept`; in float32, as it is."""
    ov.save_model(_model(traced, size), str(file), compress_to_fp16=False)


def _model(traced: torch.jit.ScriptModule, size: int) -> Any:
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, skip_freeze=True)  # a variable: the frontend does not keep it alive
    graph = frontend.load(decoder)
    pixels = graph.get_inputs()[0]
    graph.set_element_type(pixels, ov.Type.f32)
    graph.set_partial_shape(pixels, ov.PartialShape([-1, 3, size, size]))
    steps = PrePostProcessor(frontend.convert(graph))
    steps.input().tensor().set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return steps.build()

"""A network in an ONNX file, as OpenVINO runs it. Loads no PyTorch."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from vision.openvino import properties


class OnnxNetwork:
    """Its outputs for named inputs, float32, on a CPU. Any thread."""

    def __init__(self, file: Path, threads: int) -> None:
        """Raises `RuntimeError` for a file that OpenVINO cannot read or run."""
        self._compiled = ov.Core().compile_model(str(file), "CPU", properties(threads))
        self._inputs = frozenset(name for port in self._compiled.inputs for name in port.get_names())
        self._threads = threading.local()

    def __call__(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The first output. Inputs that the network does not have are left out."""
        return self.all(**inputs)[0]

    def all(self, **inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """All outputs, in the network's order; see `__call__`."""
        request = getattr(self._threads, "request", None)
        if request is None:  # one holds the memory of one call at a time
            request = self._threads.request = self._compiled.create_infer_request()
        request.infer({name: value for name, value in inputs.items() if name in self._inputs}, share_inputs=True)
        return [output.data.copy() for output in request.output_tensors]

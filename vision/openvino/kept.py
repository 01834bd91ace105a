"""A network that OpenVINO has converted before, as it lies on disk. Loads no PyTorch."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from vision.openvino import AT_ONCE, properties


class KeptNetwork:
    """Pictures to their features, on a CPU. Any thread."""

    def __init__(self, file: Path, threads: int) -> None:
        """Raises `RuntimeError` for a file that OpenVINO cannot read or run."""
        self._compiled = ov.Core().compile_model(str(file), "CPU", properties(threads))
        self._threads = threading.local()

    def __call__(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """`images` (n, size, size, 3), RGB 0..255, to one or more feature matrices (n, d)."""
        request = getattr(self._threads, "request", None)
        if request is None:  # one holds the memory of one call at a time
            request = self._threads.request = self._compiled.create_infer_request()
        parts = []
        for begin in range(0, len(images), AT_ONCE):
            request.infer([images[begin : begin + AT_ONCE].astype(np.float32)], share_inputs=True)
            parts.append([output.data.copy() for output in request.output_tensors])
        return [np.concatenate(found) for found in zip(*parts, strict=True)]

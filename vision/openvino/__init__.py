"""Networks run by OpenVINO: what PyTorch traced (`traced`), the same kept on disk (`kept`), ONNX files (`onnx_file`).

The one home of openvino. Its package tells its maker of every import, by
another package that it brings along (openvino-telemetry). That one is never
imported here: OpenVINO takes its own stub instead, and nothing leaves the
machine.
"""

from __future__ import annotations

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # what Python takes for "not installed"

import openvino  # noqa: E402, F401

AT_ONCE = 4
"""Pictures of one inference: what passes between the layers of more of them leaves the cache (a quarter slower)."""


def properties(threads: int) -> dict[str, object]:
    """How every network is compiled here."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # its own choice may be bfloat16, which costs recall
        "ENABLE_CPU_PINNING": False,  # other processes have a share of these cores
    }

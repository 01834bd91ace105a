from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vision.encoding.encoders import build_backbone
from vision.encoding.execution import fastest
from vision.openvino.traced import OpenVinoBackbone

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
SIZE = 32


class Small(nn.Module):
    """Two results, as a composite's backbone has."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(8, 4, 3, stride=2)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        early = torch.relu(self.first(pixels - 127))
        return self.second(early).mean((2, 3)), early.mean((2, 3))


class Foreign(Small):
    """With an operation that OpenVINO does not know."""

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        last, early = super().forward(pixels)
        return torch.special.bessel_j0(last) + 1, early + 1


def pixels(count: int, size: int = SIZE) -> Tensor:
    drawn = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(count))
    return (drawn * 255).contiguous(memory_format=torch.channels_last)


def traced(network: nn.Module, size: int = SIZE) -> torch.jit.ScriptModule:
    with torch.inference_mode():
        frozen: torch.jit.ScriptModule = torch.jit.freeze(torch.jit.trace(network.eval(), pixels(2, size)))  # type: ignore[no-untyped-call]
    return frozen


@pytest.mark.parametrize(
    ("encoder", "results"), [("efficientnet_lite0_composite", 2), ("efficientnet_lite0_blocks", 3)]
)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_openvino_computes_what_pytorch_does_for_any_batch(count: int, encoder: str, results: int) -> None:
    network = build_backbone(encoder)
    given = pixels(count, 224)
    with torch.inference_mode():
        expected = network(given)
    found = OpenVinoBackbone(traced(network, 224), 224)(given)
    assert len(found) == len(expected) == results
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-3)


def test_results_stay_when_the_next_batch_is_run_and_threads_do_not_mix_theirs() -> None:
    torch.manual_seed(1)
    network = Small()
    backbone = OpenVinoBackbone(traced(network), SIZE)
    given = [pixels(count) for count in (1, 2, 3, 4, 5, 6)] * 10
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(backbone, given))
    with torch.inference_mode():
        for ours, batch in zip(found, given, strict=True):
            torch.testing.assert_close(ours, network(batch), atol=1e-3, rtol=1e-3)


def test_network_that_openvino_cannot_run_is_run_by_pytorch(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(1)
    network = Foreign().eval()
    with caplog.at_level(logging.INFO), torch.inference_mode():
        backbone, name = fastest(network, SIZE, CPU)
        torch.testing.assert_close(backbone(pixels(3)), network(pixels(3)))
    assert name in {"eager-float32", "traced-float32"}
    assert "openvino=unusable" in caplog.text


def test_nothing_is_told_to_the_makers_of_openvino() -> None:
    """What it would send it with is installed, as its requirement, and not loaded."""
    code = (
        "import vision.openvino.traced, vision.openvino.onnx_file, sys;"
        "print(*(n for n, m in sys.modules.items() if m and 'openvino_telemetry' in n))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    stub = "from openvino.tools.ovc.telemetry_utils import tm; print(tm.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", f"import vision.openvino; {stub}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"

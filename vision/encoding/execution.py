"""How to run a network on this machine: measured when it starts, never assumed.

Whether a traced graph beats eager PyTorch, and OpenVINO both, differs from
network to network and from processor to processor. On one, bfloat16 nearly
doubles the speed, on another it is ten times slower; it also costs recall
(EfficientNet-lite0 on its own lost 1 to 3 % of all first hits), so it takes
part only on request.
"""

from __future__ import annotations

import copy
import logging
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from vision.encoding.encoders import Backbone
from vision.openvino.traced import OpenVinoBackbone

logger = logging.getLogger(__name__)

_BATCH = 4
_ROUNDS = 2
_BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")


def fastest(network: nn.Module, size: int, device: torch.device, *, bfloat16: bool = False) -> tuple[Backbone, str]:
    """The quickest way to run `network` on batches, and its name for the log. Takes a second or two.

    `bfloat16`: may be chosen where the hardware multiplies it.
    """
    network = network.to(device).to(memory_format=torch.channels_last)
    pixels = _drawn(size, device)
    best: tuple[float, Backbone, str] | None = None
    with torch.inference_mode():
        for name, backbone in _candidates(network, pixels, bfloat16):
            seconds = _time(backbone, pixels)
            if best is None or seconds < best[0]:
                best = (seconds, backbone, name)
    assert best is not None
    logger.info("execution chosen=%s images_per_s=%.0f device=%s", best[2], _BATCH / best[0], device)
    return best[1], best[2]


def traced(network: nn.Module, size: int) -> torch.jit.ScriptModule:
    """The frozen graph that takes part in the measuring, of a network on the CPU. Within `torch.inference_mode`."""
    return _traced(network, _drawn(size, torch.device("cpu")))


def _drawn(size: int, device: torch.device) -> Tensor:
    drawn = torch.rand(_BATCH, 3, size, size, device=device).mul_(255)
    return drawn.contiguous(memory_format=torch.channels_last)


def _traced(network: nn.Module, pixels: Tensor) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation notes of the tracer, and of shapes it takes for constants
        graph = torch.jit.trace(network, pixels, check_trace=False)  # type: ignore[no-untyped-call]
        frozen: torch.jit.ScriptModule = torch.jit.freeze(graph)
    return frozen


def _candidates(network: nn.Module, pixels: Tensor, bfloat16: bool) -> Iterator[tuple[str, Backbone]]:
    yield from _ways(network, pixels, "float32")
    if bfloat16 and _has_bfloat16(pixels.device):
        half = copy.deepcopy(network).to(torch.bfloat16)
        for name, backbone in _ways(half, pixels.to(torch.bfloat16), "bfloat16"):
            yield name, partial(_in_bfloat16, backbone)


def _ways(network: nn.Module, pixels: Tensor, precision: str) -> Iterator[tuple[str, Backbone]]:
    yield f"eager-{precision}", network
    graph = _traced(network, pixels)
    if _is_same(network, graph, pixels[:3]):
        yield f"traced-{precision}", graph
    if pixels.device.type == "cpu" and pixels.dtype == torch.float32:
        try:
            foreign = OpenVinoBackbone(graph, pixels.shape[-1])
        except RuntimeError as error:
            logger.info("execution openvino=unusable error=%r", str(error)[:200])
            return
        if _is_same(network, foreign, pixels[:3]):
            yield f"openvino-{precision}", foreign


def _in_bfloat16(backbone: Backbone, pixels: Tensor) -> tuple[Tensor, ...]:
    return backbone(pixels.to(torch.bfloat16))


def _is_same(network: Backbone, traced: Backbone, pixels: Tensor) -> bool:
    """Whether a trace also holds for another batch size: one that took the size for a constant does not."""
    try:
        pairs = zip(network(pixels), traced(pixels), strict=True)
        least = min(float(torch.cosine_similarity(a.float(), b.float()).min()) for a, b in pairs)
    except RuntimeError as error:
        logger.info("execution traced=unusable error=%r", str(error)[:200])
        return False
    return least > 0.999


def _has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 itself; emulated it is an order of magnitude slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return any(flag in flags for flag in _BFLOAT16_FLAGS)


def _time(backbone: Backbone, pixels: Tensor) -> float:
    """Best of a few rounds, in seconds; the first is not counted."""
    best = float("inf")
    for number in range(_ROUNDS + 1):
        started = time.perf_counter()
        backbone(pixels)
        if pixels.device.type == "cuda":
            torch.cuda.synchronize(pixels.device)
        if number:
            best = min(best, time.perf_counter() - started)
    return best

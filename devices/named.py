"""The setting `device` as PyTorch's devices. Loads PyTorch."""

from __future__ import annotations

import torch

from devices import AUTO, CPU
from schemas.errors import OperatorError


def devices_for(name: str) -> list[torch.device]:
    """Those to choose among: for `auto` the first card, where PyTorch can use one, before the CPU; else the one named.

    Raises `OperatorError` for a name that is none, or of a device that is not there.
    """
    cpu = torch.device(CPU)
    if name == AUTO:
        return [exact(torch.device("cuda")), cpu] if torch.cuda.is_available() else [cpu]
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        said = str(error).partition("\n")[0][:300]
        raise OperatorError(
            f"device {name!r} is not to be had ({said}); set device to auto, cpu, cuda or cuda:1, ..."
        ) from error
    return [exact(device)]


def exact(device: torch.device) -> torch.device:
    """Has this process multiply float32 as float32 on cards.

    By itself PyTorch lets convolutions round their inputs to TF32, ten bits of
    mantissa: features would not be those of the CPU any more, to the bits that are stored.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    return device

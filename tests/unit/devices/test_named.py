"""The setting `device` as PyTorch's devices, on a machine with a card or without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from devices.named import devices_for, exact
from schemas.errors import OperatorError


@pytest.fixture
def rounding() -> Iterator[None]:
    """PyTorch's own way on cards, for one test."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def test_auto_is_the_card_before_the_cpu_and_the_cpu_alone_without_one() -> None:
    found = [device.type for device in devices_for("auto")]
    assert found == (["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"])


def test_named_device_stands_alone() -> None:
    assert devices_for("cpu") == [torch.device("cpu")]


@pytest.mark.parametrize("name", ["warp", "cuda:99", "", "cpu:x"])
def test_device_that_is_not_there_is_an_operator_error_that_says_which_there_are(name: str) -> None:
    with pytest.raises(OperatorError, match=r"device .*set device to auto, cpu, cuda"):
        devices_for(name)


@pytest.mark.usefixtures("rounding")
def test_cards_multiply_float32_whole_and_the_cpu_is_not_asked() -> None:
    exact(torch.device("cpu"))
    assert torch.backends.cudnn.allow_tf32
    exact(torch.device("cuda"))
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32

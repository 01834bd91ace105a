"""Any classification network of torchvision as an encoder: its last classifying layer taken off.

`python -m vision.encoding.torchvision_backbone NAME` prints what an extractor id needs,
for processes that must not import torch.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn
from torchvision import models

from schemas.errors import OperatorError

_CLASSES = 1000
_DEFAULT_SIZE = 224
_HUB_TIMEOUT_S = 30.0
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class PooledFeatures(nn.Module):
    """`features` and a spatial mean: VGG, AlexNet and SqueezeNet, whose classifiers are large and say little more."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, x: Tensor) -> Tensor:
        return torch.mean(self.features(x), (2, 3))


class TorchvisionBackbone(nn.Module):
    """Pixels (n, 3, size, size), RGB 0..255 as float, to features (n, dimension), in a tuple."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1) * 255, persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        return (torch.flatten(self.network((pixels - self.mean) / self.deviation), 1),)


def without_classifier(network: nn.Module) -> nn.Module:
    """The network up to its classifier's input. `OperatorError` where no classifier is recognised."""
    features = getattr(network, "features", None)
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if features is not None and len(layers) != 1 and not _is_last_linear_small(network):
        return PooledFeatures(features)
    named = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    last = next((name for name, module in reversed(named) if module.out_features == _CLASSES), None)
    if last is None:
        raise OperatorError(f"{type(network).__name__} has no classifying layer to take off; choose another encoder")
    parent, _, child = last.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return network


def _is_last_linear_small(network: nn.Module) -> bool:
    """False for VGG and AlexNet (fully connected layers 4096 wide) and SqueezeNet (none at all)."""
    widths = [module.in_features for module in network.modules() if isinstance(module, nn.Linear)]
    return bool(widths) and widths[-1] < 4096


def image_size(encoder: str) -> int:
    """Side of the square that the published weights were trained on."""
    published = _published(encoder)
    if published is None:
        return _DEFAULT_SIZE
    crop = published.transforms().crop_size
    return int(crop[0] if isinstance(crop, (list, tuple)) else crop)


def load(encoder: str, weights: str) -> TorchvisionBackbone:
    """The network with weights from the local file `weights`, or from torchvision's hub where that is empty.

    Raises `OperatorError` where the hub does not answer or the weights are not this network's.
    """
    state = _read(weights) if weights else _from_hub(encoder)
    network = _build(encoder)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        found = weights or "torchvision's hub"
        raise OperatorError(f"weights of {found} are not those of {encoder}: {str(error)[:300]}") from error
    return TorchvisionBackbone(without_classifier(network)).eval()


def describe(encoder: str) -> dict[str, Any]:
    """Dimension, input size and published weights' hash, found without computing a picture where that is possible."""
    size = image_size(encoder)
    try:
        dimension = _dimension(encoder, size, "meta")
    except NotImplementedError:  # some networks read tensors while they are built, and meta tensors hold nothing
        dimension = _dimension(encoder, size, "cpu")
    published = _published(encoder)
    hashed = PurePosixPath(urlsplit(published.url).path).stem.rpartition("-")[2][:8] if published else "0" * 8
    return {"dimension": dimension, "image_size": size, "weights_hash": hashed}


@torch.inference_mode()
def _dimension(encoder: str, size: int, device: str) -> int:
    with torch.device(device):
        backbone = TorchvisionBackbone(without_classifier(_build(encoder))).eval()
        return int(backbone(torch.zeros(1, 3, size, size))[0].shape[1])


def _build(encoder: str) -> nn.Module:
    try:
        builder = models.get_model_builder(encoder)
    except ValueError as error:
        raise OperatorError(
            f"unknown encoder {encoder!r}: efficientnet_lite0, 1 or 2 (alone, _composite or _blocks), "
            "or a torchvision model"
        ) from error
    # GoogLeNet and Inception only load published weights with their auxiliary heads in place.
    network: nn.Module = builder(weights=None, **({"init_weights": False} if encoder in _WITH_AUXILIARY else {}))
    return network.eval()


_WITH_AUXILIARY = ("googlenet", "inception_v3")


def _published(encoder: str) -> Any:
    try:
        return models.get_model_weights(encoder).DEFAULT
    except (ValueError, AttributeError):
        return None


def _from_hub(encoder: str) -> dict[str, Tensor]:
    published = _published(encoder)
    if published is None:
        raise OperatorError(f"torchvision publishes no weights of {encoder}; name a local file in `weights`")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_HUB_TIMEOUT_S)
    try:
        state: dict[str, Tensor] = published.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        name = PurePosixPath(urlsplit(published.url).path).name
        raise OperatorError(
            f"weights of {encoder} cannot be had from torchvision's hub ({error}); "
            f"download {name} elsewhere and name the file in the setting `weights`"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return state


def _read(weights: str) -> Any:
    try:
        return torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:
        raise OperatorError(f"weights file {weights} cannot be read ({error}); correct `weights`") from error


def main(arguments: list[str]) -> int:
    try:
        print(json.dumps(describe(arguments[0])))
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Embedding by PyTorch, or by whatever else its measuring finds the fastest (`vision.encoding.execution`)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from devices import CPU
from devices.fitting import Compute, Fitting
from devices.named import devices_for
from schemas.errors import OperatorError
from vision.encoding.encoders import Backbone, build_backbone, build_head
from vision.encoding.execution import fastest
from vision.extractor import Extractor
from vision.kept.embedding import Vectors, kept_vectors

logger = logging.getLogger(__name__)

_AT_ONCE = 256
"""Pictures that a device computes at once at most: 150 MB of pixels, and some GB of what passes between the layers."""
_COMPARED = 32
"""Pictures by which devices are compared: an ordinary batch of extraction."""
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Way:
    """How a network is run here. `device` as PyTorch names it; `execution` for the log."""

    device: str
    execution: str
    vectors: Vectors


def measured_vectors(
    facts: Extractor, weights: str, device: str, threads: int, *, bfloat16: bool, kept: bool = False, known: str = ""
) -> Vectors:
    """Loads the network and measures how it runs best here: seconds. Parameters as `create_embedder`'s.

    `kept`: the network that is kept for the CPU stands for it where devices are compared. `known`: the device that was
    found the faster one before, where the setting leaves it open.
    """
    if threads > 0:
        torch.set_num_threads(threads)
    try:
        way = _chosen(facts, weights, device, threads, bfloat16=bfloat16, kept=kept, known=known)
    except (RuntimeError, AssertionError) as error:
        raise OperatorError(f"encoder {facts.encoder} does not run on device {device!r}: {str(error)[:300]}") from error
    logger.info("embedder ready extractor_id=%s device=%s execution=%s", facts.extractor_id, way.device, way.execution)
    return way.vectors


def way_on(facts: Extractor, weights: str, device: torch.device, *, bfloat16: bool = False) -> Way:
    """The fastest on that device. Raises `RuntimeError` where the network does not run there, `OperatorError`."""
    encoder = facts.encoder
    backbone, execution = fastest(build_backbone(encoder, weights), facts.image_size, device, bfloat16=bfloat16)
    whole = vectors_of(backbone, build_head(encoder).to(device), device)
    if device.type == CPU:
        return Way(CPU, execution, whole)

    def spare() -> Vectors:
        kept = kept_vectors(facts.extractor_id, CPU, torch.get_num_threads())
        return way_on(facts, weights, torch.device(CPU)).vectors if kept is None else kept

    return Way(str(device), execution, fitting(whole, spare))


def way_of_card(facts: Extractor, weights: str, card: torch.device, *, bfloat16: bool = False) -> Way | None:
    """`way_on` for a card that nobody named: None where PyTorch cannot use it, which the log tells."""
    try:
        return way_on(facts, weights, card, bfloat16=bfloat16)
    except RuntimeError as error:  # an old driver, a card that PyTorch has nothing compiled for, a full one
        said = str(error).partition("\n")[0][:300]
        logger.warning("event=card_unusable device=%s next=cpu problem=%s", card, said)
        return None


def faster(one: Way, other: Way, size: int) -> Way:
    """By the pictures a second of a batch, with all that it takes to bring them to the device and back."""
    drawn = np.random.default_rng(1).integers(0, 256, (_COMPARED, size, size, 3), np.uint8)
    seconds = [(_time(way.vectors, drawn), number) for number, way in enumerate((one, other))]
    for (took, _), way in zip(seconds, (one, other), strict=True):
        logger.info("device=%s execution=%s images_per_s=%.0f", way.device, way.execution, _COMPARED / took)
    return (one, other)[min(seconds)[1]]


def vectors_of(backbone: Backbone, head: nn.Module, device: torch.device) -> Vectors:
    """Pictures to vectors by both."""

    def vectors(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            images = torch.from_numpy(inputs).to(device)
            # (n, h, w, 3) seen as (n, 3, h, w) already is channels_last: no copy but the one to float.
            found: NDArray[np.float32] = head(images, backbone(images.permute(0, 3, 1, 2).float())).cpu().numpy()
        return found

    return vectors


def fitting(whole: Vectors, spare: Callable[[], Vectors], most: int = _AT_ONCE) -> Vectors:
    """`whole` for any number of pictures, by parts that fit into its device's memory (`devices.fitting`)."""

    def instead() -> Compute:
        found = spare()
        return lambda pictures: (found(pictures),)

    parts = Fitting(lambda pictures: (whole(pictures),), most, instead)
    return lambda pictures: parts(pictures)[0]


def _chosen(
    facts: Extractor, weights: str, device: str, threads: int, *, bfloat16: bool, kept: bool, known: str
) -> Way:
    *before, last = devices_for(device)
    if not before:
        return way_on(facts, weights, last, bfloat16=bfloat16)
    card = way_of_card(facts, weights, before[0], bfloat16=bfloat16)
    if card is not None and card.device == known:
        return card
    found = kept_vectors(facts.extractor_id, last.type, threads) if kept else None
    plain = way_on(facts, weights, last, bfloat16=bfloat16) if found is None else Way(CPU, "kept", found)
    return plain if card is None else faster(card, plain, facts.image_size)


def _time(vectors: Vectors, pictures: NDArray[np.uint8]) -> float:
    """Best of a few rounds, in seconds; the first is not counted."""
    best = float("inf")
    for number in range(_ROUNDS + 1):
        started = time.perf_counter()
        vectors(pictures)
        if number:
            best = min(best, time.perf_counter() - started)
    return best

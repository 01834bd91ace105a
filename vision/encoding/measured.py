"""Embedding by PyTorch, or by whatever else its measuring finds the fastest (`vision.encoding.execution`)."""

from __future__ import annotations

import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from schemas.errors import OperatorError
from vision.encoding.encoders import Backbone, build_backbone, build_head
from vision.encoding.execution import choose_device, fastest
from vision.extractor import Extractor
from vision.kept.embedding import Vectors

logger = logging.getLogger(__name__)


def measured_vectors(facts: Extractor, weights: str, device: str, threads: int, *, bfloat16: bool) -> Vectors:
    """Loads the network and measures how it runs best here: seconds. Parameters as `create_embedder`'s."""
    if threads > 0:
        torch.set_num_threads(threads)
    encoder = facts.encoder
    try:
        target = choose_device(device)
        backbone, execution = fastest(build_backbone(encoder, weights), facts.image_size, target, bfloat16=bfloat16)
    except (RuntimeError, AssertionError) as error:
        raise OperatorError(f"encoder {encoder} does not run on device {device!r}: {str(error)[:300]}") from error
    logger.info("embedder ready extractor_id=%s device=%s execution=%s", facts.extractor_id, target, execution)
    return vectors_of(backbone, build_head(encoder).to(target), target)


def vectors_of(backbone: Backbone, head: nn.Module, device: torch.device) -> Vectors:
    """Pictures to vectors by both."""

    def vectors(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            images = torch.from_numpy(inputs).to(device)
            # (n, h, w, 3) seen as (n, 3, h, w) already is channels_last: no copy but the one to float.
            found: NDArray[np.float32] = head(images, backbone(images.permute(0, 3, 1, 2).float())).cpu().numpy()
        return found

    return vectors

"""Image bytes to vectors: the one path that catalogue pictures and shoppers' photos both take."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from schemas.errors import OperatorError
from vision import extractor
from vision.decode import ImageLimits, decode_image
from vision.encoders import Backbone, build_backbone, build_head
from vision.execution import choose_device, fastest
from vision.preprocess import model_input

logger = logging.getLogger(__name__)


class Embedder:
    """A loaded encoder. `prepare` may run in many threads; `embed` uses the network's own threads."""

    def __init__(self, facts: extractor.Extractor, backbone: Backbone, head: nn.Module, device: torch.device) -> None:
        self._backbone = backbone
        self._head = head
        self._device = device
        self.extractor_id = facts.extractor_id
        self.dimension = facts.dimension
        self.image_size = facts.image_size

    def prepare(self, data: bytes, limits: ImageLimits) -> NDArray[np.uint8]:
        """Decodes, cleans and resizes one picture: (size, size, 3) uint8, RGB.

        Thread-safe; most of it runs without the GIL. Raises `RejectedError` as `decode_image` does.
        """
        return model_input(decode_image(data, limits), self.image_size)

    def embed(self, inputs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Prepared pictures to (n, dimension) float32 rows of unit length, in their order.

        One call is one batch of the network: a few dozen pictures use it best. A
        row does not depend on the others, except in its last bits.
        """
        if not inputs:
            return np.empty((0, self.dimension), np.float32)
        with torch.inference_mode():
            images = torch.from_numpy(np.stack(inputs)).to(self._device)
            # (n, h, w, 3) seen as (n, 3, h, w) already is channels_last: no copy but the one to float.
            features = self._backbone(images.permute(0, 3, 1, 2).float())
            vectors: NDArray[np.float32] = self._head(images, features).cpu().numpy()
        return vectors


def create_embedder(
    encoder: str, weights: str = "", device: str = "auto", threads: int = 0, *, bfloat16: bool = False
) -> Embedder:
    """Loads an encoder (see `vision.encoders`) and measures how it runs best here: takes some seconds.

    `device`: auto, cpu, cuda, cuda:1, ...; `threads`: CPU threads of the
    network in this whole process, 0 for PyTorch's default; `bfloat16`: may be
    used where it is faster, at a loss of recall (`vision.execution`). Start the process
    with `vision.environment.MALLOC_ENV`. Raises `OperatorError`.
    """
    if threads > 0:
        torch.set_num_threads(threads)
    try:
        target = choose_device(device)
        facts = extractor.describe(encoder, weights)
        backbone, execution = fastest(build_backbone(encoder, weights), facts.image_size, target, bfloat16=bfloat16)
    except (RuntimeError, AssertionError) as error:
        raise OperatorError(f"encoder {encoder} does not run on device {device!r}: {str(error)[:300]}") from error
    logger.info("embedder ready extractor_id=%s device=%s execution=%s", facts.extractor_id, target, execution)
    return Embedder(facts, backbone, build_head(encoder).to(target), target)

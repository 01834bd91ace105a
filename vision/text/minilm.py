"""all-MiniLM-L6-v2: the mean of its last layer over the pieces of a text."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from schemas.errors import OperatorError
from vision.text.encoder import TextEncoderFacts
from vision.text.wordpiece import BEGIN, END, pieces

if TYPE_CHECKING:
    from vision.openvino.onnx_file import OnnxNetwork

MAX_CHARACTERS = 512
MAX_PIECES = 62
"""Some 45 words; what lies beyond is not read. With them a text takes 25 ms."""


class MiniLm:
    """A `TextEncoder`. One text is one inference: 8-bit activations are scaled by their batch, so that in a batch a
    text's vector would depend on its neighbours, for a gain of a quarter."""

    def __init__(self, facts: TextEncoderFacts, threads: int = 1) -> None:
        self._facts = facts
        self._thread_count = threads
        self._network: OnnxNetwork | None = None
        self._loading = threading.Lock()

    @property
    def text_encoder_id(self) -> str:
        return self._facts.text_encoder_id

    @property
    def dimension(self) -> int:
        return self._facts.dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.encode`. Raises `OperatorError` where the weights cannot be loaded."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            numbers = pieces(text[:MAX_CHARACTERS], MAX_PIECES)
            if numbers:
                vectors[row] = self._embed(numbers)
        return vectors

    def _embed(self, numbers: list[int]) -> NDArray[np.float32]:
        ids = np.array([[BEGIN, *numbers, END]], np.int64)
        last = self._loaded()(input_ids=ids, attention_mask=np.ones_like(ids), token_type_ids=np.zeros_like(ids))
        mean = last[0].mean(axis=0)
        unit: NDArray[np.float32] = mean / np.linalg.norm(mean)
        return unit

    def _loaded(self) -> OnnxNetwork:
        if self._network is None:
            with self._loading:
                if self._network is None:
                    from vision.openvino.onnx_file import OnnxNetwork  # 0.2 s that who only names an encoder spares

                    try:
                        self._network = OnnxNetwork(self._facts.weights_file, self._thread_count)
                    except RuntimeError as error:
                        raise OperatorError(
                            f"{self._facts.weights_file} does not hold {self._facts.name} ({str(error)[:300]}); "
                            "correct the setting that names it, or empty it to use the package's"
                        ) from error
        return self._network

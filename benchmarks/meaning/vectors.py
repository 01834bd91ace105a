"""Vectors of the real catalogues' pictures, computed once and kept in `.cache/bench`; and of texts, in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import REPOSITORY
from benchmarks.harness.system import COMPOSITE
from benchmarks.retrieval.catalogue import Catalogue
from vision.embedder import create_embedder
from vision.extractor import extractor_id
from vision.text.encoder import TextEncoder

_CACHE = REPOSITORY / ".cache" / "bench"


class Pictures:
    """One data set's pictures by the default encoder: `catalogue` and `queries`, in the order of its two files."""

    def __init__(self, folder: Path) -> None:
        self.extractor_id = extractor_id(COMPOSITE)
        listed = Catalogue(folder, "category")
        vectors = _cached(folder, listed, self.extractor_id)
        self.catalogue: NDArray[np.float32] = vectors[: listed.size]
        self.queries: NDArray[np.float32] = vectors[listed.size :]


def _cached(folder: Path, listed: Catalogue, extractor: str) -> NDArray[np.float32]:
    names = "\n".join(f"{file.relative_to(folder)} {file.stat().st_size}" for file in listed.files)
    key = blake2b(names.encode(), digest_size=8).hexdigest()
    file = _CACHE / f"{folder.name}-{extractor}-{key}.npy"
    try:
        vectors: NDArray[np.float32] = np.load(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        listed.embed(create_embedder(COMPOSITE, threads=1))
        vectors = listed.vectors
        _CACHE.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".tmp.npy")
        np.save(beside, vectors)
        beside.replace(file)
    return vectors


class Remembering:
    """A `TextEncoder` that encodes each text once."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, NDArray[np.float32]] = {}
        self.text_encoder_id = encoder.text_encoder_id
        self.dimension = encoder.dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        for text in texts:
            if text not in self._known:
                self._known[text] = self._encoder.encode([text])[0]
        return np.stack([self._known[text] for text in texts]) if texts else np.empty((0, self.dimension), np.float32)

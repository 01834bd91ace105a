"""Files of recorded queries: a sample of what was asked with, named by its extractor's id (`serving/recorded.py`).

A matrix of NumPy: float32 of vectors as they are searched, or bytes of features as stored.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import CorruptError
from schemas.features.stored import cannot_be, feature_rows

SUFFIX = ".npy"


def recorded_file(folder: Path, extractor_id: str) -> Path:
    return folder / f"{extractor_id}{SUFFIX}"


def read_matrix(file: Path) -> NDArray[Any]:
    """What is in `file`, as it lies there. Raises `FileNotFoundError`, or `CorruptError` for anything else."""
    try:
        rows = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise CorruptError(f"{file} holds no array of recorded queries: {error}; remove it") from error
    if not isinstance(rows, np.ndarray) or rows.dtype not in (np.float32, np.uint8) or rows.ndim != 2:
        raise CorruptError(f"{file} holds no matrix of recorded queries; remove it")
    return rows


def read_vectors(file: Path) -> NDArray[np.float32]:
    """Vectors, (n, dimension). Raises as `read_matrix`, and for what are none."""
    rows = read_matrix(file)
    if rows.dtype != np.float32 or not np.isfinite(rows).all():
        raise CorruptError(f"{file} holds no recorded vectors, but {rows.dtype} {rows.shape}; remove it")
    return rows


def read_features(folder: Path, extractor_id: str) -> NDArray[np.float32]:
    """Of the photos that blenders were asked with, (n, numbers); each blender has a folder of its own in `folder`.

    Empty where there are none. Raises `CorruptError`.
    """
    features: list[bytes] = []
    for file in _files(folder, extractor_id):
        rows = read_matrix(file)
        found = [row.tobytes() for row in rows]
        if rows.dtype != np.uint8 or any(cannot_be(found, extractor_id)):
            raise CorruptError(f"{file} holds no recorded features of {extractor_id}; remove it")
        features += found
    return feature_rows(features, extractor_id) if features else np.empty((0, 0), np.float32)


def _files(folder: Path, extractor_id: str) -> Iterable[Path]:
    return sorted(folder.glob(f"*/{extractor_id}{SUFFIX}")) if folder.is_dir() else ()

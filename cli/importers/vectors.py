"""Vectors of a shop's own that come with a catalogue: in a column of it, or in a NumPy file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cli.importers.columns import plain
from schemas.errors import OperatorError, RejectedError
from schemas.events.event import ImageRef
from schemas.features.ids import dimension_of, is_external
from schemas.settings import Settings

COLUMN = "vector"
WRONG_LENGTH = "vector_length"
"""Reason of a refused row; of the first one of a catalogue it is the setting that does not fit."""


@dataclass(frozen=True, slots=True)
class OwnVectors:
    """What the settings say of vectors. `dimension` 0: every extractor makes its own from pictures.

    `demanded`: the main extractor is external, so that an image without a vector cannot be used.
    """

    encoder: str
    dimension: int = 0
    demanded: bool = False

    @classmethod
    def from_settings(cls, settings: Settings) -> OwnVectors:
        further = [entry.partition("=")[0].strip() for entry in settings.further_encoders]
        for encoder in (settings.encoder, *further):
            if is_external(encoder):
                return cls(encoder, dimension_of(encoder), encoder == settings.encoder)
        return cls(settings.encoder)

    def check(self, numbers: int) -> None:
        """That the index takes vectors of so many numbers. Raises `RejectedError(WRONG_LENGTH, ...)`."""
        if not self.dimension:
            raise RejectedError(
                WRONG_LENGTH,
                f"a vector of {numbers} numbers, and the setting `encoder` is {self.encoder}, which makes its own of "
                f"pictures: set VITRINE_ENCODER=external:NAME:{numbers}, or leave the vectors out",
            )
        if numbers != self.dimension:
            raise RejectedError(
                WRONG_LENGTH,
                f"a vector of {numbers} numbers, and the setting `encoder` is {self.encoder}: bring vectors of "
                f"{self.dimension} numbers, or set VITRINE_ENCODER=external:NAME:{numbers}",
            )


class VectorFile:
    """A `.npy` file of shape (rows, dimension); row n is of the catalogue's n-th product. Raises `OperatorError`."""

    def __init__(self, path: Path, own: OwnVectors) -> None:
        try:
            self._rows: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise OperatorError(f"{path} is not a NumPy file of numbers ({error}); write it with numpy.save") from error
        if self._rows.ndim != 2 or self._rows.dtype.kind not in "fiu":
            raise OperatorError(
                f"{path} holds {self._rows.dtype} of shape {self._rows.shape}; wanted are numbers, a row per product"
            )
        self.path = path
        try:
            own.check(self._rows.shape[1])
        except RejectedError as error:
            raise OperatorError(f"{path}: {error.detail}") from error

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, number: int) -> list[float]:
        """From 0; as JSON writes it."""
        return written(self._rows[number])


def written(vector: NDArray[Any]) -> list[float]:
    """The numbers of an array as JSON is to have them: float32 in the nine digits that it is good for."""
    numbers = vector.astype(np.float64)
    if vector.dtype.itemsize < 8 and vector.dtype.kind == "f":
        size = np.abs(numbers, where=np.isfinite(numbers), out=np.zeros_like(numbers))
        scale = 10.0 ** (8 - np.floor(np.log10(np.where(size > 0, size, 1.0))))
        numbers = np.round(numbers * scale) / scale
    found: list[float] = numbers.tolist()
    return found


def vector_of(row: Mapping[str, Any], own: OwnVectors) -> tuple[str, list[float] | None]:
    """The column of vectors ("": there is none) and the row's (None: it has none).

    Where no extractor takes vectors, a column of that name is one only if it
    holds lists of numbers; else it is an attribute like others. Raises
    `RejectedError` for what is no vector.
    """
    name = next((name for name in row if plain(name) == COLUMN), "")
    value = _parsed(row[name]) if name else None
    if value is None:
        return (name if own.dimension else ""), None
    if not own.dimension and not (isinstance(value, list) and value and all(_is_number(each) for each in value)):
        return "", None
    return name, checked(value)


def checked(value: Any) -> list[float]:
    """A list of numbers that has a direction, or `RejectedError('vector', ...)`."""
    if not isinstance(value, list) or not all(_is_number(each) for each in value):
        raise RejectedError("vector", "a vector is a list of numbers, as in [0.1, -0.2]")
    vector = [float(each) for each in value]
    if not np.isfinite(vector).all():
        raise RejectedError("vector", "the vector has numbers that are not finite")
    if not any(vector):
        raise RejectedError("vector", "the vector is all zeros and has no direction")
    return vector


def with_vectors(
    images: Sequence[ImageRef], vector: list[float] | None, product_id: str, own: OwnVectors
) -> tuple[list[ImageRef], list[RejectedError]]:
    """The images with the row's vector, which is the first one's, and why others cannot be used.

    A row without an image gets one that has a name alone. Raises
    `RejectedError(WRONG_LENGTH, ...)` for a vector that the index does not take.
    """
    found = list(images)
    if vector is not None:
        own.check(len(vector))
        if not found and own.demanded:
            found = [ImageRef(url=f"vector:{product_id}")]
        if found:
            found[0] = ImageRef(url=found[0].url, version=found[0].version, vector=vector)
    for image in found:
        if image.vector is not None:
            own.check(len(image.vector))
    if not own.demanded:
        return found, []
    without = [
        RejectedError("no_vector", f"{image.url}: no vector; {own.encoder} has one for each image")
        for image in found
        if image.vector is None
    ]
    return [image for image in found if image.vector is not None], without


def _parsed(value: Any) -> Any:
    """Text as the list that it writes out: JSON, or numbers with blanks, commas, semicolons or bars between them."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    try:
        return json.loads(text) if text.startswith("[") else [float(part) for part in re.split(r"[\s,;|]+", text)]
    except (ValueError, RecursionError):
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

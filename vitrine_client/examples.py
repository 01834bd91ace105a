"""What is searched with, as bytes and numbers: photos and vectors in the forms in which programs have them."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class BinaryFile(Protocol):
    """A file opened in binary mode, or what reads like one; it is read to its end."""

    def read(self) -> bytes: ...


@runtime_checkable
class Array(Protocol):
    """A numpy array, a tensor, or what lists its numbers as they do."""

    def tolist(self) -> Any: ...


Photo = bytes | str | os.PathLike[str] | BinaryFile
"""The bytes of a JPEG, PNG, WebP or GIF, the path of one, or a file opened in binary mode."""
Vector = Iterable[float] | Array
"""Numbers of the index's extractor: one row of as many as it has dimensions."""


def photo_bytes(photo: Photo) -> bytes:
    """Raises `OSError` when its file cannot be read, and `TypeError` for what is no photo."""
    if isinstance(photo, bytes | bytearray | memoryview):
        return bytes(photo)
    if isinstance(photo, str | os.PathLike):
        return Path(photo).read_bytes()
    data = photo.read() if isinstance(photo, BinaryFile) else photo
    if not isinstance(data, bytes):
        raise TypeError(f"a photo is bytes, a path, or a file opened in binary mode, not {type(data).__name__}")
    return data


def numbers(vector: Vector) -> list[float]:
    """Raises `TypeError` for what is no row of numbers, and `ValueError` for numbers that JSON has not."""
    listed = vector.tolist() if isinstance(vector, Array) else vector
    if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
        raise TypeError(f"a vector is a row of numbers, not {type(vector).__name__}")
    row = [_number(each) for each in listed]
    if not all(map(math.isfinite, row)):
        raise ValueError("a vector has finite numbers alone")
    return row


def float32(vector: Vector) -> bytes:
    """Little-endian. Raises as `numbers`; `ValueError` also for numbers that float32 has not."""
    if getattr(getattr(vector, "dtype", None), "str", "") == "<f4" and getattr(vector, "ndim", 0) == 1:
        return bytes(vector.tobytes())  # type: ignore[union-attr]
    row = numbers(vector)
    try:
        return struct.pack(f"<{len(row)}f", *row)
    except OverflowError as error:
        raise ValueError("a vector has numbers that float32 can hold") from error


def _number(value: Any) -> float:
    if isinstance(value, list | tuple | str | bytes):
        raise TypeError("a vector is one row of numbers; send the rows of a matrix one by one, or as `vectors`")
    return float(value)

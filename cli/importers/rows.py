"""One row of any catalogue, and the product event it becomes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cli.importers.columns import amount, is_image_column, meanings, share, whole_number
from cli.importers.vectors import OwnVectors, checked, vector_of, with_vectors
from schemas.errors import OperatorError, RejectedError
from schemas.events.event import ImageRef, ProductAdded


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not imported: `where` is "line 7" or a file's path, `reason` a stable word, `detail` for a person."""

    where: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where relative image paths begin, and the folders that pictures may lie in; absolute, links resolved."""

    folder: Path
    allowed: tuple[Path, ...]


def place(folder: Path, extra: Sequence[Path] = ()) -> Place:
    """The place of a catalogue whose file lies in `folder`."""
    return Place(folder.resolve(), (folder.resolve(), *(other.resolve() for other in extra)))


def event_of_row(
    row: Mapping[str, Any], where: str, at: Place, own: OwnVectors, beside: list[float] | None = None
) -> tuple[ProductAdded, list[Refusal]]:
    """The event of one row, and a refusal per image that cannot be used.

    `beside`: the row's vector where these lie in a file of their own. Raises
    `RejectedError` when nothing is left to import: no id, a number that
    is none, or no image that can be used; and for a vector of another length.
    """
    if row.get("type") == "product_added" and isinstance(row.get("product"), Mapping):
        row = {**row["product"], **{k: row[k] for k in ("product_id", "version", "images") if k in row}}
    known = meanings(row)
    vectors, vector = vector_of(row, own)
    attributes: dict[str, Any] = {
        name: value
        for name, value in row.items()
        if not _empty(value) and name not in known.values() and not is_image_column(name) and name != vectors
    }
    texts: dict[str, str] = {}
    for meaning, name in known.items():
        value = row[name]
        if _empty(value):
            continue
        match meaning:
            case "price":
                attributes["price"], currency = amount(value)
                if currency is not None:
                    attributes.setdefault("currency", currency)
            case "sales":
                attributes["sales"] = whole_number(value, "sales")
            case "praise":
                attributes["praise"] = share(value)
            case "version" | "product_id":
                pass
            case "category":
                texts["category"] = re.sub(r"\s*>\s*", "/", _text(value, meaning))
            case _:
                texts[meaning] = _text(value, meaning)
    if "product_id" not in known or _empty(row[known["product_id"]]):
        raise RejectedError("no_product_id", "the row names no product id")
    version = row[known["version"]] if "version" in known else None
    images, refused = _images(row, where, at)
    product_id = _text(row[known["product_id"]], "product_id").strip()
    if vector is not None and beside is not None:
        raise OperatorError(f"{where} has a vector in its column {vectors!r}, and --vectors another: leave one out")
    given = checked(beside) if beside is not None else vector
    images, without = with_vectors(images, given, product_id, own)
    refused += [Refusal(where, error.reason, error.detail) for error in without]
    if not images:
        if own.demanded and not without:
            raise RejectedError("no_vector", f"the row has no vector; {own.encoder} wants one")
        raise RejectedError(*_why_none(refused))
    event = ProductAdded(
        product_id=product_id,
        version=None if _empty(version) else whole_number(version, "version"),
        product=texts | attributes,
        images=images,
    )
    return event, refused


def _why_none(refused: list[Refusal]) -> tuple[str, str]:
    """Reason and detail of a row of whose images none can be used."""
    if not refused:
        return "no_image", "the row names no image"
    reason = refused[0].reason if refused[0].reason in ("no_vector", "vector") else "no_image"
    return reason, refused[0].detail


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text(value: Any, meaning: str) -> str:
    """Text of a text column; a number is written out, a list is a path ("a/b")."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "/".join(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise RejectedError(meaning, f"{meaning} must be text, found {type(value).__name__}")


def _images(row: Mapping[str, Any], where: str, at: Place) -> tuple[list[ImageRef], list[Refusal]]:
    images: dict[str, ImageRef] = {}
    refused: list[Refusal] = []
    for name, value in row.items():
        if not is_image_column(name) or _empty(value):
            continue
        for reference in _references(value):
            try:
                image = _image(reference, at)
                images.setdefault(image.url, image)
            except RejectedError as error:
                refused.append(Refusal(where, error.reason, error.detail))
    return list(images.values()), refused


def _references(value: Any) -> list[Any]:
    """The images that a cell names: a list, JSON text of one, or text with `|`, line ends or `,http` between them."""
    if not isinstance(value, str):
        return list(value) if isinstance(value, list) else [value]
    if value.lstrip().startswith("["):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, list):
            return parsed
    parts = re.split(r"[|\r\n]|,\s*(?=(?:https?|s3)://)", value)
    return [part.strip() for part in parts if part.strip()]


def _image(reference: Any, at: Place) -> ImageRef:
    version = vector = None
    if isinstance(reference, Mapping):
        version = reference.get("version")
        vector = None if reference.get("vector") is None else checked(reference["vector"])
        reference = reference.get("url") or reference.get("src") or reference.get("path")
    if not isinstance(reference, str) or not reference:
        raise RejectedError("image", "an image must be a path, a URL or an object with a url")
    if version is not None and (not isinstance(version, str | int) or isinstance(version, bool)):
        raise RejectedError("image", f"version of {reference} must be text or a whole number")
    scheme = urlsplit(reference).scheme.lower() if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:", reference) else ""
    if scheme in ("http", "https", "s3") or (vector is not None and scheme not in ("", "file")):  # not fetched
        return ImageRef(url=reference, version=version, vector=vector)
    if scheme not in ("", "file"):
        raise RejectedError("image_scheme", f"{reference[:80]}: only paths, file, http, https and s3 can be fetched")
    path = Path(unquote(urlsplit(reference).path)) if scheme else Path(reference)
    return _local_image(path, version, vector, at)


def _local_image(path: Path, version: str | int | None, vector: list[float] | None, at: Place) -> ImageRef:
    """A file's URL, versioned by its size and time, so that the next import notices a changed picture."""
    absolute = Path(os.path.normpath(at.folder / path))
    try:
        status, real = absolute.stat(), absolute.resolve()
    except (OSError, ValueError) as error:
        raise RejectedError("image_missing", f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not any(real.is_relative_to(folder) for folder in at.allowed):
        raise RejectedError(
            "image_outside", f"{path} lies outside {at.folder}; move it there or set fetch_allowed_folders"
        )
    if not absolute.is_file():
        raise RejectedError("image_missing", f"{path} is not a file")
    if status.st_size == 0:
        raise RejectedError("image_empty", f"{path} is empty")
    version = version or f"{status.st_mtime_ns // 1000:x}-{status.st_size:x}"
    return ImageRef(url=absolute.as_uri(), version=version, vector=vector)

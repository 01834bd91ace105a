"""The forms of a catalogue: CSV, JSON lines, Parquet, a folder of pictures.

Everything streams: one row is in memory at a time, besides the product ids
seen, which are needed to refuse a second row of the same product.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cli.importers.columns import NAMES, meanings
from cli.importers.parquet import parquet_length, parquet_rows
from cli.importers.rows import Place, Refusal, event_of_row, place
from cli.importers.vectors import WRONG_LENGTH, OwnVectors, VectorFile
from schemas.errors import OperatorError, RejectedError
from schemas.events.event import MAX_EVENT_BYTES, ProductAdded, check_event

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif"))
"""What a folder of pictures is searched for (lower case)."""

Row = tuple[str, dict[str, Any]]
"""Where it stands, and its columns."""


_NO_VECTORS = OwnVectors("one of pictures")


def read_catalogue(
    path: Path,
    extra_folders: Sequence[Path] = (),
    own: OwnVectors = _NO_VECTORS,
    vectors: VectorFile | None = None,
) -> Iterator[ProductAdded | Refusal]:
    """The products of a catalogue, in its order, and what of it cannot be used.

    `path`: a CSV, JSONL or Parquet file, a folder that holds one called
    `products`, or a folder of pictures (its subfolders are the categories).
    `extra_folders`: where local pictures may lie besides the catalogue's own
    folder. `own`, `vectors`: vectors of the shop's own, what the settings say
    of them and where they lie if not in the catalogue. A bad row never stops
    the reading; raises `OperatorError` when the path as a whole is no
    catalogue, or its vectors are none of this index's.
    """
    source = catalogue_file(path)
    at = place(source if source.is_dir() else source.parent, extra_folders)
    if vectors is not None:
        _check_rows(source, vectors)
    return _events(_rows_of(source), at, own, vectors)


def _rows_of(source: Path) -> Iterator[Row | Refusal]:
    if source.is_dir():
        return _picture_rows(source)
    match source.suffix.lower():
        case ".csv" | ".tsv":
            return _csv_rows(source)
        case ".parquet":
            return parquet_rows(source)
        case _:
            return _json_rows(source)


def _check_rows(source: Path, vectors: VectorFile) -> None:
    """That there is a vector for each row, those that cannot be used included. Reads the catalogue once for it."""
    if source.is_dir():
        raise OperatorError(f"{source} is a folder of pictures, whose order says nothing: name them in a table")
    rows = parquet_length(source) if source.suffix.lower() == ".parquet" else sum(1 for _ in _rows_of(source))
    if rows != len(vectors):
        raise OperatorError(
            f"{vectors.path} has {len(vectors)} rows, {source} has {rows}; each row of one is of the same row of the "
            "other, those that cannot be imported included"
        )


def catalogue_file(path: Path) -> Path:
    """The file to read in a folder that has one; otherwise `path` itself. Raises `OperatorError` if it is unusable."""
    if path.is_dir():
        names = ("products.jsonl", "products.csv", "products.parquet")
        return next((path / name for name in names if (path / name).is_file()), path)
    if not path.exists():
        raise OperatorError(f"{path} does not exist; give a .csv, .jsonl or .parquet file or a folder of pictures")
    if path.suffix.lower() not in (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"):
        raise OperatorError(
            f"{path} is neither .csv, .tsv, .jsonl, .ndjson, .parquet nor a folder; convert it to one of them"
        )
    return path


def _events(
    rows: Iterator[Row | Refusal], at: Place, own: OwnVectors, vectors: VectorFile | None
) -> Iterator[ProductAdded | Refusal]:
    seen: dict[str, str] = {}
    for number, row in enumerate(rows):
        if isinstance(row, Refusal):
            yield row
            continue
        where, columns = row
        try:
            beside = None if vectors is None else vectors.row(number)
            event, refused = event_of_row(columns, where, at, own, beside)
            check_event(event)
            if (first := seen.setdefault(event.product_id, where)) != where:
                raise RejectedError("duplicate_id", f"{event.product_id} stands already at {first}")
        except RejectedError as error:
            if error.reason == WRONG_LENGTH and not seen:  # nothing was sent: it is the setting, not the row
                raise OperatorError(f"{where}: {error.detail}") from error
            yield Refusal(where, error.reason, error.detail)
            continue
        yield from refused
        yield event


def _json_rows(file: Path) -> Iterator[Row | Refusal]:
    decoder = msgspec.json.Decoder()
    with _opened(file) as lines:
        number = 0
        while raw := lines.readline(MAX_EVENT_BYTES + 1):
            number += 1
            where = f"line {number}"
            if len(raw) > MAX_EVENT_BYTES:
                while raw and not raw.endswith(b"\n"):
                    raw = lines.readline(MAX_EVENT_BYTES)
                yield Refusal(where, "too_large", f"the line has more than {MAX_EVENT_BYTES} bytes")
                continue
            raw = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
            if not raw:
                continue
            try:
                row = decoder.decode(raw.decode("utf-8"))
            except UnicodeDecodeError as error:
                yield Refusal(where, "not_utf8", f"byte {error.start}: {error.reason}; save the file as UTF-8")
            except (msgspec.MsgspecError, RecursionError) as error:
                yield Refusal(where, "not_json", str(error))
            else:
                if isinstance(row, dict):
                    yield where, row
                else:
                    yield Refusal(where, "not_an_object", f"a line must be a JSON object, found {type(row).__name__}")


def _opened(file: Path) -> Any:
    try:
        return file.open("rb")
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}") from error


def _csv_rows(file: Path) -> Iterator[Row | Refusal]:
    with _opened(file) as raw:
        head = raw.read(64 * 1024)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise OperatorError(f"{file} is UTF-16; save it as CSV UTF-8")
    # Bytes that are not UTF-8 become lone surrogates, so that they spoil their own row only.
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines, delimiter=_delimiter(head))
        header = [name.strip() for name in next(reader, [])]
        if "product_id" not in meanings(header):
            accepted = ", ".join(NAMES["product_id"])
            raise OperatorError(f"{file} has no column for the product id; found {header}, accepted: {accepted}")
        while True:
            where = f"line {reader.line_num + 1}"
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Refusal(where, "not_csv", str(error))
                continue
            if not any(field.strip() for field in fields):
                continue
            if len(fields) > len(header):
                yield Refusal(where, "too_many_fields", f"{len(fields)} fields under {len(header)} columns; quote them")
            elif any(_undecoded(field) for field in fields):
                yield Refusal(where, "not_utf8", "the row has bytes that are not UTF-8; save the file as UTF-8")
            else:
                yield where, {name: field for name, field in zip(header, fields, strict=False) if name}


def _delimiter(head: bytes) -> str:
    """The one of comma, semicolon, tab and bar that the first line has most of."""
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t|", key=first.count)


def _undecoded(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _picture_rows(folder: Path) -> Iterator[Row | Refusal]:
    """A row per picture: its path is the id, its folder the category, its name the title."""
    unreadable: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith("."):
                continue
            path = (Path(parent) / name).relative_to(folder)
            where = os.fsencode(path).decode("utf-8", "replace")
            if path.suffix.lower() not in PICTURES:
                yield Refusal(where, "not_a_picture", f"only {', '.join(sorted(PICTURES))} are pictures")
            elif _undecoded(str(path)):
                yield Refusal(where, "not_utf8", "the file's name is not UTF-8; rename it")
            else:
                title = path.stem.replace("_", " ").replace("-", " ")
                category = path.parent.as_posix() if len(path.parts) > 1 else ""
                yield (
                    where,
                    {"product_id": path.as_posix(), "title": title, "category": category, "images": [str(path)]},
                )
    for error in unreadable:
        yield Refusal(str(error.filename), "unreadable", error.strerror or str(error))

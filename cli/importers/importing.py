"""Puts a catalogue into the log: one event a product, keyed by its id."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, TextIO

import msgspec
from tqdm import tqdm

from cli.importers.rows import Refusal
from cli.importers.sources import catalogue_file, read_catalogue
from cli.importers.vectors import OwnVectors, VectorFile
from disk.locks import locked
from messaging.producer import EventProducer
from schemas.errors import OperatorError, RejectedError, TransientError
from schemas.events.event import ProductAdded, ProductRemoved, decode_event
from schemas.settings import Settings
from schemas.topics import PRODUCT_EVENTS
from tracing.opening import tracing
from tracing.producing import stamp_of

SHOWN_REFUSALS = 20
FLUSH_TIMEOUT_S = 120.0

_log = logging.getLogger(__name__)


class Sender(Protocol):
    """The part of `EventProducer` that an import needs."""

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None: ...

    def flush(self, timeout_s: float = ...) -> None: ...


@dataclass(slots=True)
class ImportReport:
    """What an import did. `refused` holds the first `SHOWN_REFUSALS`, `refused_file` all of them (None: none).

    `removed`: products that the catalogue has and does not show.
    """

    produced: int = 0
    images: int = 0
    removed: int = 0
    refused: list[Refusal] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    refused_file: Path | None = None

    def text(self) -> str:
        """The report for a person, several lines."""
        lines = [f"{self.produced} products with {self.images} images sent"]
        if self.removed:
            lines.append(f"{self.removed} products that are not shown taken down")
        if self.refused:
            counts = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
            lines.append(f"{self.reasons.total()} refused ({counts}), all of them in {self.refused_file}")
            lines += [f"  {refusal.where}: {refusal.reason}: {refusal.detail}" for refusal in self.refused]
        return "\n".join(lines)


def import_catalogue(
    settings: Settings, path: Path, *, vectors: Path | None = None, progress: bool = True
) -> ImportReport:
    """Sends every product of the catalogue at `path` and waits until the log has them.

    `vectors`: a `.npy` file with one for each of its rows.

    The catalogue's folder joins `settings.layout.allowed_folders` first, when a
    picture lies in it, because extraction only reads below the folders there.
    Importing again is harmless: what is known is reused. Raises
    `OperatorError` when the path is no catalogue, its vectors are not of the
    settings' encoder, or Kafka does not answer.
    """
    path = path.expanduser().resolve()
    extra = [settings.layout.home, *(Path(folder) for folder in settings.fetch_allowed_folders)]
    own = OwnVectors.from_settings(settings)
    events = read_catalogue(path, extra, own, None if vectors is None else VectorFile(vectors, own))
    source = catalogue_file(path)
    folder = source if source.is_dir() else source.parent
    bar = tqdm(
        events, desc=f"importing {path.name}", unit=" rows", total=_rows(source), disable=None if progress else True
    )
    with writing(settings, path.name) as (log, refusals):
        report = send_events(bar, log, refusals, settings.layout.allowed_folders, folder)
    _log.info(
        "event=catalogue_imported path=%s produced=%d images=%d refused=%d",
        path, report.produced, report.images, report.reasons.total(),
    )  # fmt: skip
    return report


@contextmanager
def writing(settings: Settings, name: str) -> Iterator[tuple[EventProducer, RefusalFile]]:
    """The log, and the file for what of `name` cannot be used. Raises `OperatorError` where Kafka takes nothing."""
    try:
        with (
            RefusalFile(settings.layout.imports, name) as refusals,
            tracing(settings.trace_collector, "import") as tracer,
            EventProducer(settings.kafka, stamp=stamp_of(tracer)) as log,
        ):
            yield log, refusals
    except TransientError as error:
        raise OperatorError(
            f"Kafka at {settings.bootstrap} did not take the events ({error.detail}); "
            "see that it runs (vitrine status) and import again"
        ) from error


def send_events(
    events: Iterable[ProductAdded | ProductRemoved | Refusal],
    log: Sender,
    refusals: RefusalFile,
    allowed: Path,
    folder: Path | None,
) -> ImportReport:
    """Sends the events and notes the refusals; returns once the log has all of them.

    `folder`: of the catalogue, which pictures may lie in; None: it has none.
    """
    report = ImportReport()
    inside, listed = "" if folder is None else folder.as_uri().rstrip("/") + "/", folder is None
    for event in events:
        if isinstance(event, Refusal):
            refusals.add(event, report)
            continue
        value = msgspec.json.encode(event)
        try:
            decode_event(value)
        except RejectedError as error:
            refusals.add(Refusal(event.product_id, error.reason, error.detail), report)
            continue
        images = (event.images or []) if isinstance(event, ProductAdded) else []
        if folder is not None and not listed and any(image.url.startswith(inside) for image in images):
            allow_folder(allowed, folder)
            listed = True
        log.send(PRODUCT_EVENTS, event.product_id.encode(), value)
        report.produced += isinstance(event, ProductAdded)
        report.removed += isinstance(event, ProductRemoved)
        report.images += len(images)
    log.flush(FLUSH_TIMEOUT_S)
    return report


def allow_folder(file: Path, folder: Path) -> None:
    """Adds `folder` to the list unless it is there; whole or not at all, also beside another import."""
    line = str(folder)
    if "\n" in line or "\r" in line:
        raise OperatorError(f"the folder's name holds a line end: {line!r}; rename it")
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.with_name(file.name + ".lock")):
        lines = file.read_text().splitlines() if file.exists() else []
        if line in lines:
            return
        draft = file.with_name(file.name + ".new")
        draft.write_text("".join(f"{each}\n" for each in [*lines, line]))
        draft.replace(file)


class RefusalFile:
    """All refusals of one import as JSON lines; the file exists only once there is one."""

    def __init__(self, folder: Path, name: str) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._path = folder / f"{stamp}-{os.getpid()}-{name}.refused.jsonl"
        self._file: TextIO | None = None

    def add(self, refusal: Refusal, report: ImportReport) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace")
            report.refused_file = self._path
        self._file.write(json.dumps(asdict(refusal), ensure_ascii=False) + "\n")
        report.reasons[refusal.reason] += 1
        if len(report.refused) < SHOWN_REFUSALS:
            report.refused.append(refusal)

    def __enter__(self) -> RefusalFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()


def _rows(source: Path) -> int | None:
    """Lines of a file, for the progress bar; None for a folder, and for a file that has none."""
    if source.is_dir() or source.suffix.lower() == ".parquet":
        return None
    with suppress(OSError), source.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return None

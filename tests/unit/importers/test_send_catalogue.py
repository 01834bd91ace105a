"""An import sends keyed events, allows the catalogue's folder, and reports what it refused."""

from __future__ import annotations

import json
from pathlib import Path

from cli.importers import Refusal
from cli.importers.importing import SHOWN_REFUSALS, RefusalFile, allow_folder, send_events
from schemas.events.event import ImageRef, ProductAdded, decode_event


class Log:
    """The log's writing side, in memory: what was sent counts only once it is flushed."""

    def __init__(self) -> None:
        self.queued: list[tuple[str, bytes | None, bytes | None]] = []
        self.written: list[tuple[str, bytes | None, bytes | None]] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self.queued.append((topic, key, value))

    def flush(self, timeout_s: float = 0) -> None:
        self.written += self.queued
        self.queued = []


def _event(number: int, url: str = "https://c.example/1.jpg") -> ProductAdded:
    return ProductAdded(product_id=f"p{number}", product={"title": "ü"}, images=[ImageRef(url=url)])


def test_events_are_keyed_by_product_and_written_when_the_import_returns(tmp_path: Path) -> None:
    log = Log()
    with RefusalFile(tmp_path / "imports", "shop.csv") as refusals:
        report = send_events([_event(1), _event(2)], log, refusals, tmp_path / "allowed.txt", tmp_path)
    assert [(topic, key) for topic, key, _ in log.written] == [("product-events", b"p1"), ("product-events", b"p2")]
    assert [decode_event(value) for _, _, value in log.written] == [_event(1), _event(2)]
    assert (report.produced, report.images, report.refused, report.refused_file) == (2, 2, [], None)
    assert not (tmp_path / "imports").exists()
    assert not (tmp_path / "allowed.txt").exists(), "no picture lies in the folder, so nothing has to be allowed"


def test_the_folder_is_allowed_before_its_first_event_is_sent(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed.txt"
    seen: list[bool] = []

    class Watching(Log):
        def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
            seen.append(allowed.read_text() == f"{tmp_path}\n")

    local = _event(1, (tmp_path / "1.jpg").as_uri())
    with RefusalFile(tmp_path, "x") as refusals:
        send_events([local, local], Watching(), refusals, allowed, tmp_path)
    assert seen == [True, True]


def test_allowing_a_folder_twice_lists_it_once_and_keeps_the_others(tmp_path: Path) -> None:
    file = tmp_path / "home" / "allowed.txt"
    for folder in ("/a", "/b", "/a"):
        allow_folder(file, Path(folder))
    assert file.read_text() == "/a\n/b\n"


def test_every_refusal_is_in_the_file_and_the_first_in_the_report(tmp_path: Path) -> None:
    refused = [Refusal(f"line {i}", "price", "x \udcff is no price") for i in range(SHOWN_REFUSALS + 5)]
    too_long = ProductAdded(product_id="p" * 600)
    log = Log()
    with RefusalFile(tmp_path, "shop.csv") as refusals:
        report = send_events([*refused, _event(1), too_long], log, refusals, tmp_path / "allowed.txt", tmp_path)
    assert report.reasons == {"price": SHOWN_REFUSALS + 5, "invalid_event": 1}
    assert report.refused == refused[:SHOWN_REFUSALS]
    assert report.refused_file is not None
    lines = [json.loads(line) for line in report.refused_file.read_text().splitlines()]
    assert len(lines) == SHOWN_REFUSALS + 6
    assert lines[0]["where"] == "line 0"
    assert len(log.written) == 1
    assert "1 products with 1 images sent" in report.text()
    assert str(report.refused_file) in report.text()

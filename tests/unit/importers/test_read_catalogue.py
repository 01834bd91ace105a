"""CSV, JSON lines and folders of pictures become events; bad rows become refusals and stop nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest

from cli.importers import Refusal, read_catalogue
from schemas.errors import OperatorError
from schemas.events.event import ProductAdded, decode_event

SHARED = Path(os.environ.get("VITRINE_SHARED") or Path(__file__).parents[4] / "shared") / "data"


def _picture(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a picture's bytes")
    return path


def _read(path: Path, extra: tuple[Path, ...] = ()) -> tuple[list[ProductAdded], list[Refusal]]:
    entries = list(read_catalogue(path, extra))
    events = [entry for entry in entries if isinstance(entry, ProductAdded)]
    for event in events:
        assert decode_event(msgspec.json.encode(event)) == event
    return events, [entry for entry in entries if isinstance(entry, Refusal)]


def _reasons(refusals: list[Refusal]) -> list[tuple[str, str]]:
    return [(refusal.where, refusal.reason) for refusal in refusals]


def test_csv_rows_become_events_with_every_column_kept(tmp_path: Path) -> None:
    _picture(tmp_path, "a b/ü1.jpg")
    (tmp_path / "shop.csv").write_text(
        "﻿SKU;Name;Category;Colour;Price;Sales;Praise;Version;Image;Image 2;Fabric\n"
        '7;"Shoe; red";shoes/running;red;59,90 €;1,200;96 %;3;a b/ü1.jpg;https://cdn.example/1.jpg?x=1,2;mesh\n'
        "\n"
        "8;Plain;;;;;;;http://cdn.example/8.jpg;;\n",
        encoding="utf-8",
    )
    events, refusals = _read(tmp_path / "shop.csv")
    assert not refusals
    first, second = events
    assert first.product_id == "7"
    assert first.version == 3
    assert first.product == {
        "title": "Shoe; red",
        "category": "shoes/running",
        "colour": "red",
        "price": 59.9,
        "currency": "€",
        "sales": 1200,
        "praise": 0.96,
        "Fabric": "mesh",
    }
    assert first.images is not None
    local, remote = first.images
    assert local.url.startswith("file:///")
    assert "%20" in local.url
    assert Path(unquote(urlsplit(local.url).path)) == (tmp_path / "a b/ü1.jpg").resolve()
    assert remote.url == "https://cdn.example/1.jpg?x=1,2"
    assert second.product == {"title": "Plain"}


def test_bad_csv_rows_are_refused_by_line_and_the_others_read(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_bytes(
        b"id,price,image\n"
        b"1,10,http://cdn.example/1.jpg\n"
        b"2,ten,http://cdn.example/2.jpg\n"
        b"3,10,http://cdn.example/\xff.jpg\n"
        b"4,10,http://cdn.example/4.jpg,surplus\n"
        b",10,http://cdn.example/5.jpg\n"
        b"6,10,\n"
        b"1,11,http://cdn.example/again.jpg\n"
        b"8,-5,http://cdn.example/8.jpg\n"
        b"9,10," + b"x" * 200_000 + b"\n"
        b"10,10,ftp://cdn.example/9.jpg\n"
        b"11,10,http://cdn.example/11.jpg\n"
    )  # fmt: skip
    events, refusals = _read(tmp_path / "shop.csv")
    assert [event.product_id for event in events] == ["1", "11"]
    assert _reasons(refusals) == [
        ("line 3", "price"),
        ("line 4", "not_utf8"),
        ("line 5", "too_many_fields"),
        ("line 6", "no_product_id"),
        ("line 7", "no_image"),
        ("line 8", "duplicate_id"),
        ("line 9", "invalid_event"),
        ("line 10", "not_csv"),
        ("line 11", "no_image"),
    ]


def test_a_quoted_field_over_two_lines_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text('id,title,image\n1,"two\nlines",http://c.example/1.jpg\n2,b,nowhere.jpg\n')
    events, refusals = _read(tmp_path / "shop.csv")
    assert events[0].product == {"title": "two\nlines"}
    assert _reasons(refusals) == [("line 4", "no_image")]


def test_csv_without_an_id_column_is_refused_as_a_whole_with_the_accepted_names(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("title,image\na,b\n")
    with pytest.raises(OperatorError, match="sku"):
        list(read_catalogue(tmp_path / "shop.csv"))


def test_utf16_is_refused_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("id,image\n1,http://c.example/1.jpg\n", encoding="utf-16")
    with pytest.raises(OperatorError, match="UTF-8"):
        list(read_catalogue(tmp_path / "shop.csv"))


def test_json_lines_keep_unknown_attributes_and_skip_what_is_no_object(tmp_path: Path) -> None:
    picture = _picture(tmp_path, "images/1.jpg")
    good = {
        "product_id": "p1", "title": "t", "price": 5, "description": "long", "tags": ["a", {"b": 1}],
        "images": ["images/1.jpg", {"url": "https://c.example/2.jpg", "version": "v2"}],
    }  # fmt: skip
    lines = [
        json.dumps(good).encode(),
        b'{"product_id": "p2", "images": ["images/1.jpg"',
        b'["no", "object"]',
        b'{"product_id": "p3", "title": "\xff"}',
        b"[" * 100_000,
        b'{"product_id": "p4", "price": NaN, "images": ["images/1.jpg"]}',
        b'{"product_id": "p5", "x": "' + b"y" * 1_000_000 + b'"}',
        b'{"product_id": 6, "images": "images/1.jpg", "version": "9"}',
        b'{"product_id": "p7", "price": [1], "images": "images/1.jpg"}',
    ]
    (tmp_path / "products.jsonl").write_bytes(b"\n".join(lines))
    events, refusals = _read(tmp_path)
    assert [event.product_id for event in events] == ["p1", "6"]
    assert events[0].product == {"title": "t", "price": 5.0, "description": "long", "tags": ["a", {"b": 1}]}
    assert events[0].images is not None
    assert [image.url for image in events[0].images] == [picture.resolve().as_uri(), "https://c.example/2.jpg"]
    assert events[0].images[1].version == "v2"
    assert events[1].version == 9
    assert _reasons(refusals) == [
        ("line 2", "not_json"),
        ("line 3", "not_an_object"),
        ("line 4", "not_utf8"),
        ("line 5", "not_json"),
        ("line 6", "not_json"),
        ("line 7", "too_large"),
        ("line 9", "price"),
    ]


@pytest.mark.parametrize("category", ["Apparel > Shoes>Running", ["Apparel", "Shoes", "Running"]])
def test_a_category_path_is_read_in_other_notations(tmp_path: Path, category: object) -> None:
    row = {"id": 1, "google_product_category": category, "image_link": "https://c.example/1.jpg"}
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    assert _read(tmp_path / "p.jsonl")[0][0].product == {"category": "Apparel/Shoes/Running"}


def test_a_product_added_event_imports_as_it_is(tmp_path: Path) -> None:
    event = ProductAdded(product_id="p", version=4, product={"title": "t", "x": 1}, images=[])
    row = msgspec.to_builtins(event) | {"images": [{"url": "https://c.example/1.jpg", "version": 2}]}
    (tmp_path / "log.jsonl").write_text(json.dumps(row))
    events, refusals = _read(tmp_path / "log.jsonl")
    assert not refusals
    assert msgspec.to_builtins(events[0]) == row


def test_a_product_keeps_its_other_images_when_one_is_missing(tmp_path: Path) -> None:
    _picture(tmp_path, "1.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "p.jsonl").write_text('{"id": "p", "images": ["gone.jpg", "1.jpg", "empty.jpg", 5, "a\\u0000b"]}')
    events, refusals = _read(tmp_path / "p.jsonl")
    assert events[0].images is not None
    assert len(events[0].images) == 1
    assert [refusal.reason for refusal in refusals] == ["image_missing", "image_empty", "image", "image_missing"]


def test_a_picture_outside_the_catalogue_is_refused_unless_its_folder_is_allowed(tmp_path: Path) -> None:
    outside = _picture(tmp_path, "elsewhere/1.jpg")
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "link.jpg").symlink_to(outside)
    rows = [
        {"id": "a", "image": "../elsewhere/1.jpg"},
        {"id": "b", "image": outside.as_uri()},
        {"id": "c", "image": "link.jpg"},
    ]
    (shop / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    events, refusals = _read(shop / "p.jsonl")
    assert not events
    assert len(refusals) == 3
    events, refusals = _read(shop / "p.jsonl", (tmp_path / "elsewhere",))
    assert [event.product_id for event in events] == ["a", "b", "c"]
    assert not refusals


def test_a_changed_picture_gets_another_version(tmp_path: Path) -> None:
    picture = _picture(tmp_path, "1.jpg")
    (tmp_path / "p.jsonl").write_text('{"id": "p", "images": ["1.jpg"]}')
    before = _read(tmp_path / "p.jsonl")[0][0].images
    assert _read(tmp_path / "p.jsonl")[0][0].images == before
    picture.write_bytes(b"another picture of it")
    after = _read(tmp_path / "p.jsonl")[0][0].images
    assert before is not None
    assert after is not None
    assert before[0].url == after[0].url
    assert before[0].version != after[0].version


def test_a_folder_of_pictures_has_its_subfolders_as_categories(tmp_path: Path) -> None:
    for name in ("shoes/running/red_one.JPG", "bags/a.png", "top.webp", ".hidden/x.jpg", "bags/.thumb.jpg"):
        _picture(tmp_path, name)
    (tmp_path / "bags/notes.txt").write_text("no picture")
    events, refusals = _read(tmp_path)
    assert {event.product_id: event.product for event in events} == {
        "shoes/running/red_one.JPG": {"title": "red one", "category": "shoes/running"},
        "bags/a.png": {"title": "a", "category": "bags"},
        "top.webp": {"title": "top"},
    }
    assert _reasons(refusals) == [("bags/notes.txt", "not_a_picture")]


def test_a_file_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    _, refusals = _read(tmp_path)
    assert [refusal.reason for refusal in refusals] == ["not_utf8"]


@pytest.mark.parametrize("name", ["gone.csv", "gone"])
def test_a_missing_path_is_an_operators_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorError, match="does not exist"):
        read_catalogue(tmp_path / name)


def test_an_unknown_kind_of_file_is_an_operators_error(tmp_path: Path) -> None:
    (tmp_path / "shop.xlsx").touch()
    with pytest.raises(OperatorError, match=r"\.csv"):
        read_catalogue(tmp_path / "shop.xlsx")


@pytest.mark.parametrize(("name", "products"), [("apparel", 417), ("clothing", 3409)])
def test_the_shared_catalogues_import_as_they_are(name: str, products: int) -> None:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there; set VITRINE_SHARED")
    entries = list(read_catalogue(SHARED / name))
    assert len(entries) == products
    assert not [entry for entry in entries if isinstance(entry, Refusal)]

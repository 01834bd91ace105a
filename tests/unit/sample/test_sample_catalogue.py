"""The sample catalogue is the same every time, whole or not there, and imports as it is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.importers import Refusal, read_catalogue
from sample import SampleCatalogue, make_sample
from sample.products import KINDS, product
from schemas.errors import OperatorError


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleCatalogue:
    return make_sample(tmp_path_factory.mktemp("sample") / "s", products=len(KINDS), images=len(KINDS) + 5)


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    one = make_sample(tmp_path / "one", products=4, images=6)
    two = make_sample(tmp_path / "two", products=4, images=6)
    assert _digests(one.folder) == _digests(two.folder)


def test_processes_draw_the_same_bytes_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = make_sample(tmp_path / "alone", products=4, images=6)
    monkeypatch.setattr("sample.making.PICTURES_PER_PROCESS", 1)
    monkeypatch.setattr("sample.making.cores", lambda: 2)
    together = make_sample(tmp_path / "together", products=4, images=6)
    assert _digests(alone.folder) == _digests(together.folder)


def test_a_product_is_the_same_in_a_larger_sample(sample: SampleCatalogue, tmp_path: Path) -> None:
    small = make_sample(tmp_path / "small", products=3, images=3)
    first = small.products_file.read_text().splitlines()[0]
    row, larger = json.loads(first), json.loads(sample.products_file.read_text().splitlines()[0])
    assert {**row, "images": None} == {**larger, "images": None}
    name = row["images"][0]
    assert (small.folder / name).read_bytes() == (sample.folder / name).read_bytes()


def test_a_made_sample_is_used_as_it_is(sample: SampleCatalogue) -> None:
    before = {path: path.stat().st_mtime_ns for path in sample.images.iterdir()}

    def fail(done: int, total: int) -> None:
        raise AssertionError("drawn again")

    again = make_sample(sample.folder, products=len(KINDS), images=len(KINDS) + 5, progress=fail)
    assert again == sample
    assert {path: path.stat().st_mtime_ns for path in sample.images.iterdir()} == before


def test_other_counts_make_it_anew(tmp_path: Path) -> None:
    make_sample(tmp_path / "s", products=2, images=3)
    other = make_sample(tmp_path / "s", products=1, images=1)
    assert len(other.products_file.read_text().splitlines()) == 1
    assert len(list(other.images.iterdir())) == 2


def test_what_was_interrupted_leaves_no_half_sample(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample(tmp_path / "s", products=2, images=2, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed_and_those_of_a_living_one_kept(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    for pid in (ended.pid, os.getppid()):
        (tmp_path / f"s.partial-{pid}" / "images").mkdir(parents=True)
    make_sample(tmp_path / "s", products=1, images=1)
    assert {path.name for path in tmp_path.iterdir()} == {"s", f"s.partial-{os.getppid()}"}


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(OperatorError, match="no sample catalogue"):
        make_sample(tmp_path, products=1, images=1)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_fewer_images_than_products_is_an_operators_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="at least one image"):
        make_sample(tmp_path / "s", products=3, images=2)


def test_it_imports_without_a_refusal(sample: SampleCatalogue) -> None:
    entries = list(read_catalogue(sample.folder))
    assert not [entry for entry in entries if isinstance(entry, Refusal)]
    assert len(entries) == len(KINDS)


def test_every_kind_shows_an_object_before_its_background(sample: SampleCatalogue) -> None:
    for row in map(json.loads, sample.products_file.read_text().splitlines()):
        with Image.open(sample.folder / row["images"][0]) as picture:
            assert picture.format == "JPEG"
            pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
        assert pixels.shape == (288, 288, 3)
        corner, middle = pixels[:20, :20].std(axis=(0, 1)).mean(), pixels[60:228, 60:228].std(axis=(0, 1)).mean()
        assert middle > corner + 10, f"{row['product_id']} ({row['category']}) is not to be seen"


def test_queries_are_other_views_of_listed_products(sample: SampleCatalogue) -> None:
    rows = {row["product_id"]: row for row in map(json.loads, sample.products_file.read_text().splitlines())}
    queries = [json.loads(line) for line in sample.queries_file.read_text().splitlines()]
    assert len(queries) == 3
    for query in queries:
        row = rows[query["product_id"]]
        assert query["category"] == row["category"]
        photo = (sample.folder / query["image"]).read_bytes()
        assert photo not in [(sample.folder / name).read_bytes() for name in row["images"]]
    assert sample.demo_query == sample.folder / queries[0]["image"]
    assert sample.demo_product_id == queries[0]["product_id"]


def test_two_thousand_products_have_their_own_looks_and_whole_attributes() -> None:
    looks = set()
    for number in range(2000):
        this = product(number)
        looks.add((this.attributes["category"], this.attributes["colour"], this.attributes["pattern"]))
        assert this.attributes["price"] > 0
        assert this.attributes["sales"] >= 1
        assert 0.6 <= this.attributes["praise"] <= 1
    assert len(looks) == 2000

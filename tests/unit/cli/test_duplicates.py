"""`vitrine duplicates`: groups of products that show one picture, over all shards as they lie on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import OPERATOR, main
from generations.folder import Generations
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import save
from schemas.deltas.delta import DeltaBatch
from schemas.settings import Settings
from tests.support.serving.generations import build_generation
from tests.support.serving.world import DIMENSION, EXTRACTOR, batch, direction, listed, near, removed
from vision.same_picture import UNMEASURED


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two shards."""
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    return Settings(home=str(tmp_path))


def snapshot(settings: Settings, shard: int, deltas: DeltaBatch, generation: str = "live") -> None:
    held = Shard(EXTRACTOR, DIMENSION)
    held.apply(deltas)
    save(held, settings.layout.shard_folder(shard, 0, generation) / "snapshot", {0: 1})


def in_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["duplicates", "--json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def names(found: dict[str, Any]) -> list[set[str]]:
    return [{double["product_id"] for double in group} for group in found["groups"]]


def test_products_of_one_picture_are_found_across_shards(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    first = listed(batch(), "a", [direction(1), direction(1)], price=5.0)
    listed(first, "b", [near(direction(1), 9, 0.01)])
    snapshot(settings, 0, listed(first, "alone", [direction(3), direction(3)]))
    second = listed(batch(), "c", [direction(2), near(direction(1), 8, 0.01)])
    listed(second, "gone", [direction(1)])
    snapshot(settings, 1, removed(listed(second, "pending", [None]), "gone"))
    found = in_json(capsys)
    assert names(found) == [{"a", "b", "c"}], "each product once, and none for two pictures of its own"
    assert (found["generation"], found["images"], found["products"], found["likeness"]) == ("live", 7, 3, UNMEASURED)
    (a,) = (double for double in found["groups"][0] if double["product_id"] == "a")
    assert a["url"].startswith("https://shop.example/a/")
    assert (a["price"], a["similarity"]) == (5.0, pytest.approx(1, abs=1e-3))
    assert names(in_json(capsys, "--likeness", "1")) == []
    assert main(["duplicates"]) == 0
    said = capsys.readouterr().out
    assert "live: 1 pictures are shown by several products, 3 in all, of 7 images compared" in said
    assert all(product in said.splitlines()[1] for product in "abc")


def test_full_index_is_read_where_no_searcher_has_a_snapshot_of_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    stock = batch()
    for number in range(20):
        listed(stock, f"p{number}", [direction(number // 2)])
    generation = build_generation(settings, stock, [1])
    Generations(settings.layout.generations).serve(generation.name)
    found = in_json(capsys)
    assert found["generation"] == generation.name
    assert sorted(map(sorted, names(found))) == sorted([f"p{n}", f"p{n + 1}"] for n in range(0, 20, 2))
    snapshot(settings, 0, listed(batch(), "a", [direction(50)]), generation.name)
    snapshot(settings, 1, listed(batch(), "b", [direction(50)]), generation.name)
    assert names(in_json(capsys)) == [{"a", "b"}], "what searchers have is newer"


@pytest.mark.parametrize(("options", "says"), [((), "shard 1 of live"), (("--likeness", "2"), "--likeness 2")])
def test_what_cannot_be_told_is_said_with_what_to_do(
    settings: Settings, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str
) -> None:
    snapshot(settings, 0, listed(batch(), "a", [direction(1)]))
    assert main(["duplicates", *options]) == OPERATOR
    assert says in capsys.readouterr().err

"""How places in an object store are written, and what is said where one cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from generations.folder import Generations
from objects.client import s3_client
from schemas.access.objects import CopiedPlace, ObjectPlace, object_place
from schemas.errors import OperatorError
from schemas.settings import load_settings


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [("s3://indexes", "indexes", ""), ("s3://indexes/", "indexes", ""), ("s3://indexes/a/b/", "indexes", "a/b")],
)
def test_place_is_a_bucket_and_a_prefix(text: str, bucket: str, prefix: str) -> None:
    place = object_place(text, "generations")
    assert place == ObjectPlace(bucket, prefix)
    assert object_place(str(place), "generations") == place
    assert place.key("a.json") == (f"{prefix}/a.json" if prefix else "a.json")


def test_folder_is_no_place(tmp_path: Path) -> None:
    for text in (str(tmp_path), "", "indexes", "./s3:/indexes", "a:b/c"):
        assert object_place(text, "generations") is None


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:///a",
        "s3://in dexes/a",
        "s3://indexes/a/../b",
        "s3://indexes//a//b",
        "gs://indexes/a",
        "https://indexes",
        "s3:/indexes/a",
        "s3:indexes",
    ],
)
def test_url_that_is_no_place_is_refused_with_what_is_wanted(text: str) -> None:
    with pytest.raises(OperatorError, match=r"s3://bucket/prefix"):
        load_settings({"VITRINE_GENERATIONS": text})


def test_copies_of_full_indexes_lie_in_the_home(tmp_path: Path) -> None:
    layout = load_settings({"VITRINE_HOME": str(tmp_path), "VITRINE_GENERATIONS": "s3://indexes/shop"}).layout
    assert layout.generations == CopiedPlace(ObjectPlace("indexes", "shop"), tmp_path / "copied-generations")
    assert str(layout.generations) == "s3://indexes/shop"


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    s3_client.cache_clear()
    with pytest.raises(OperatorError, match=r"vitrine\[s3\]"):
        Generations(CopiedPlace(ObjectPlace("indexes"), tmp_path))

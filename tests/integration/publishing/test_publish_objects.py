"""Publishing out of an object store: what is checked lies there, searchers load it, old ones go there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from generations.publish import last_report
from schemas.errors import OperatorError
from schemas.full_index.publish_report import PUBLISH, decode_publish_report
from tests.support.index.publish_world import Shop, open_shop
from tests.support.objects.server import ObjectStore

_numbers = count()


@pytest.fixture
def shop(tmp_path: Path, object_store: ObjectStore) -> Iterator[Shop]:
    place = f"s3://{object_store.bucket('published')}/{next(_numbers)}"
    (tmp_path / "vitrine.toml").write_text(f'generations = "{place}"\nkeep_generations = 2\n')
    with open_shop(tmp_path) as shop:
        yield shop


def test_publications_serve_one_after_the_other_and_old_ones_go(shop: Shop) -> None:
    names = []
    for _ in range(3):
        made = shop.build()
        report = shop.publish(made.name)
        assert (report.passed, shop.serving()) == (True, made.name)
        names.append(made.name)
    assert shop.generations.names() == names[1:]
    assert last_report(shop.settings.layout.generations) == report
    assert decode_publish_report(shop.generations.files.read(f"{names[2]}/{PUBLISH}")) == report
    assert sorted(copy.name for copy in shop.generations.folder.glob("g*")) == names[1:]
    assert shop.generations.roll_back().serving == names[1]
    shop.wait_serving(names[1])


def test_what_was_altered_in_the_store_is_not_published(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    shop.publish(first.name)
    path = f"{second.name}/shard-1/rows.bin"
    data = bytearray(shop.generations.files.read(path))
    data[len(data) // 2] ^= 1
    shop.generations.files.write(path, bytes(data))
    report = shop.publish(second.name)
    assert [check.name for check in report.failed] == ["files", "overlap"]
    assert "s3://" in report.failed[0].detail
    assert "rows.bin" in report.failed[0].detail
    assert shop.serving() == first.name


def test_two_homes_that_publish_at_once_are_told_apart(shop: Shop, tmp_path: Path) -> None:
    """The other one's publication ends while this one's checks are made."""
    first, second = shop.build(), shop.build()
    elsewhere = msgspec.structs.replace(shop.settings, home=str(tmp_path / "elsewhere"))
    assert elsewhere.layout.generations != shop.settings.layout.generations
    with pytest.raises(OperatorError, match="moved by somebody else"):
        shop.publish(second.name, prepare=lambda _: shop.publisher(elsewhere).publish(first.name, wait_s=30.0))
    alias = shop.generations.alias()
    assert alias is not None
    assert alias.serving == first.name

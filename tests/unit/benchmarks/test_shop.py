"""The benchmarks' shop: events that the system accepts, in the shares that JD reports."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.load.shop import Kind, Shop, draw_pictures, product_id
from jobs.pipeline.core import apply
from schemas.events.event import Forwarded, Heartbeat, decode_event
from schemas.events.record import ProductRecord


def test_the_mix_has_the_shares_of_jd() -> None:
    kinds = Counter(event.kind for event in islice(Shop(5000, new_pictures=["file:///p.jpg"] * 500).mix(), 20_000))
    shares = {kind: count / 20_000 for kind, count in kinds.items()}
    assert shares[Kind.REMOVED] == pytest.approx(0.14, abs=0.01)
    assert shares[Kind.KNOWN_IMAGE] + shares[Kind.NEW_IMAGE] == pytest.approx(0.53, abs=0.015)
    assert shares[Kind.NEW_IMAGE] == pytest.approx(0.53 * 0.015, abs=0.003)


def test_every_event_changes_its_product() -> None:
    shop = Shop(200, first=1000)
    records: dict[str, ProductRecord | None] = {}
    for number, event in enumerate([*shop.listings(), *islice(shop.mix(), 2000)]):
        decoded = decode_event(event.value)
        assert not isinstance(decoded, Heartbeat | Forwarded)
        assert decoded.product_id == event.key.decode()
        outcome = apply(records.get(decoded.product_id), decoded, number + 1)
        assert outcome.changed
        records[decoded.product_id] = outcome.record
    assert set(records) == {product_id(1000 + number) for number in range(200)}


def test_pictures_differ_in_bytes_and_open(tmp_path: Path) -> None:
    urls = draw_pictures(tmp_path, 5, motifs=2)
    files = sorted(tmp_path.iterdir())
    assert len(urls) == len({file.read_bytes() for file in files}) == 5
    for file in files:
        with Image.open(file) as picture:
            assert picture.size == (320, 320)
            picture.load()

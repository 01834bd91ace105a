"""SIGKILL in the middle of an import, each part in turn: it comes back by itself, nothing is lost, stream = batch."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.rebuilt import stream_equals_batch
from tests.support.whole.pictures import write_pictures
from tests.support.whole.talking import added
from tests.system import KAFKA, TASK_MANAGER, System

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

PRODUCTS = 60


def workers(system: System) -> None:
    assert system.kill_python_workers() > 0


VICTIMS: dict[str, Callable[[System], None]] = {
    "python worker": workers,
    "searcher": lambda system: system.kill("searcher-0-0"),
    "task manager": lambda system: system.kill(TASK_MANAGER),
    "kafka": lambda system: system.kill(KAFKA),
}


@pytest.mark.parametrize("number, victim", list(enumerate(VICTIMS)), ids=list(VICTIMS))
def test_killed_in_the_middle_of_an_import_nothing_is_lost(system: System, number: int, victim: str) -> None:
    system.wait_settled(pending=10)
    first = 5000 + number * PRODUCTS
    urls = write_pictures(system.home / "kills", range(first, first + PRODUCTS))
    ids = [f"kill-{number}-{n}" for n in range(PRODUCTS)]
    events = [added(product_id, url, price=n) for n, (product_id, url) in enumerate(zip(ids, urls, strict=True))]
    events += [{"type": "product_updated", "product_id": i, "product": {"price": 1000}} for i in ids[::2]]
    events += [{"type": "product_removed", "product_id": i} for i in ids[::5]]
    half = len(events) // 3
    system.produce(*events[:half])
    importer = threading.Thread(target=system.produce, args=events[half:])
    VICTIMS[victim](system)
    importer.start()
    importer.join(120)
    assert not importer.is_alive()
    system.wait_settled(pending=10, timeout_s=240)
    gone = set(ids[::5])
    kept = [product_id for product_id in ids if product_id not in gone]
    system.wait_searchable(kept, timeout_s=120)
    assert not any(any(system.searchable_images(product_id)) for product_id in gone)
    stream_equals_batch(system)

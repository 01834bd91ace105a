"""The whole system's life: started once, mended after a death; nothing of its index is lost.

It is stopped and continued in tests/e2e/test_lost_stores.py.
"""

from __future__ import annotations

import json

import pytest
from PIL import Image

from cli.main import main
from cli.runtime.layout import settings_environment
from tests.system import JOB_MANAGER, KAFKA, TASK_MANAGER, System, eventually

pytestmark = pytest.mark.integration

PARTS = {KAFKA, JOB_MANAGER, TASK_MANAGER, "searcher-0-0", "searcher-1-0", "broker", "blender", "heartbeat"}

GIVEN_UP = 20
"""Images of other tests, in the system that all share, that extraction gave up on purpose: at most as many."""


@pytest.fixture(scope="module")
def catalogue(system: System) -> System:
    """The running system with ten products of one picture each."""
    folder = system.home / "runtime-pictures"
    folder.mkdir(exist_ok=True)
    events = []
    for number in range(10):
        picture = folder / f"{number}.png"
        Image.new("RGB", (96, 96), (25 * number, 255 - 25 * number, 90)).save(picture)
        events.append(
            {
                "type": "product_added",
                "product_id": f"runtime-{number}",
                "product": {"title": f"swatch {number}", "price": number + 0.5},
                "images": [{"url": picture.as_uri()}],
            }
        )
    system.produce(*events)
    system.wait_searchable([event["product_id"] for event in events])
    system.wait_settled(pending=GIVEN_UP)
    return system


def test_every_part_runs_and_says_so(catalogue: System) -> None:
    assert set(catalogue.runtime.running()) == PARTS
    assert sum(view.searchable for view in catalogue.shards()) >= 10


def test_second_start_changes_nothing(catalogue: System) -> None:
    before = catalogue.runtime.running()
    catalogue.start()
    assert catalogue.runtime.running() == before


def test_status_as_json_reports_a_healthy_system(
    catalogue: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings_environment(catalogue.settings).items():
        monkeypatch.setenv(name, value)

    def healthy() -> dict[str, object] | None:
        code = main(["status", "--json"])
        answer: dict[str, object] = json.loads(capsys.readouterr().out)
        return answer if code == 0 else None

    status = eventually(healthy, "vitrine status reports no problem", 60)
    assert status["problems"] == []
    assert status["job"]["state"] == "RUNNING"  # type: ignore[index]
    assert set(status["processes"]) == PARTS  # type: ignore[call-overload]


def test_photo_of_a_product_finds_it(
    catalogue: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings_environment(catalogue.settings).items():
        monkeypatch.setenv(name, value)
    assert main(["search", str(catalogue.home / "runtime-pictures" / "3.png"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "runtime-3" in [result["product_id"] for result in answer["results"][:3]]
    assert answer["partial"] is False


def test_start_brings_back_killed_parts_and_the_index_is_whole(catalogue: System) -> None:
    before = catalogue.wait_settled(pending=GIVEN_UP)
    for name in ("searcher-1-0", "blender", TASK_MANAGER):
        catalogue.kill(name)
    catalogue.start()
    assert set(catalogue.runtime.running()) == PARTS
    catalogue.produce({"type": "product_updated", "product_id": "runtime-1", "product": {"price": 77.0}})
    after = catalogue.wait_settled(pending=GIVEN_UP)
    assert [view.searchable for view in after] == [view.searchable for view in before]
    assert {replica.price for replica in catalogue.product("runtime-1").replicas} == {77.0}


def test_lost_job_manager_costs_only_a_new_submission(catalogue: System) -> None:
    catalogue.kill(JOB_MANAGER)
    catalogue.start()
    catalogue.produce({"type": "product_updated", "product_id": "runtime-2", "product": {"price": 78.0}})
    catalogue.wait_settled(pending=GIVEN_UP)
    assert {replica.price for replica in catalogue.product("runtime-2").replicas} == {78.0}

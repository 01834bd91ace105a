"""The whole system's life: started once, it mends itself after each death; nothing of its index is lost.

It is stopped and continued in tests/e2e/test_lost_stores.py; Kafka, among others, dies in tests/e2e/test_kills.py.
"""

from __future__ import annotations

import json
import signal

import pytest
from PIL import Image

from cli.inspection import part_problems
from cli.main import main
from cli.runtime.environment import settings_environment
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.rest import FlinkRest
from cli.runtime.services import is_ready
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.watchdog.state import NAME as WATCHDOG
from tests.system import JOB_MANAGER, KAFKA, TASK_MANAGER, System, eventually

pytestmark = pytest.mark.integration

PARTS = {
    SUPERVISOR, WATCHDOG, KAFKA, JOB_MANAGER, TASK_MANAGER,
    "searcher-0-0", "searcher-1-0", "broker", "blender", "heartbeat",
}  # fmt: skip

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


def test_killed_parts_of_serving_are_named_by_the_status_and_come_back_by_themselves(
    catalogue: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings_environment(catalogue.settings).items():
        monkeypatch.setenv(name, value)
    before = catalogue.wait_settled(pending=GIVEN_UP)
    killed = {name: catalogue.pid(name) for name in ("searcher-1-0", "broker", "blender", "heartbeat")}
    for name in killed:
        catalogue.kill(name)
    assert main(["status", "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert {name for name in killed if any(problem.startswith(name) for problem in problems)} >= {"broker", "blender"}
    catalogue.wait_back(killed)
    assert changed_price(catalogue, "runtime-1") == 77.0
    after = catalogue.wait_settled(pending=GIVEN_UP)
    assert [view.searchable for view in after] == [view.searchable for view in before]
    fresh = eventually(lambda: is_ready(catalogue.settings.blender), "the blender is ready again")
    assert fresh


@pytest.mark.drill
def test_job_lost_with_its_job_manager_is_submitted_again_by_itself(catalogue: System) -> None:
    catalogue.wait_job()
    killed = {name: catalogue.pid(name) for name in (JOB_MANAGER, TASK_MANAGER)}
    before = _submissions_of_kept_plans(catalogue)
    catalogue.kill(JOB_MANAGER)
    catalogue.wait_back(killed)
    catalogue.wait_job(240)
    assert changed_price(catalogue, "runtime-2") == 77.0
    assert _submissions_of_kept_plans(catalogue) > before
    with FlinkRest(FlinkAccess.of(catalogue.settings)) as flink:
        eventually(
            lambda: flink.checkpoints(flink.jobs()[0]["jid"])["completed"] > 0, "a checkpoint under the new job id"
        )


def _submissions_of_kept_plans(catalogue: System) -> int:
    return (catalogue.runtime.log_folder() / f"{WATCHDOG}.log").read_text().count("plan=kept")


@pytest.mark.drill
def test_job_that_stands_still_while_flink_calls_it_running_is_restarted(catalogue: System) -> None:
    catalogue.wait_job()
    stuck = {TASK_MANAGER: catalogue.pid(TASK_MANAGER)}
    for worker in catalogue.python_workers():
        worker.send_signal(signal.SIGSTOP)
    catalogue.wait_back(stuck, timeout_s=240)
    catalogue.wait_job(240)
    assert changed_price(catalogue, "runtime-4") == 77.0
    (problem,) = [problem for problem in part_problems(catalogue.runtime) if problem.startswith(WATCHDOG)]
    assert "has restarted what hung" in problem


def test_killed_supervisor_ends_nothing_and_the_next_one_keeps_what_runs(catalogue: System) -> None:
    before = catalogue.runtime.running()
    catalogue.kill(SUPERVISOR)
    catalogue.wait_back({SUPERVISOR: before[SUPERVISOR]})
    others = {name: pid for name, pid in before.items() if name != SUPERVISOR}
    assert {name: pid for name, pid in catalogue.runtime.running().items() if name != SUPERVISOR} == others
    for name in ("heartbeat", WATCHDOG):
        catalogue.kill(name)
    catalogue.wait_back({name: before[name] for name in ("heartbeat", WATCHDOG)})
    assert changed_price(catalogue, "runtime-5") == 77.0


def test_start_mends_a_system_that_has_lost_its_supervisor_and_its_watchdog(catalogue: System) -> None:
    before = catalogue.runtime.running()
    # Stopped first, so that neither sees the other die.
    for name in (WATCHDOG, SUPERVISOR):
        catalogue.kill(name, signal.SIGSTOP)
    for name in (WATCHDOG, SUPERVISOR, "broker"):
        catalogue.kill(name)
    problems = part_problems(catalogue.runtime)
    for name in (WATCHDOG, SUPERVISOR, "broker"):
        assert any(problem.startswith(f"{name}: is not running") for problem in problems), problems
    catalogue.start()
    assert set(catalogue.runtime.running()) == PARTS
    assert catalogue.pid("searcher-0-0") == before["searcher-0-0"]
    assert changed_price(catalogue, "runtime-6") == 77.0


def changed_price(system: System, product_id: str) -> float:
    """What every replica shows after an event that says 77."""
    system.produce({"type": "product_updated", "product_id": product_id, "product": {"price": 77.0}})
    system.wait_settled(pending=GIVEN_UP)
    (price,) = {replica.price for replica in system.product(product_id).replicas}
    return price

"""Which parts are to run: noted in files, so that the next supervisor runs the same."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cli.runtime.parts import Part, read_part, unwant, want, wanted
from cli.runtime.progress import Silent
from cli.runtime.system import System
from cli.runtime.watchdog.state import NAME as WATCHDOG
from schemas.errors import OperatorError
from schemas.layout import Layout
from schemas.settings import load_settings

BROKER = Part(name="broker", command=["python", "-m", "x"], environment={"VITRINE_HOME": "/h"})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.make()
    return layout


def test_wanted_part_is_found_again_by_another_process(layout: Layout) -> None:
    assert want(layout, BROKER)
    assert not want(layout, BROKER)
    assert wanted(layout) == ["broker"]
    assert read_part(Layout(layout.home), "broker") == BROKER


def test_only_its_user_reads_a_parts_settings(layout: Layout) -> None:
    want(layout, BROKER)
    assert stat.S_IMODE((layout.parts / "broker.json").stat().st_mode) == 0o600


def test_part_that_is_not_wanted_any_more_cannot_be_started(layout: Layout) -> None:
    want(layout, BROKER)
    unwant(layout, "broker")
    assert wanted(layout) == []
    with pytest.raises(OperatorError, match=r"broker\.json is not readable .*vitrine start"):
        read_part(layout, "broker")


def test_whole_system_expects_every_part_also_one_that_was_ended_by_hand(layout: Layout) -> None:
    system = System(load_settings({}, home=str(layout.home), shards=1), Silent())
    assert system.expected() == []
    want(layout, BROKER)
    assert system.expected() == ["broker"]
    want(layout, Part(name=WATCHDOG, command=[], environment={}))
    expected = {"kafka", "flink-jobmanager", "flink-taskmanager", "searcher-0-0", "broker", "blender", "heartbeat"}
    assert set(system.expected()) == expected | {WATCHDOG}
    apart = System(load_settings({}, home=str(layout.home), shards=1, extraction_apart=True), Silent())
    assert set(apart.expected()) == expected | {WATCHDOG, "flink-extraction"}


def test_stopping_a_part_that_there_is_not_names_those_that_there_are(layout: Layout) -> None:
    want(layout, BROKER)
    system = System(load_settings({}, home=str(layout.home)), Silent())
    with pytest.raises(OperatorError, match="brokr does not run; there are broker"):
        system.stop_parts(["brokr"])

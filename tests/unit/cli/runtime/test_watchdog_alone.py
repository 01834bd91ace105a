"""The watchdog under systemd: it keeps the job, and starts no supervisor of ours beside systemd."""

from __future__ import annotations

from pathlib import Path

from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.watchdog.main import Watchdog
from cli.runtime.watchdog.part import NO_SUPERVISOR, watchdog_part
from cli.runtime.watchdog.state import read_state
from schemas.settings import load_settings
from tests.ports import free_block


def test_it_looks_after_the_job_and_starts_no_supervisor(tmp_path: Path) -> None:
    settings = load_settings({}, home=str(tmp_path), flink_port=free_block(1))
    settings.layout.make()
    watchdog = Watchdog(settings, supervised=False)
    watchdog.glance()
    watchdog.look()
    assert read_state(settings.layout).problem == "the job manager does not run"
    assert not (settings.layout.run / f"{SUPERVISOR}.json").exists()


def test_part_says_whose_it_is(tmp_path: Path) -> None:
    settings = load_settings({}, home=str(tmp_path))
    assert NO_SUPERVISOR not in watchdog_part(settings).command
    assert watchdog_part(settings, NO_SUPERVISOR).command[-1] == NO_SUPERVISOR

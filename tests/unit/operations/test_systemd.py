"""systemd reads the units as they are meant."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.runtime.parts import STOP_S
from schemas.settings import load_settings
from tests.support.deployed import DOCKER, unit_commands, units

FOLDER = DOCKER / "systemd"


def directives(file: str) -> dict[str, str]:
    return {name: value for _, name, value in units()[file]}


def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    """Of units as they are, but for the program, which a machine has once it is installed."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze (Debian: systemd)")
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace("/opt/vitrine/.venv/bin/vitrine", "/bin/true"))
    names = [file.name.replace("@.", "@broker.") for file in FOLDER.iterdir()]
    ended = subprocess.run(
        [analyze, "--man=no", "verify", *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    ours = [line for line in (ended.stdout + ended.stderr).splitlines() if "vitrine" in line]
    assert (ended.returncode, ours) == (0, [])


def test_systemd_would_notice_a_wrong_directive(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze (Debian: systemd)")
    text = (FOLDER / "vitrine@.service").read_text().replace("/opt/vitrine/.venv/bin/vitrine", "/bin/true")
    (tmp_path / "vitrine@.service").write_text(text.replace("Restart=always", "Restrat=always"))
    ended = subprocess.run(
        [analyze, "--man=no", "verify", str(tmp_path / "vitrine@broker.service")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Restrat" in ended.stdout + ended.stderr


def test_parts_come_back_as_under_our_own_supervisor() -> None:
    part = directives("vitrine@.service")
    assert (part["Restart"], part["StartLimitIntervalSec"]) == ("always", "0")
    assert int(part["TimeoutStopSec"]) == STOP_S
    assert part["OOMPolicy"] == "continue"


def test_units_write_to_the_home_alone_and_gain_no_rights() -> None:
    for name, _ in unit_commands():
        found = directives(name)
        home = found["Environment"].removeprefix("VITRINE_HOME=")
        assert load_settings({"VITRINE_HOME": home}).home == "/var/lib/vitrine"
        assert found.get("ReadWritePaths", f"/var/lib/{found.get('StateDirectory')}") == home
        assert (found["User"], found["NoNewPrivileges"], found["ProtectSystem"]) == ("vitrine", "yes", "strict")


def test_replay_runs_every_night_but_before_the_build_which_runs_it_itself() -> None:
    crontab = (DOCKER / "cron" / "vitrine.crontab").read_text()
    assert "15 3 * * 1-6" in crontab
    assert directives("vitrine-replay.timer")["OnCalendar"] == "Mon..Sat *-*-* 03:15"
    assert directives("vitrine-build.timer")["OnCalendar"] == "Sun *-*-* 03:15"
    commands = [command[1:] for name, command in unit_commands() if name == "vitrine-build.service"]
    assert commands == [["replay"], ["build"]]

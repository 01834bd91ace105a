"""The crontab that operators install: cron would read it, a shell would run it, the command line knows its commands."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from cli.main import build_parser

ROOT = Path(__file__).resolve().parents[3]
CRONTAB = ROOT / "docker" / "cron" / "vitrine.crontab"
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
COMMAND = re.compile(r"\.venv/bin/vitrine ([^;>]+)")


def settings() -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", CRONTAB.read_text(), re.M))


def entries() -> list[tuple[list[str], str]]:
    """(the five fields of the time, the command) of each line that is due some day."""
    lines = [line for line in CRONTAB.read_text().splitlines() if line and line[0] != "#"]
    return [(line.split(None, 5)[:5], line.split(None, 5)[5]) for line in lines if not re.match(r"\w+=", line)]


def days(field: str) -> set[int]:
    first, _, last = field.partition("-")
    return set(range(int(first), int(last or first) + 1))


def test_times_are_within_their_ranges() -> None:
    assert entries()
    for fields, _ in entries():
        for field, (least, most) in zip(fields, RANGES, strict=True):
            assert field == "*" or days(field) <= set(range(least, most + 1)), field


def test_replay_runs_every_night_and_build_once_a_week() -> None:
    due: dict[str, list[int]] = {"replay": [], "build": []}
    for fields, command in entries():
        for name in COMMAND.findall(command):
            due[name.strip()] += days(fields[4])
    assert sorted(due["replay"]) == list(range(7))
    assert due["build"] == [0]


def test_commands_are_those_of_the_command_line() -> None:
    parser = build_parser()
    for _, command in entries():
        for words in COMMAND.findall(command):
            assert parser.parse_args(words.split()).run


def test_shell_runs_the_lines_and_keeps_what_the_commands_say(tmp_path: Path) -> None:
    """With the real command line, which finds settings that it cannot use: it says so in the log, and ends."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "vitrine.toml").write_text("shards = 'none'\n")
    environment = {"PATH": os.defpath, **settings(), "CHECKOUT": str(ROOT), "VITRINE_HOME": str(tmp_path)}
    for _, command in entries():
        ended = subprocess.run(
            [settings()["SHELL"], "-c", command], env=environment, capture_output=True, text=True, timeout=120
        )
        assert (ended.stdout, ended.stderr) == ("", "")
        assert ended.returncode == 2
    nightly = (tmp_path / "logs" / "nightly.log").read_text()
    weekly = (tmp_path / "logs" / "weekly.log").read_text()
    assert nightly.count("setting not usable") == 1
    assert weekly.count("setting not usable") == 2

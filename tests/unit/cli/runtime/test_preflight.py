"""What a person reads when the machine is not ready: one line that names the thing and the next step."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.runtime import preflight
from schemas.errors import OperatorError
from tests.ports import free_block


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_busy_port_names_its_holder_and_the_setting(listener: int) -> None:
    with pytest.raises(OperatorError, match=rf"port {listener} .*process \d+.*VITRINE_HTTP_PORT") as caught:
        preflight.check_port(listener, "VITRINE_HTTP_PORT")
    assert "\n" not in str(caught.value)


def test_free_port_passes() -> None:
    preflight.check_port(free_block(1), "VITRINE_HTTP_PORT")


def test_full_disk_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=rf"GiB free below {tmp_path}.*VITRINE_HOME"):
        preflight.check_disk(tmp_path / "not" / "yet" / "made", needed=2**60)


def test_too_little_memory_says_how_much_is_needed() -> None:
    with pytest.raises(OperatorError, match=r"GiB of memory available, .* GiB are needed"):
        preflight.check_memory(needed=2**60)


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ('Picked up JAVA_TOOL_OPTIONS: -Dx\nopenjdk version "11.0.2"', 11),
        ("no such thing", None),
    ],
)
def test_java_version_is_read_from_what_java_prints(text: str, major: int | None) -> None:
    assert preflight.java_major(text) == major


def test_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(OperatorError, match=r"11\.0\.2.*install a JDK 17"):
        preflight.check_java()


def test_missing_java_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorError, match="install a JDK 17"):
        preflight.check_java()


def test_missing_jars_point_to_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.runtime.programs import jars

    monkeypatch.setenv("VITRINE_JARS", str(tmp_path))
    with pytest.raises(OperatorError, match="make setup"):
        jars("kafka")

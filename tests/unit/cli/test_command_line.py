"""The command line: help everywhere, exit codes, errors as one line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from cli.commands import COMMANDS
from cli.commands.catalogue.produce import product_of
from cli.commands.system.status import as_text
from cli.imported import is_imported, remember_import
from cli.inspection import JobView, ShardView, SystemStatus
from cli.main import main
from cli.searching import answer_text
from cli.tables import moment, table
from cli.topics_view import TopicView
from schemas.errors import RejectedError
from schemas.settings import load_settings
from tests.ports import free_block


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    block = free_block(8)
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    for number, name in enumerate(("HTTP", "KAFKA", "FLINK", "GRPC")):
        monkeypatch.setenv(f"VITRINE_{name}_PORT", str(block + 2 * number))
    return tmp_path


@pytest.mark.parametrize("command", [module.NAME for module in COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert f"vitrine {command}" in capsys.readouterr().out


def test_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["fly"])
    assert left.value.code == 2
    assert "fly" in capsys.readouterr().err


def test_wrong_setting_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITRINE_HTTP_PORT", "a door")
    assert main(["stop"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("vitrine: ")
    assert error.count("\n") == 1
    assert "http_port" in error


def test_stop_of_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stop"]) == 0
    assert "nothing" in capsys.readouterr().out


def test_search_without_a_system_says_how_to_start_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = home / "photo.jpg"
    photo.write_bytes(b"not looked at")
    assert main(["search", str(photo)]) == 2
    assert "vitrine start" in capsys.readouterr().err


def test_run_which_searches_with_a_photo_refuses_vectors_of_ones_own_before_it_starts_anything(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITRINE_ENCODER", "external:clip:512")
    assert main(["run"]) == 2
    assert "vitrine import" in capsys.readouterr().err
    assert list(home.iterdir()) == []


def test_search_with_a_missing_photo_names_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(home / "none.jpg")]) == 2
    assert "none.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["", "no json", '{"type": "product_moved", "product_id": "p1"}', '{"type": "heartbeat", "partition": 0}']
)
def test_event_that_breaks_the_schema_is_never_written(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["produce", "--event", text]) == 1
    assert capsys.readouterr().err.startswith("vitrine: ")


def test_cloudevent_is_keyed_by_the_product_inside() -> None:
    inner = {"type": "product_removed", "product_id": "p7"}
    assert (
        product_of(json.dumps({"specversion": "1.0", "id": "1", "source": "/x", "type": "y", "data": inner}).encode())
        == "p7"
    )


def test_heartbeats_are_not_for_shops() -> None:
    with pytest.raises(RejectedError, match="Vitrine itself"):
        product_of(b'{"type": "heartbeat", "partition": 0}')


def test_event_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"type": "nonsense"}')))
    assert main(["produce", "-"]) == 1
    assert "nonsense" in capsys.readouterr().err


def test_changed_catalogue_counts_as_not_imported(home: Path) -> None:
    imports, log = load_settings().layout.imports, "127.0.0.1:9092"
    catalogue = home / "shop.jsonl"
    catalogue.write_text('{"product_id": "p1"}\n')
    assert not is_imported(imports, log, catalogue)
    remember_import(imports, log, catalogue)
    assert is_imported(imports, log, catalogue)
    catalogue.write_text('{"product_id": "p1"}\n{"product_id": "p2"}\n')
    assert not is_imported(imports, log, catalogue)


def test_catalogue_in_another_log_counts_as_not_imported(home: Path) -> None:
    catalogue = home / "shop.jsonl"
    catalogue.write_text('{"product_id": "p1"}\n')
    imports = load_settings().layout.imports
    remember_import(imports, "127.0.0.1:9092", catalogue)
    assert not is_imported(imports, "elsewhere:9092", catalogue)


def test_status_names_every_part_and_problem() -> None:
    status = SystemStatus(
        home="/h",
        processes={"kafka": 41},
        topics=[TopicView(name="product-events", partitions=2, ends=[3, 4], records=7, lag=5)],
        job=JobView(
            id="j", state="RUNNING", running_tasks=2, tasks=2, checkpoints_completed=9, checkpoints_failed=0
        ),
        shards=[
            ShardView(
                shard=1, replica=0, ready=True, images=10, searchable=8, pending=2, digest="ab" * 16,
                watermark_ms=1_767_261_600_123, lag=3, index="exact", memory_bytes=1, refused=77,
            )
        ],
        extraction_backlog=2,
        dead_letters=1,
        problems=["the moon is full"],
    )  # fmt: skip
    text = as_text(status)
    for expected in (
        "kafka",
        "41",
        "product-events",
        "RUNNING",
        "1-0",
        "2026-01-01T10:00:00.123Z",
        "abababababab",
        "77",
    ):
        assert expected in text
    assert "2 images wait for their vector, 1 dead letters" in text
    assert "problem: the moon is full" in text


def test_partial_answer_says_which_shards_are_missing() -> None:
    answer = {
        "results": [{"product_id": "p1", "score": 0.5, "title": None, "price": None}],
        "watermark": None,
        "partial": True,
        "missing_shards": [1],
        "took_ms": {"total": 1.0, "embed": 0.5, "search": 0.2},
    }
    text = answer_text(answer)
    assert "p1" in text
    assert "no answer from shards [1]" in text


def test_numbers_stand_to_the_right() -> None:
    assert table(("name", "n"), [("a", "5"), ("bb", "10")]) == "name   n\na      5\nbb    10"


def test_unknown_moment_is_a_dash() -> None:
    assert moment(0) == "-"

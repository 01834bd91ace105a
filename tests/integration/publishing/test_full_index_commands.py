"""`vitrine alias` and `vitrine publish` against a real broker; how many searchers the alias asks for; the status."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli.commands.system.status import as_text
from cli.inspection import (
    GenerationState,
    SystemStatus,
    first_replicas,
    generation_state,
    is_whole,
    searcher_problems,
    shard_views,
)
from cli.main import main
from cli.runtime import preflight
from cli.runtime.environment import settings_environment
from cli.runtime.processes import Processes
from cli.runtime.services import searcher_name, searcher_shards, services
from generations.folder import ALIAS
from schemas.errors import OperatorError
from schemas.full_index.generation import LIVE
from schemas.full_index.publish_report import LAST_PUBLISH
from tests.ports import free_block
from tests.support.index.publish_world import Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with open_shop(tmp_path) as shop:
        for name, value in settings_environment(shop.settings).items():
            monkeypatch.setenv(name, value)
        for name in ("HTTP", "KAFKA", "FLINK"):
            monkeypatch.setenv(f"VITRINE_{name}_PORT", str(free_block(2)))
        yield shop


def serving_alias(shop: Shop) -> str:
    alias = shop.generations.alias()
    assert alias is not None
    return alias.serving


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Role by generation, as `vitrine alias --json` has it."""
    capsys.readouterr()
    assert main(["alias", "--json"]) == 0
    return {view["name"]: view["role"] for view in json.loads(capsys.readouterr().out)}


def test_alias_without_a_full_index_says_how_to_make_one(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alias"]) == 0
    assert "vitrine build" in capsys.readouterr().out


def test_alias_moves_are_followed_by_the_broker(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = shop.build().name, shop.build(shards=3).name
    for name in (first, second):
        assert main(["alias", "--to", name]) == 0
        assert (serving_alias(shop), shop.serving()) == (name, name)
    assert listed(capsys) == {first: "previous", second: "serves"}
    assert main(["alias", "--rollback"]) == 0
    assert f"{first} serves" in capsys.readouterr().err
    assert (serving_alias(shop), shop.serving()) == (first, first)


def test_generation_beside_is_held_when_the_command_ends_and_let_go_alone(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = shop.build().name, shop.build(shards=3).name
    assert main(["alias", "--to", first]) == 0
    assert main(["alias", "--beside", second]) == 0
    assert listed(capsys) == {first: "serves", second: "beside"}
    held = [view for view in shard_views(shop.settings.tier, all_generations=True) if view.generation == second]
    assert [(view.shard, view.ready) for view in held] == [(0, True), (1, True), (2, True)]
    assert main(["alias", "--alone"]) == 0
    assert second not in {view.generation for view in shard_views(shop.settings.tier, all_generations=True)}
    assert listed(capsys) == {first: "serves", second: ""}


def test_list_shows_what_each_generation_is(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    made = shop.build(shards=3)
    shop.publish(made.name)
    capsys.readouterr()
    assert main(["alias"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if made.name in line)
    for expected in ("3", str(made.searchable), "exact", made.extractor_id, "serves", "yes"):
        assert expected in line.split()


def test_move_to_a_generation_that_cannot_be_loaded_names_the_file_and_the_way_back(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = shop.build(), shop.build()
    assert main(["alias", "--to", first.name]) == 0
    shop.damage(second)
    assert main(["alias", "--to", second.name]) == 1
    said = capsys.readouterr().err
    assert "rows.bin" in said
    assert "vitrine alias --rollback" in said
    assert shop.serving() == first.name
    problems = searcher_problems(shard_views(shop.settings.tier, all_generations=True))
    assert [problem for problem in problems if "rows.bin" in problem and second.name in problem]
    assert main(["alias", "--rollback"]) == 0
    assert shop.serving() == first.name


def test_move_without_a_broker_says_who_will_take_it_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = shop.build()
    monkeypatch.setenv("VITRINE_GRPC_PORT", str(free_block(1)))
    assert main(["alias", "--to", made.name]) == 0
    assert "vitrine start" in capsys.readouterr().err
    assert serving_alias(shop) == made.name


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "g20200101T000000-abcdef"],
        ["--to", "elsewhere"],
        ["--beside", "g20200101T000000-abcdef"],
        ["--rollback"],
    ],
)
def test_move_to_what_is_not_there_changes_nothing(
    shop: Shop, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["alias", "--to", shop.build().name]) == 0
    before = shop.generations.alias()
    assert main(["alias", *arguments]) == 2
    assert "vitrine alias" in capsys.readouterr().err
    assert shop.generations.alias() == before


def test_unreadable_alias_is_told_beside_the_list_and_set_anew(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    made = shop.build()
    (shop.generations.folder / ALIAS).write_bytes(b"{}")
    assert main(["alias"]) == 1
    told = capsys.readouterr()
    assert made.name in told.out
    assert "vitrine alias --to" in told.err
    _, problems = generation_state(shop.settings.layout.generations, [])
    assert any("alias" in problem for problem in problems)
    assert main(["alias", "--to", made.name]) == 0
    assert generation_state(shop.settings.layout.generations, [])[1] == []


@pytest.fixture
def log_in_memory(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vitrine publish` reads index-deltas from the shop's topic, there being no Kafka."""
    monkeypatch.setattr("generations.publish.PartitionsReader", lambda _, __, offsets: shop.tier.topic.open(offsets))


@pytest.mark.usefixtures("log_in_memory")
def test_publish_ends_with_1_and_the_reasons_when_it_is_refused(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    made = shop.sealed_with(shop.build(), catalogue_valid=1000)
    assert main(["publish", "--latest"]) == 1
    said = capsys.readouterr().out
    assert "FAILED  count_catalogue" in said
    assert "passed  digest" in said
    assert "is not published" in said
    assert shop.generations.alias() is None
    assert main(["publish", made.name, "--force", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["forced"], shop.serving()) == (True, True, made.name)


@pytest.mark.usefixtures("log_in_memory")
def test_publish_serves_what_passes_and_checks_alone_move_nothing(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    made = shop.build()
    assert main(["publish", made.name, "--check-only"]) == 0
    assert "is published" not in capsys.readouterr().out
    assert shop.generations.alias() is None
    assert main(["publish", made.name]) == 0
    assert f"{made.name} is published" in capsys.readouterr().out
    assert shop.serving() == made.name


def test_publish_without_a_generation_is_the_operators_error(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "--latest"]) == 2
    assert "vitrine build" in capsys.readouterr().err


def text_of(state: GenerationState) -> str:
    """As `vitrine status` prints it."""
    return as_text(
        SystemStatus(home="", processes={}, topics=[], job=None, shards=[], extraction_backlog=None, dead_letters=None,
                     problems=[], generation=state)
    )  # fmt: skip


def test_status_line_says_what_the_alias_waits_for_and_what_is_beside() -> None:
    text = text_of(GenerationState(serving=LIVE, alias="g2", shards=2, beside=["g3"]))
    for expected in ("index: live serves, 2 shards", "the alias names g2", "beside it g3", "vitrine build"):
        assert expected in text


def test_status_tells_of_a_refused_publication_until_one_passes(shop: Shop) -> None:
    good = shop.build()
    refused = shop.sealed_with(shop.build(), catalogue_valid=1000)
    shop.publish(refused.name)
    state, (problem,) = generation_state(shop.settings.layout.generations, shard_views(shop.settings.tier))
    assert (state.serving, state.published, state.passed) == (LIVE, refused.name, False)
    for expected in ("publish", refused.name, "count_catalogue"):
        assert expected in problem
    shop.publish(good.name)
    state, problems = generation_state(shop.settings.layout.generations, shard_views(shop.settings.tier))
    assert problems == []
    assert (state.serving, state.published, state.passed) == (good.name, good.name, True)
    assert f"index: {good.name} serves, 2 shards" in text_of(state)


def test_report_that_cannot_be_read_is_a_problem_and_no_crash(shop: Shop) -> None:
    shop.publish(shop.build().name)
    (shop.generations.folder / LAST_PUBLISH).write_bytes(b"{")
    _, problems = generation_state(shop.settings.layout.generations, [])
    assert [problem for problem in problems if LAST_PUBLISH in problem]


def test_only_the_serving_generation_is_counted(shop: Shop) -> None:
    first, second = shop.build(), shop.build(shards=3)
    assert main(["alias", "--to", first.name]) == 0
    assert main(["alias", "--beside", second.name]) == 0
    serving = shard_views(shop.settings.tier)
    assert [(view.shard, view.generation, view.shards) for view in serving] == [(0, first.name, 2), (1, first.name, 2)]
    held = shard_views(shop.settings.tier, all_generations=True)
    assert {view.generation for view in held} >= {first.name, second.name}
    assert first_replicas(held) == serving
    assert is_whole(serving)
    assert not is_whole(serving[:1])
    assert not is_whole([])


def test_generation_that_is_being_loaded_beside_is_no_problem(shop: Shop) -> None:
    first, second = shop.build(), shop.build()
    assert main(["alias", "--to", first.name]) == 0
    shop.tier.gates[1].shut = True
    shop.generations.hold_beside([second.name])
    while True:
        held = shard_views(shop.settings.tier, all_generations=True)
        if any(view.generation == second.name and not view.ready and view.error for view in held):
            break
    assert searcher_problems(held) == []
    shop.tier.gates[1].shut = False


def test_searchers_are_as_many_as_the_largest_held_generation_needs(shop: Shop) -> None:
    assert searcher_shards(shop.generations, shop.settings.shards) == 2
    large, larger = shop.build(shards=3).name, shop.build(shards=5).name
    shop.generations.serve(large)
    assert searcher_shards(shop.generations, shop.settings.shards) == 3
    shop.generations.hold_beside([larger])
    assert searcher_shards(shop.generations, shop.settings.shards) == 5
    assert searcher_name(4, 0) in [service.name for service in services(shop.settings)]
    assert searcher_name(6, 0) in [service.name for service in services(shop.settings, shards=7)]
    small = shop.build(shards=1).name
    shop.generations.hold_beside([])
    shop.generations.serve(small)
    # The index without a full one may still be asked.
    assert searcher_shards(shop.generations, shop.settings.shards) == 2
    (shop.generations.folder / ALIAS).write_bytes(b"{}")
    assert searcher_shards(shop.generations, shop.settings.shards) == 2
    shop.generations.take_back("", None)
    assert serving_alias(shop) == LIVE
    assert searcher_shards(shop.generations, shop.settings.shards) == 2


def test_busy_port_of_a_further_searcher_is_named_before_it_starts(shop: Shop) -> None:
    layout = shop.settings.layout
    layout.make()
    processes = Processes(layout)
    tier = replace(shop.settings.tier, port=free_block(4))
    taken = tier.searcher_port(2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        preflight.check_searcher_ports(tier, processes, 2)
        with pytest.raises(OperatorError, match=f"port {taken} .*VITRINE_GRPC_PORT"):
            preflight.check_searcher_ports(tier, processes, 3)

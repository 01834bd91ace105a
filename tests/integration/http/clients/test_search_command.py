"""`vitrine search` against a real blender: every way to ask, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from cli.main import main
from tests.support.serving.http_world import over, picture, ready, serving
from tests.support.serving.shop import FIELDS, PROFILES, shop

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    """Runs the command with these arguments: its exit code, output and errors."""
    async with serving(over(*shop()), fields=FIELDS, profiles=PROFILES) as server:
        await ready(server)
        monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("VITRINE_HTTP_PORT", str(server.base_url.port))
        monkeypatch.delenv("VITRINE_API_KEY", raising=False)

        async def run(*arguments: str) -> tuple[int, str, str]:
            code = await asyncio.to_thread(main, ["search", *arguments])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        yield run


@pytest.fixture
def photo(tmp_path: Path) -> str:
    file = tmp_path / "photo.png"
    file.write_bytes(picture(5))
    return str(file)


async def test_photo_alone_prints_the_table_and_how_fresh_it_is(run: Run, photo: str) -> None:
    code, out, _ = await run(photo, "--limit", "2")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 4)
    assert lines[0].split() == ["product", "score", "title", "category", "price"]
    assert lines[1].split()[1] == "p5"
    assert lines[3].startswith("up to 2026-01-01T10:00:00.123Z, in ")


async def test_json_is_the_answer_as_it_came(run: Run, photo: str) -> None:
    _, out, _ = await run(photo, "--json", "--limit", "1")
    answer = json.loads(out)
    assert [result["product_id"] for result in answer["results"]] == ["p5"]
    assert answer["results"][0]["material"] == "wool"
    assert "facets" not in answer


async def test_words_filter_facets_and_order(run: Run) -> None:
    code, out, _ = await run(
        "--text", "boot", "--filter", "price:..20", "--facets", "brand;price:10", "--sort=-price", "--limit", "3"
    )
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[1:4]] == ["p18", "p15", "p12"]
    assert "brand: Acme 3, Nord 2, Strider 2" in out
    assert "price: ..10 4, 10.. 3 (0 to 18)" in out
    assert "7 products match" in out


async def test_filter_alone_lists_what_passes(run: Run) -> None:
    _, out, _ = await run("--filter", '{"price": {"lt": 2}}', "--sort", "price", "--json")
    assert [result["product_id"] for result in json.loads(out)["results"]] == ["p0", "p1"]


async def test_like_a_product_by_a_profile_explained(run: Run) -> None:
    code, out, _ = await run("--like", "p1", "--rank", "popular", "--explain", "--limit", "2")
    assert code == 0
    assert "1: " in out
    assert "= relevance " in out
    assert "sales +" in out


async def test_typo_is_told(run: Run) -> None:
    _, out, _ = await run("--text", "sandel ")
    assert "sandel: no product has it; searched for sandal" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "what is searched for?"),
        (("--facets", "brand"), 2, "what is searched for?"),
        (("--text", "x", "--filter", "nope:1"), 1, "invalid_filter"),
        (("--text", "x", "--sort", "brand"), 1, "invalid_question"),
        (("--text", "x", "--limit", "1000"), 1, "limit"),
        (("--like", "nobody"), 1, "not_found"),
    ],
)
async def test_what_cannot_be_asked_is_one_line(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = await run(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("vitrine: ")
    assert said in err
    assert err.count("\n") == 1


async def test_photo_and_product_exclude_each_other(run: Run, photo: str) -> None:
    with pytest.raises(SystemExit):
        await run(photo, "--like", "p1")


async def test_photo_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "no.jpg"
    file.write_bytes(b"no picture")
    code, _, err = await run(str(file))
    assert code == 1
    assert "answered 415: image_format" in err or "answered 422" in err

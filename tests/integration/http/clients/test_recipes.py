"""What the documents tell people to type gives an answer: curl's lines of the README, and the Python of both."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.ids import shard_of_product
from tests.support.serving.http_world import over, picture, ready, serving
from tests.support.serving.shop import FIELDS, PROFILES, shop
from tests.support.serving.world import apply, batch, direction, listed, near

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[4]
BASE = "http://127.0.0.1:8000"
README = (ROOT / "README.md").read_text(encoding="utf-8")
ASKING = README.partition("\n## Asking\n")[2].partition("\n## ")[0]
RECIPES = re.findall(rf"`(curl [^`]*{BASE}[^`]*)`", ASKING)
PYTHON = [
    block
    for text in (ASKING, (ROOT / "docs" / "search.md").read_text(encoding="utf-8"))
    for block in re.findall(r"```python\n(.*?)```", text, re.S)
    if "vitrine_client" in block
]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "photo.jpg").write_bytes(picture(5))
    (tmp_path / "vector.f32").write_bytes(direction(7).tobytes())
    searchers = shop()
    # The colours of this one are the shop's: the world's encoder tells none.
    seen = listed(batch(), "seen", [near(direction(7), 500, 0.5)], title="Rain boot", colours=["green", "white"])
    apply(searchers[shard_of_product("seen", 2)], seen)
    async with serving(over(*searchers), fields=FIELDS, profiles=PROFILES) as client:
        await ready(client)
        yield client


def test_recipes_are_found_at_all() -> None:
    assert len(RECIPES) >= 14
    assert len(PYTHON) == 2
    routes = {route for recipe in RECIPES for route in re.findall(r"/v1/[a-z/]+", recipe)}
    searches = {f"/v1/search{rest}" for rest in ("", "/image", "/text", "/vector", "/batch")}
    assert searches | {"/v1/suggest", "/v1/products/p"} <= routes


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
@pytest.mark.parametrize("recipe", RECIPES)
async def test_recipe_of_the_readme_is_answered(server: httpx.AsyncClient, tmp_path: Path, recipe: str) -> None:
    cursor = (await server.get("/v1/search/text?q=boot")).json()["cursor"]
    words = shlex.split(recipe.replace(BASE, str(server.base_url)).replace("CURSOR", cursor))
    answer = await _answer_of(["curl", "--silent", "--show-error", "--noproxy", "*", *words[1:]], tmp_path)
    assert "error" not in answer, answer
    entries = [each["answer"] for each in answer["answers"]] if "answers" in answer else [answer]
    assert all(entry.get("results") or entry.get("suggestions") for entry in entries), answer


@pytest.mark.parametrize("block", PYTHON)
async def test_python_of_the_documents_runs(server: httpx.AsyncClient, tmp_path: Path, block: str) -> None:
    program = block.replace(BASE, str(server.base_url)).replace("Vitrine(", "Vitrine(trust_env=False, base_url=")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"
    output = await _run([sys.executable, "-c", code], tmp_path)
    assert "p" in output


async def _answer_of(command: list[str], folder: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await _run(command, folder))
    return answer


async def _run(command: list[str], folder: Path) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=pipe, stderr=pipe)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()

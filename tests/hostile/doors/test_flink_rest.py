"""Flink's dashboard shows, to the browsers of this machine alone; who has the home's key may change, and nobody else.

Chromium is real, and so is Flink with the streaming job on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cli.runtime.flink.access import KEY_HEADER, FlinkAccess, flink_key
from cli.runtime.flink.rest import FlinkRest
from jobs.realtime_index.stream_jobs import STREAM_JOB
from tests.hostile.doors.attacker import (
    ATTACK,
    EMBED,
    FOREIGN_NAME,
    REBOUND_NAME,
    Wire,
    browser_of_a_victim,
    foreign_site,
)
from tests.support.page.browser import CHROMIUM, PATIENCE_MS
from tests.system import System

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine; make browser installs it")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, browser_of_a_victim(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    with foreign_site() as port:
        yield port


@pytest.fixture
def flink(system: System) -> str:
    """Address of the running system's Flink."""
    system.start()
    return f"http://127.0.0.1:{system.settings.flink_port}"


@pytest.fixture
def job(system: System, flink: str) -> Iterator[str]:
    """Id of the streaming job, which must still run at the end, as it was: not restarted, and nothing uploaded."""
    system.wait_job()
    before = _live(system)
    yield before
    assert _live(system) == before
    assert not [file for file in _uploads(system) if file.is_file()], "an upload was written to disk"


def _live(system: System) -> str:
    with FlinkRest(FlinkAccess.of(system.settings)) as rest:
        job = rest.live_job(STREAM_JOB.name)
    assert job is not None, "the streaming job is gone"
    return str(job["jid"])


def _uploads(system: System) -> list[Path]:
    folder = system.home / "flink" / "web"
    return [file for kind in folder.glob("flink-web*") for file in kind.rglob("*") if "web-ui" not in str(file)]


@needs_browser
@pytest.mark.parametrize("host", ["127.0.0.1", FOREIGN_NAME])
def test_foreign_page_can_neither_read_nor_change_anything(
    browser: Browser, site: int, flink: str, job: str, host: str
) -> None:
    page = browser.new_page()
    page.goto(f"http://{host}:{site}/")
    wire = Wire(page)
    got = page.evaluate(ATTACK, [flink, job])
    page.close()
    answers = [answer for answer in wire.answers if answer[1].startswith(flink)]
    assert {url.removeprefix(flink) for _, url, _ in answers} >= {"/jobs/overview", "/jars/upload", "/jobs"}
    assert not [answer for answer in answers if answer[2] != 403]
    assert set(got.values()) <= {"failed", "opaque"}, "an answer that the page could read"


@needs_browser
def test_foreign_name_that_comes_to_mean_this_machine_is_no_way_in(
    browser: Browser, system: System, flink: str, job: str
) -> None:
    """The page's own name resolves to this machine a moment later (DNS rebinding): for the browser it is one origin."""
    rebound = flink.replace("127.0.0.1", REBOUND_NAME)
    page = browser.new_page()
    first = page.goto(rebound)
    assert first is not None
    assert first.status == 403
    got = page.evaluate(ATTACK, [rebound, job])
    page.close()
    assert {answer[:3] for answer in got.values()} == {"403"}


@needs_browser
def test_dashboard_shows_the_job_and_offers_nothing_that_changes_it(browser: Browser, flink: str, job: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(flink)
    expect(page.get_by_text(STREAM_JOB.name).first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Submit New Job")).to_have_count(0)
    page.goto(f"{flink}/#/job/running/{job}/overview")
    expect(page.get_by_text(STREAM_JOB.name).first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Cancel Job")).to_have_count(0)
    got = page.evaluate(ATTACK, [flink, job])
    page.close()
    assert not broken
    reads = {name: answer for name, answer in got.items() if name.startswith("read_")}
    assert all(answer.startswith("200 ") for answer in reads.values()), reads
    assert {answer[:3] for name, answer in got.items() if name not in reads} <= {"403"}, got


@needs_browser
def test_link_opens_the_dashboard_and_nothing_else_of_it(browser: Browser, site: int, flink: str, job: str) -> None:
    for path, status in (("/", 200), ("/jobs/overview", 403), (f"/jobs/{job}/yarn-cancel", 403)):
        with _opened(browser, site) as page:
            with page.expect_response(flink + path) as opened:
                page.evaluate("(to) => { location.href = to; }", flink + path)
            assert opened.value.status == status
    with _opened(browser, site) as page:
        with page.expect_response(f"{flink}/") as embedded:
            page.evaluate(EMBED, flink)
        assert embedded.value.status == 403


@contextmanager
def _opened(browser: Browser, site: int) -> Iterator[Page]:
    """The foreign page, anew."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"http://{FOREIGN_NAME}:{site}/")
    try:
        yield page
    finally:
        page.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "LOCALHOST:1"}, 200),
        ({"Host": "attacker.example"}, 403),
        ({"Host": "127.0.0.1.attacker.example"}, 403),
        ({"Host": "127.0.0.1@attacker.example"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://attacker.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
    ],
)
def test_who_may_read(flink: str, headers: dict[str, str], status: int) -> None:
    response = httpx.get(f"{flink}/jobs/overview", headers=headers, trust_env=False)
    assert response.status_code == status
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["x-frame-options"] == "DENY"


def test_changes_need_the_key_of_this_home(system: System, flink: str, job: str) -> None:
    key = flink_key(system.runtime.layout)
    assert system.runtime.layout.flink_key.stat().st_mode & 0o077 == 0
    nothing = "0" * 32
    with httpx.Client(base_url=flink, trust_env=False) as client:
        for method, path in (
            ("PATCH", f"/jobs/{nothing}?mode=cancel"),
            ("GET", f"/jobs/{nothing}/yarn-cancel"),
            ("GET", f"/jobs/{nothing}/%79arn-stop"),
            ("POST", "/jobs"),
            ("POST", "/jars/upload"),
            ("DELETE", "/cluster"),
            ("OPTIONS", "/jobs"),
        ):
            for wrong in ({}, {KEY_HEADER: ""}, {KEY_HEADER: "x" * len(key)}, {KEY_HEADER: key[:-1]}):
                assert client.request(method, path, headers=wrong).status_code == 403, (method, path, wrong)
        foreign = {KEY_HEADER: key, "Origin": "http://attacker.example"}
        assert client.patch(f"/jobs/{nothing}?mode=cancel", headers=foreign).status_code == 403
        assert "refused DELETE /cluster: it needs the key" in client.get("/jobmanager/log").text
        # Who has the key is asked on: there is no such job, and no uploading of jars at all.
        assert client.patch(f"/jobs/{nothing}?mode=cancel", headers={KEY_HEADER: key}).status_code == 404
        assert client.post("/jars/upload", headers={KEY_HEADER: key}).status_code == 404


def test_no_view_of_flink_shows_the_key(system: System, flink: str, job: str) -> None:
    key = flink_key(system.runtime.layout)
    with httpx.Client(base_url=flink, trust_env=False, timeout=30) as client:
        for path in ("/jobmanager/config", "/jobmanager/environment", f"/jobs/{job}/config", "/jobmanager/log"):
            response = client.get(path)
            assert response.status_code == 200
            assert key not in response.text

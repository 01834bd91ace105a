"""A page of somebody else's, and what it tries against Flink on the machine of whoever opens it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Browser, Page, Playwright

from tests.support.page.browser import CHROMIUM

FOREIGN_NAME = "attacker.example"
REBOUND_NAME = "rebound.example"
"""Both are names of this machine, for the browser of these tests alone."""

ATTACK = """async ([flink, job]) => {
    const got = {};
    const jar = new FormData();
    jar.append("jarfile", new Blob(["PK"], { type: "application/x-java-archive" }), "evil.jar");
    const graph = new FormData();
    graph.append("request", new Blob([JSON.stringify({
        jobGraphFileName: "graph", jobJarFileNames: [], jobArtifactFileNames: [],
    })], { type: "application/json" }), "request");
    graph.append("file_0", new Blob([new Uint8Array([0xac, 0xed, 0, 5])]), "graph");
    const tries = {
        read_overview: ["/jobs/overview", {}],
        read_configuration: ["/jobmanager/config", {}],
        read_logs: ["/jobmanager/logs", {}],
        upload: ["/jars/upload", { method: "POST", body: jar }],
        upload_blindly: ["/jars/upload", { method: "POST", body: jar, mode: "no-cors" }],
        run: ["/jars/evil.jar/run", { method: "POST", body: "{}", mode: "no-cors" }],
        submit: ["/jobs", { method: "POST", body: graph }],
        submit_blindly: ["/jobs", { method: "POST", body: graph, mode: "no-cors" }],
        cancel: [`/jobs/${job}?mode=cancel`, { method: "PATCH" }],
        cancel_by_get: [`/jobs/${job}/yarn-cancel`, { mode: "no-cors" }],
        stop: [`/jobs/${job}/stop`, { method: "POST", body: "{}", mode: "no-cors" }],
        savepoint: [`/jobs/${job}/savepoints`, { method: "POST", body: "{}", mode: "no-cors" }],
        stop_cluster: ["/cluster", { method: "DELETE" }],
        profile: ["/jobmanager/profiler", { method: "POST", body: "{}", mode: "no-cors" }],
    };
    for (const [name, [path, options]] of Object.entries(tries)) {
        try {
            const response = await fetch(flink + path, { credentials: "include", ...options });
            got[name] = response.type === "opaque" ? "opaque" : `${response.status} ${await response.text()}`;
        } catch (error) {
            got[name] = "failed";
        }
    }
    return got;
}"""

EMBED = """(flink) => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.onload = () => resolve(null);
    frame.src = flink + "/";
    document.body.append(frame);
})"""


@contextmanager
def browser_of_a_victim(playwright: Playwright) -> Iterator[Browser]:
    """Chromium for which the foreign names mean this machine."""
    names = ",".join(f"MAP {name} 127.0.0.1" for name in (FOREIGN_NAME, REBOUND_NAME))
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--host-resolver-rules={names}"],
        timeout=120_000,
    )
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def foreign_site() -> Iterator[int]:
    """Serves an empty page on a port of its own."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>foreign</title><body></body>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Wire:
    """What went over the wire, also where the page may not see it: (method, url, status) of every answer."""

    def __init__(self, page: Page) -> None:
        self._requests: dict[str, tuple[str, str]] = {}
        self._statuses: dict[str, int] = {}
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceivedExtraInfo", self._answered)
        session.send("Network.enable")

    @property
    def answers(self) -> list[tuple[str, str, int]]:
        return [(*self._requests[each], status) for each, status in self._statuses.items() if each in self._requests]

    def _sent(self, event: dict[str, Any]) -> None:
        self._requests[event["requestId"]] = (event["request"]["method"], event["request"]["url"])

    def _answered(self, event: dict[str, Any]) -> None:
        self._statuses[event["requestId"]] = int(event["statusCode"])

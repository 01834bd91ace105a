"""The load balancer of docker/haproxy, encrypted: which blenders it asks, and how it is asked itself."""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.balanced import HAPROXY
from cli.runtime.programs import REPOSITORY
from tests.hostile.doors.authority import Authority
from tests.ports import free_block

NAME = "search.shop.example"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(HAPROXY is None, reason="no haproxy on this machine; make tools installs it"),
]


@contextmanager
def answering(text: str, certificate: Path, key: Path) -> Iterator[int]:
    """A server that answers every question with `text`, by HTTPS; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing is said."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Who does not like the certificate leaves without a word."""

    server = Server(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def balancing(folder: Path, front: tuple[Path, Path], ca: Path, *blenders: int) -> Iterator[str]:
    """The balancer before blenders on those ports; where it is."""
    port = free_block(2)
    pem = folder / "front.pem"
    pem.write_bytes(front[0].read_bytes() + front[1].read_bytes())
    environment = {
        **os.environ,
        "VITRINE_LISTEN": f"127.0.0.1:{port}",
        "VITRINE_STATS": f"127.0.0.1:{port + 1}",
        "VITRINE_HEALTH_HOST": NAME,
        "VITRINE_FRONT_PEM": str(pem),
        "VITRINE_BLENDERS_CA": str(ca),
        **{f"VITRINE_BLENDER_{number}": f"127.0.0.1:{blender}" for number, blender in enumerate(blenders, 1)},
    }
    command = [str(HAPROXY), "-db", "-f", str(REPOSITORY / "docker" / "haproxy" / "haproxy.cfg")]
    with (folder / "haproxy.log").open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            yield f"https://127.0.0.1:{port}"
        finally:
            process.kill()


def test_only_blenders_that_our_authority_signed_for_the_name_are_asked(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours", "ours"), Authority(tmp_path / "theirs", "theirs")
    trusting = ssl.create_default_context(cafile=str(ours.certificate))
    front = ours.issue("front", host=NAME)
    for false in (theirs.issue("blender", host=NAME), ours.issue("another", host="another.example")):
        with (
            answering("true", *ours.issue("blender", host=NAME)) as true,
            answering("false", *false) as other,
            balancing(tmp_path, front, ours.certificate, true, other) as url,
            httpx.Client(base_url=url, verify=trusting, trust_env=False) as client,
        ):
            until = time.monotonic() + 30
            while not answered(client):
                assert time.monotonic() < until, (tmp_path / "haproxy.log").read_text()
                time.sleep(0.1)
            heard = {client.get("/v1/search/text?q=bag").text for _ in range(40)}
        assert heard == {"true"}


def answered(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_plain_requests_are_not_answered(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours", "ours")
    pair = ours.issue("blender", host=NAME)
    with answering("true", *pair) as true, balancing(tmp_path, pair, ours.certificate, true, true) as url:
        trusting = ssl.create_default_context(cafile=str(ours.certificate))
        with httpx.Client(base_url=url, verify=trusting, trust_env=False) as client:
            until = time.monotonic() + 30
            while not answered(client):
                assert time.monotonic() < until
                time.sleep(0.1)
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https://", "http://"), trust_env=False)

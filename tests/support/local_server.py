"""A real HTTP server on a loopback port, with paths that behave well and badly."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORTS = range(18100, 18150)
PICTURE = bytes(range(256)) * 40


class Handler(BaseHTTPRequestHandler):
    """`/status/N`, `/redirect?URL`, `/drip`, `/drip-headers`, `/endless`, `/hang-up`, ...; else a picture."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, LocalServer)
        server.requests.append((self.path, self.headers.get("Host", "")))
        path, _, query = self.path.partition("?")
        name = path.strip("/").partition("/")[0]
        try:
            {
                "status": self._status,
                "redirect": lambda: self._redirect(query),
                "drip": self._drip,
                "drip-headers": self._drip_headers,
                "endless": self._endless,
                "announces-much": self._announces_much,
                "hang-up": self._hang_up,
            }.get(name, self._picture)()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _picture(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PICTURE)))
        self.end_headers()
        self.wfile.write(PICTURE)

    def _status(self) -> None:
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _redirect(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _unbounded(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def _drip(self) -> None:
        self._unbounded()
        while True:
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.02)

    def _drip_headers(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.02)

    def _endless(self) -> None:
        self._unbounded()
        while True:
            self.wfile.write(b"x" * 65536)

    def _announces_much(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "99999999999")
        self.end_headers()
        self.close_connection = True

    def _hang_up(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


class LocalServer(ThreadingHTTPServer):
    """Serves until closed; `requests` lists (path, Host header) in order."""

    daemon_threads = True

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        super().__init__((address, port), Handler)
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str = "/picture.jpg", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def start_server() -> LocalServer:
    """On the first free port of `PORTS`, so that test processes run side by side."""
    for port in PORTS:
        try:
            return LocalServer(port)
        except OSError:
            continue
    raise RuntimeError(f"no free port in {PORTS}")

"""An HTTP load generator in a process of its own: keep-alive connections that each send, wait, and send again.

Bytes in, bytes out, with no HTTP library: on two cores a client as heavy as
the server would halve what the server can do.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(slots=True)
class Answers:
    """`seconds_each`: latency of every answer, in order of arrival."""

    seconds: float = 0.0
    seconds_each: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def figures(self) -> dict[str, float]:
        """Rate and percentiles. Raises `RuntimeError` when an answer was not 200."""
        if set(self.statuses) != {200}:
            raise RuntimeError(f"answers by HTTP status: {dict(self.statuses)}")
        p50, p99 = (float(np.percentile(self.seconds_each, q)) * 1000 for q in (50, 99))
        return {
            "queries_per_s": round(len(self.seconds_each) / self.seconds, 1),
            "p50_ms": round(p50, 1),
            "p99_ms": round(p99, 1),
        }


def post(path: str, content_type: str, body: bytes) -> bytes:
    """A whole request."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
    )
    head = "\r\n".join((*lines, "", ""))
    return head.encode() + body


def get(path: str) -> bytes:
    """A whole request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post_file(path: str, name: str, data: bytes) -> bytes:
    """The same with `data` as a multipart form's file."""
    boundary = "vitrine-benchmark-boundary"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="photo.jpg"\r\n'
    body = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return post(path, f"multipart/form-data; boundary={boundary}", body)


class HttpLoad:
    """The client process, for one run after the other."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._pool = multiprocessing.get_context("spawn").Pool(1, _prepare, (port, list(requests)))

    def run(self, connections: int, seconds: float) -> Answers:
        """Sends the requests in turn over `connections` connections; returns when the last answer is there."""
        return self._pool.apply(_run, (connections, seconds))

    def close(self) -> None:
        self._pool.terminate()
        self._pool.join()


_prepared: tuple[int, list[bytes]] = (0, [])


def _prepare(port: int, requests: list[bytes]) -> None:
    global _prepared
    _prepared = port, requests


def _run(connections: int, seconds: float) -> Answers:
    return asyncio.run(_all(*_prepared, connections, seconds))


async def _all(port: int, requests: list[bytes], connections: int, seconds: float) -> Answers:
    answers = Answers()
    began = time.perf_counter()
    await asyncio.gather(
        *(_one(port, requests[start::connections], began + seconds, answers) for start in range(connections))
    )
    answers.seconds = time.perf_counter() - began
    return answers


async def _one(port: int, requests: list[bytes], until: float, answers: Answers) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while (sent := time.perf_counter()) < until:
        writer.write(requests[number % len(requests)])
        number += 1
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        answers.seconds_each.append(time.perf_counter() - sent)
        answers.statuses[int(head[9:12])] += 1
    writer.close()
    await writer.wait_closed()

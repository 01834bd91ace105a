"""After all hostile suites: every process holds about what it held before, nothing is left over.

What a heap or an allocator keeps is bounded, not counted to the byte: leaks of
the kind that this is after (a connection, a file or a buffer for each attack)
are thousands of times more than what is allowed.
"""

from __future__ import annotations

import io
import socket

import httpx
import pytest
from PIL import Image

from schemas.errors import TransientError
from tests.support.hostile_events import hostile_events
from tests.support.resources import Holding, holdings, zombies
from tests.system import System, eventually

pytestmark = pytest.mark.e2e

MIB = 2**20
JVM_GROWTH = 900 * MIB
"""A JVM fills the heap that it was given before it looks for what it can give back."""
GROWTH = 400 * MIB
MORE_FILES = 60
MORE_THREADS = 30
UPLOADS = 150


def test_what_processes_hold_returns_to_about_where_it_was(system: System, held_before: dict[str, Holding]) -> None:
    _attack(system)
    system.wait_settled(pending=1_000_000)

    def returned() -> bool:
        if grown := _grown(held_before, holdings(system)):
            raise TransientError("held", "; ".join(grown))
        return True

    # Connections that an attack left open are closed by their time limits.
    eventually(returned, "every process holds about what it held before the attacks", timeout_s=120, poll_s=1.0)
    assert zombies(system) == []


def _attack(system: System) -> None:
    """A little of everything once more, so that this test says something when it runs alone."""
    system.produce(*(event.value for event in hostile_events(7, 500)), key=b"hostile")
    system.produce({"type": "product_removed", "product_id": "hostile"})
    flat = io.BytesIO()
    Image.new("RGB", (2000, 2000), "white").save(flat, "PNG")
    uploads = [flat.getvalue(), flat.getvalue()[:-100], b"", b"GIF89a" + b"\xff" * 1000, b"\x00" * 1_000_000]
    with httpx.Client(base_url=system.base, trust_env=False, timeout=120) as client:
        for number in range(UPLOADS):
            data = uploads[number % len(uploads)]
            answer = client.post("/v1/search/image", files={"image": ("photo", data)})
            assert answer.status_code < 500, answer.text[:300]
            # A body that ends before it said it would: the connection is closed in the middle of it.
            if number % 10 == 0:
                _half_a_body(system)


def _half_a_body(system: System) -> None:
    with socket.create_connection(("127.0.0.1", system.settings.http_port), timeout=60) as connection:
        connection.sendall(b"POST /v1/search/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\nhalf")


def _grown(before: dict[str, Holding], after: dict[str, Holding]) -> list[str]:
    problems = []
    for name, now in after.items():
        was = before.get(name)
        if was is None or was.pid != now.pid:
            continue  # an attack ended it, and it was begun anew: there is nothing to compare it with
        room = JVM_GROWTH if name.startswith(("kafka", "flink")) else GROWTH
        if (
            now.memory > was.memory + room
            or now.files > was.files + MORE_FILES
            or now.threads > was.threads + MORE_THREADS
            or now.temporary > was.temporary
        ):
            problems.append(f"{name} holds {now}, before {was}")
    missing = sorted(set(before) - set(after))
    return problems + ([f"missing: {missing}"] if missing else [])

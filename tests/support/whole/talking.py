"""What tests tell a whole system, and ask it: events, searches, counters."""

from __future__ import annotations

import re
from typing import Any

import httpx

from tests.system import System


def added(product_id: str, *urls: str, version: int | None = None, **product: object) -> dict[str, object]:
    event: dict[str, object] = {
        "type": "product_added",
        "product_id": product_id,
        "product": product,
        "images": [{"url": url} for url in urls],
    }
    return event if version is None else {**event, "version": version}


def found(system: System, photo: bytes) -> list[str]:
    return [result["product_id"] for result in system.search(photo, 20)["results"]]


def asked(system: System, **question: object) -> dict[str, Any]:
    """The answer to a question of words, filters and counts."""
    answer = httpx.post(f"{system.base}/v1/search", json={"limit": 100, **question}, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [result["product_id"] for result in answer["results"]]


def flink_counter(system: System, name: str) -> int:
    """The counter's value over all subtasks, from Flink's Prometheus reporter."""
    total = 0.0
    for port in range(system.settings.metrics_port, system.settings.metrics_port + 3):
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False, verify=False).text
        except httpx.TransportError:
            continue
        total += sum(float(value) for value in re.findall(rf"^flink_\S*_{name}\{{[^}}]*\}} (\S+)$", text, re.M))
    return int(total)

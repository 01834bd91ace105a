"""What a row is made from, and what several of them say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Result = Mapping[str, Any]
Row = tuple[str, str, str, str]
"""What; reference; ours; where the time goes."""


def cores_of(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {cores:.2f}" for name, cores in list(found["cores"].items())[:6])

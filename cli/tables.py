"""Plain text for a terminal: aligned columns, moments in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; what looks like a number is set to the right."""
    body = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in [list(names), *body]) for i in range(len(names))]
    right = [bool(body) and all(_numeric(row[i]) for row in body) for i in range(len(names))]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        for row in [list(names), *body]
    ]
    return "\n".join(line.rstrip() for line in lines)


def moment(timestamp_ms: int) -> str:
    """`2026-01-01T10:00:00.123Z`; `-` for 0, which means not known."""
    if timestamp_ms <= 0:
        return "-"
    text = datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _numeric(cell: str) -> bool:
    return cell in ("-", "") or cell.removesuffix("%").replace(".", "", 1).replace("-", "", 1).isdigit()

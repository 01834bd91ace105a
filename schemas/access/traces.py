"""Where traces are sent, by the settings `traces` and `traces_ratio`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from schemas.errors import OperatorError

_PATH = "/v1/traces"


@dataclass(frozen=True, slots=True)
class TraceCollector:
    """`url`: takes OTLP over HTTP. `ratio`: share of what comes without a trace that one is begun for.

    Travels to Flink's workers by pickle.
    """

    url: str
    ratio: float


def trace_collector(text: str, ratio: float) -> TraceCollector | None:
    """None: nothing is traced. Raises `OperatorError` for what is no address of a collector."""
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise OperatorError(f"traces={text!r} is no collector; wanted is http://host:4318, where it takes OTLP")
    if parts.username is not None:
        raise OperatorError(
            "traces: leave name and password out of the address, which is logged; OTEL_EXPORTER_OTLP_HEADERS has room"
        )
    return TraceCollector(text if parts.path.strip("/") else text.rstrip("/") + _PATH, ratio)

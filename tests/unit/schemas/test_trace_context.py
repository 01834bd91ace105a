"""`traceparent` as the W3C writes it, and a record's header that holds several."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.access.traces import trace_collector
from schemas.errors import OperatorError
from schemas.trace_context import MOST_CONTEXTS, TraceContext, contexts_header, read_context, read_contexts

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_header_of_the_standard_is_read_and_written() -> None:
    text = f"00-{TRACE}-{SPAN}-01"
    assert read_context(text) == read_context(text.encode()) == TraceContext(TRACE, SPAN)
    assert str(TraceContext(TRACE, SPAN)) == text
    assert read_context(f"00-{TRACE}-{SPAN}-00") == TraceContext(TRACE, SPAN, sampled=False)


def test_later_version_is_read_as_far_as_it_is_known() -> None:
    assert read_context(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings") == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "garbage", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"),
        *(f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more", f"00-{TRACE}-{SPAN}", f"0-{TRACE}-{SPAN}-01"),
        f"cc-{TRACE}-{SPAN}-01-" + "x" * 300,
    ],
)
def test_what_is_none_is_passed_over(text: str | None) -> None:
    assert read_context(text) is None


@given(st.binary(max_size=300))
def test_no_bytes_of_a_stranger_fail(value: bytes) -> None:
    assert all(context.sampled for context in read_contexts(value))
    read_context(value)


def test_record_of_several_traces_names_each_once_and_so_many_at_most() -> None:
    contexts = [TraceContext(f"{n:032x}", SPAN) for n in range(1, MOST_CONTEXTS + 10)]
    assert read_contexts(contexts_header([*contexts[:3], contexts[0]])) == contexts[:3]
    assert read_contexts(contexts_header(contexts)) == contexts[:MOST_CONTEXTS]
    assert read_contexts(contexts_header([TraceContext(TRACE, SPAN, sampled=False)])) == []
    assert contexts_header([]) is None


def test_collector_is_an_address_of_otlp_over_http() -> None:
    assert trace_collector("", 1.0) is None
    for text in ("http://127.0.0.1:4318", "http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"):
        found = trace_collector(text, 0.5)
        assert found is not None
        assert (found.url, found.ratio) == ("http://127.0.0.1:4318/v1/traces", 0.5)


@pytest.mark.parametrize("text", ["127.0.0.1:4318", "grpc://host:4317", "http://", "http://host:4318/?a=b"])
def test_what_is_no_collector_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match="http://host:4318"):
        trace_collector(text, 1.0)


def test_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(OperatorError, match="OTEL_EXPORTER_OTLP_HEADERS") as raised:
        trace_collector("https://me:secret@host:4318", 1.0)
    assert "secret" not in str(raised.value)

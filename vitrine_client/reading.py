"""From the bytes of an answer to its structs. Each function raises `msgspec.DecodeError` or `UnicodeDecodeError`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from vitrine_client.answers import AlsoAt, Answer, BatchEntry, Result, Suggestion
from vitrine_client.explained import Explain

T = TypeVar("T")

_OWN = frozenset(Result.__struct_fields__) - {"attributes"}
"""Fields of a result that the server sends by these names; a shop may name an attribute `attributes`."""
_SOMETIMES: tuple[tuple[str, Any], ...] = (
    *(("attributes_trimmed", bool), ("also_at", list[AlsoAt])),
    ("explain", Explain),
)
"""What a result has now and then: where it is of another kind, it is an attribute that the shop calls so."""


class _Found(msgspec.Struct, frozen=True):
    results: list[dict[str, Any]]


class _BatchAnswer(msgspec.Struct, frozen=True):
    answers: list[dict[str, Any]]


class _Suggestions(msgspec.Struct, frozen=True):
    suggestions: list[Suggestion]


def reads(kind: type[T]) -> Callable[[bytes], T]:
    """A reader of answers that are one struct."""
    return msgspec.json.Decoder(kind).decode


read_anything: Callable[[bytes], Any] = msgspec.json.Decoder().decode
"""The answer as it came."""

_batch = msgspec.json.Decoder(_BatchAnswer)
_suggestions = msgspec.json.Decoder(_Suggestions)


def read_answer(data: bytes) -> Answer:
    """Of a search."""
    return msgspec.convert(_gathered(msgspec.json.decode(data)), Answer)


def read_batch(data: bytes) -> list[BatchEntry]:
    """Of a batch, in the order of its questions."""
    return [msgspec.convert(_entry(each), BatchEntry) for each in _batch.decode(data).answers]


def read_suggestions(data: bytes) -> list[Suggestion]:
    """The most frequent first."""
    return _suggestions.decode(data).suggestions


def _entry(sent: dict[str, Any]) -> dict[str, Any]:
    return sent if sent.get("answer") is None else {**sent, "answer": _gathered(sent["answer"])}


def _gathered(sent: Any) -> dict[str, Any]:
    """A search's answer with the attributes of each result in one dict."""
    found = msgspec.convert(sent, _Found)
    return {**sent, "results": [_result(each) for each in found.results]}


def _result(sent: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in sent.items() if name in _OWN}
    for name, kind in _SOMETIMES:
        if name in own and not _is(own[name], kind):
            del own[name]
    return {**own, "attributes": {name: value for name, value in sent.items() if name not in own}}


def _is(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True

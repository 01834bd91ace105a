"""The published JSON Schemas and the decoders accept and refuse the same JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.errors import RejectedError
from schemas.events.dead_letter import DeadLetter, decode_dead_letter, encode_dead_letter
from schemas.events.event import ProductEvent, decode_event
from schemas.events.extract_request import ExtractRequest, decode_request, encode_request

FOLDER = Path(__file__).parents[2] / "schemas" / "json"
EXAMPLES = sorted((FOLDER / "examples").glob("*.json"))
DECODERS: dict[str, Callable[[bytes], object]] = {
    "product_event": decode_event,
    "extract_request": decode_request,
    "dead_letter": decode_dead_letter,
}


def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


VALIDATORS = {name: _validator(name) for name in DECODERS}


def _decodes(name: str, value: object) -> bool:
    try:
        DECODERS[name](json.dumps(value).encode())
    except (RejectedError, msgspec.MsgspecError):
        return False
    return True


def _agree(name: str, value: object) -> None:
    errors = [error.message for error in VALIDATORS[name].iter_errors(value)]
    assert _decodes(name, value) == (not errors), f"{json.dumps(value)}: the schema says {errors or 'valid'}"


# Well-formed events by construction, and the same with parts replaced by anything. Left out, because JSON Schema
# cannot say them: whole numbers written as 7.0 (valid "integer" there), sizes in bytes, nesting, 64 bits in
# unknown attributes, and the two internal kinds that only Vitrine writes.
_ascii = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
_fraction = st.floats(-10, 10).filter(lambda x: not x.is_integer())
_integers = (
    st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.sampled_from([2**62, 10**15, 10**15 - 1, 2**62 - 1])
)
_scalars = st.none() | st.booleans() | _integers | _fraction | _ascii
_anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ascii, inner, max_size=3)
)
_id = _ascii.filter(bool)
_version = st.none() | st.integers(-(2**63), 2**63 - 1)
_numbers = st.lists(st.floats(-10, 10) | st.integers(-3, 3), min_size=2, max_size=4).filter(any)
_image = st.fixed_dictionaries(
    {"url": _id}, optional={"version": _version | _ascii, "vector": st.none() | _numbers, "alt": _anything}
)
_product = st.fixed_dictionaries(
    {},
    optional={
        "title": st.none() | _ascii,
        "category": st.none() | _ascii,
        "brand": st.none() | _ascii,
        "colour": st.none() | _ascii,
        "price": st.none() | st.floats(0, 9e14) | st.integers(0, 10**15 - 1),
        "sales": st.none() | st.integers(0, 2**62 - 1),
        "praise": st.none() | st.floats(0, 1) | st.sampled_from([0, 1]),
        "fabric": _anything,
    },
)
_added = st.fixed_dictionaries(
    {"type": st.just("product_added"), "product_id": _id},
    optional={
        "version": _version, "product": st.none() | _product, "images": st.none() | st.lists(_image, max_size=3),
        "source": _anything,
    },
)  # fmt: skip
_updated = st.fixed_dictionaries(
    {"type": st.just("product_updated"), "product_id": _id},
    optional={
        "version": _version, "product": st.none() | _product, "images_added": st.lists(_image, max_size=3),
        "images_removed": st.lists(_ascii, max_size=3),
    },
)  # fmt: skip
_removed = st.fixed_dictionaries(
    {"type": st.sampled_from(["product_removed", "product_erased"]), "product_id": _id},
    optional={"version": _version, "product": _anything},
)
_events = _added | _updated | _removed
_envelopes = st.fixed_dictionaries(
    {"specversion": st.sampled_from(["1.0", "1.0.2"]), "data": _events},
    optional={
        "id": _ascii,
        "type": _ascii.filter(lambda t: t not in ("heartbeat", "forwarded")),
        "data_base64": st.none(),
    },
)


@settings(deadline=None)
@given(_events | _envelopes)
def test_every_event_built_by_the_rules_passes_both(event: dict[str, Any]) -> None:
    assert VALIDATORS["product_event"].is_valid(event)
    assert _decodes("product_event", event)


_FIELDS = [
    "type", "product_id", "version", "product", "images", "images_added", "images_removed", "url", "vector", "title",
    "category", "brand", "colour", "price", "sales", "praise", "specversion", "data",
]  # fmt: skip
_TYPES = ["product_added", "product_updated", "product_removed", "product_erased", "product_sold"]


@st.composite
def _damaged(draw: st.DrawFn) -> dict[str, Any]:
    """An event with one field anywhere in it dropped or replaced."""
    event: dict[str, Any] = json.loads(json.dumps(draw(_events | _envelopes)))
    place: Any = event
    while inner := [each for each in _children(place) if draw(st.booleans())]:
        place = inner[0]
    name = draw(st.sampled_from([*(n for n in place if n in _FIELDS), *_FIELDS]))
    if draw(st.booleans()):
        place.pop(name, None)
    else:
        place[name] = draw(st.sampled_from(_TYPES) | _anything) if name == "type" else draw(_anything)
    return event


def _children(place: Any) -> list[dict[str, Any]]:
    values = list(place.values())
    return [
        child
        for value in values
        for child in (value if isinstance(value, list) else [value])
        if isinstance(child, dict)
    ]


@settings(deadline=None, max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(_damaged())
def test_schema_and_decoder_agree_on_damaged_events(event: dict[str, Any]) -> None:
    _agree("product_event", event)


@settings(deadline=None)
@given(_anything)
def test_schema_and_decoder_agree_on_any_json(value: object) -> None:
    _agree("product_event", value)


_BARE = {"type": "product_added", "product_id": "p"}


@pytest.mark.parametrize(
    ("event", "valid"),
    [
        (_BARE, True),
        (_BARE | {"product_id": ""}, False),
        (_BARE | {"product_id": "x" * 512}, True),
        (_BARE | {"product_id": "x" * 513}, False),
        (_BARE | {"version": 2**63 - 1}, True),
        (_BARE | {"version": 2**63}, False),
        (_BARE | {"images": [{"url": "x"}] * 500}, True),
        (_BARE | {"images": [{"url": "x" * 4096}]}, True),
        (_BARE | {"images": [{"url": "x"}] * 501}, False),
        (_BARE | {"images": [{"url": "x" * 4097}]}, False),
        (_BARE | {"images": [{"url": "x", "version": True}]}, False),
        (_BARE | {"images": [{"url": "x", "vector": [0.5, -1]}]}, True),
        (_BARE | {"images": [{"url": "x", "vector": [1e-300, 0]}]}, True),
        (_BARE | {"images": [{"url": "x", "vector": [10**40, 1.5e300]}]}, True),
        (_BARE | {"images": [{"url": "x", "vector": [1] * 4096}]}, True),
        (_BARE | {"images": [{"url": "x", "vector": [1] * 4097}]}, False),
        (_BARE | {"images": [{"url": "x", "vector": [1]}]}, False),
        (_BARE | {"images": [{"url": "x", "vector": [0, -0.0]}]}, False),
        (_BARE | {"images": [{"url": "x", "vector": [1, None]}]}, False),
        (_BARE | {"images": [{"url": "x", "vector": [1, True]}]}, False),
        (_BARE | {"images": [{"vector": [1, 2]}]}, False),
        (_BARE | {"product": {"price": 1e15}}, False),
        (_BARE | {"product": {"price": -0.01}}, False),
        (_BARE | {"product": {"praise": 1.01}}, False),
        (_BARE | {"product": {"sales": 2**62}}, False),
        (_BARE | {"product": {"sales": True}}, False),
        ({"type": "product_updated", "product_id": "p", "images_added": None}, False),
        ({"specversion": "1.0", "data": _BARE}, True),
        ({"specversion": "0.3", "data": _BARE}, False),
        ({"specversion": "1.0"}, False),
        ({"specversion": "1.0", "type": "product_added", "data": _BARE}, True),
    ],
)
def test_limits_are_the_same_on_both_sides(event: dict[str, Any], valid: bool) -> None:
    assert VALIDATORS["product_event"].is_valid(event) == valid
    assert _decodes("product_event", event) == valid


def test_internal_events_are_not_published() -> None:
    heartbeat = {"type": "heartbeat", "partition": 0}
    assert not VALIDATORS["product_event"].is_valid(heartbeat)
    assert _decodes("product_event", heartbeat)
    assert not _decodes("product_event", {"specversion": "1.0", "data": heartbeat})


_strings = st.text(max_size=5)
_texts = st.text(min_size=1, max_size=5)


@settings(deadline=None)
@given(
    st.builds(
        ExtractRequest, product_id=_texts, url=_texts, extractor_id=_strings, vector_seq=st.integers(1, 2**63 - 1),
        image_id=st.binary(min_size=16, max_size=16).map(bytes.hex), attempt=st.integers(0, 99),
        image_key=st.binary(min_size=16, max_size=16).map(bytes.hex), not_before_ms=st.integers(0, 2**50),
        vector=st.binary(max_size=20),
    )
)  # fmt: skip
def test_requests_as_they_are_written_pass_their_schema(request: ExtractRequest) -> None:
    VALIDATORS["extract_request"].validate(json.loads(encode_request(request)))


@settings(deadline=None)
@given(
    st.builds(
        DeadLetter, reason=_strings, detail=_strings, stage=_strings, transient=st.booleans(), topic=_strings,
        partition=st.integers(0, 99), offset=_integers, at_ms=_integers, key=st.none() | st.just("cDE="),
        value=st.none() | st.just("cDE="), truncated=st.booleans(),
    )
)  # fmt: skip
def test_dead_letters_as_they_are_written_pass_their_schema(letter: DeadLetter) -> None:
    VALIDATORS["dead_letter"].validate(json.loads(encode_dead_letter(letter)))


@pytest.mark.parametrize("name", ["extract_request", "dead_letter"])
@settings(deadline=None)
@given(data=st.data())
def test_schema_and_decoder_agree_on_damaged_records(name: str, data: st.DataObject) -> None:
    example = next(path for path in EXAMPLES if path.name.startswith(name))
    value = json.loads(example.read_text())
    field = data.draw(st.sampled_from(list(value)))
    if data.draw(st.booleans()):
        del value[field]
    else:
        value[field] = data.draw(_anything)
    _agree(name, value)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_pass_both(path: Path) -> None:
    name = path.name.split(".")[0]
    VALIDATORS[name].validate(json.loads(path.read_text()))
    decoded = DECODERS[name](path.read_bytes())
    assert isinstance(decoded, ProductEvent | ExtractRequest | DeadLetter)


def test_every_schema_has_an_example() -> None:
    assert {path.name.split(".")[0] for path in EXAMPLES} == set(DECODERS)
    assert {path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json")} == set(DECODERS)

"""What the client sends for what a program says, and what it makes of the answers."""

from __future__ import annotations

import inspect
import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import msgspec
import numpy as np
import pytest

from vitrine_client import Answer, AsyncVitrine, Vitrine, calls
from vitrine_client.reading import read_answer, read_batch

ROOT = Path(__file__).resolve().parents[3]
OURS = (
    "disk", "schemas", "objects", "devices", "vision", "feature_store", "indexing", "messaging", "tracing",
    "generations", "sample", "search_report", "jobs", "serving", "cli", "benchmarks",
)  # fmt: skip
HEAVY = ("numpy", "torch", "faiss", "fastapi", "pyarrow", "pydantic", "grpc", "PIL", "uvicorn")
FOUND: dict[str, Any] = {
    "results": [],
    "watermark": None,
    "partial": False,
    "missing_shards": [],
    "pending_images": 0,
    "refused_images": 0,
    "took_ms": {"total": 1.0, "embed": 0.5, "search": 0.2},
    "generation": "live",
}


def sent(ask: Callable[[Vitrine], object], answer: Any = FOUND, **options: Any) -> httpx.Request:
    requests: list[httpx.Request] = []

    def answers(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=answer)

    with Vitrine(transport=httpx.MockTransport(answers), **options) as vitrine:
        ask(vitrine)
    return requests[0]


def asked(**question: Any) -> Any:
    request = sent(lambda vitrine: vitrine.search(**question))
    assert (request.method, request.url.path) == ("POST", "/v1/search")
    return json.loads(request.content)


def parameters(**options: Any) -> list[tuple[str, str]]:
    return parse_qsl(sent(lambda vitrine: vitrine.similar("p1", **options)).url.query.decode())


def test_import_loads_nothing_of_ours_and_nothing_heavy() -> None:
    code = f"import sys, vitrine_client; print(*({{*{OURS + HEAVY!r}}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_question_goes_as_the_documents_write_it() -> None:
    question = {
        "text": "boot",
        "products": ["p1", {"id": "p2", "weight": -0.5}],
        "filter": {"price": {"gte": 10}},
        "facets": ["brand", {"field": "price", "ranges": [20, 50]}],
        "rank": {"relevance": 1, "sales": {"weight": 0.3, "half": 500}},
        "weights": {"look": 0.5},
        "limit": 3,
        "explain": True,
    }
    assert asked(**question) == question
    assert asked(text="x", max_per={"brand": 2}, mmr=0.7)["diversity"] == {"max_per": {"brand": 2}, "mmr": 0.7}
    assert asked(text="x", limit=None, filter=None, max_per=None) == {"text": "x"}
    assert asked(filter={"price": {"gte": np.float32(1.5)}}) == {"filter": {"price": {"gte": 1.5}}}


def test_photo_is_bytes_a_path_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    for photo in (b"photo", bytearray(b"photo"), memoryview(b"photo"), path, str(path), io.BytesIO(b"photo")):
        assert asked(images=[photo])["images"] == ["cGhvdG8="]
    request = sent(lambda vitrine: vitrine.search_image(path, b"other", text="boot", limit=5))
    assert request.headers["content-type"].startswith("multipart/form-data")
    assert request.content.count(b'name="image"; filename=') == 2
    assert b"photo" in request.content
    assert asked(images=[{"data": path, "weight": 0.5}])["images"] == [{"data": "cGhvdG8=", "weight": 0.5}]
    for wrong in (5, None, io.StringIO("text"), [b"photo"]):
        with pytest.raises(TypeError):
            calls.search_image(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        calls.search_image()
    with pytest.raises(FileNotFoundError):
        calls.search_image(tmp_path / "none.jpg")


@pytest.mark.parametrize(
    "vector",
    [
        [1.0, -0.5],
        (1, -0.5),
        iter([1.0, -0.5]),
        np.array([1.0, -0.5], dtype=np.float32),
        np.array([1.0, -0.5], dtype=">f4"),
        np.array([1.0, -0.5], dtype=np.float64),
        np.array([1.0, 0.0, -0.5, 0.0], dtype=np.float32)[::2],
        np.array([1.0, -0.5], dtype=np.float16),
    ],
    ids=["list", "tuple", "iterator", "float32", "big-endian", "float64", "strided", "float16"],
)
def test_vector_goes_as_little_endian_float32(vector: Any) -> None:
    request = sent(lambda vitrine: vitrine.search_vector(vector, limit=5))
    assert struct.unpack("<2f", request.content) == (1.0, -0.5)
    assert request.headers["content-type"] == "application/octet-stream"
    assert request.url.query == b"limit=5"


def test_vectors_in_a_question_are_numbers() -> None:
    vector = np.array([1.0, -0.5], dtype=np.float32)
    assert asked(vectors=[vector, [1, 2], {"vector": vector, "weight": -1}])["vectors"] == [
        [1.0, -0.5],
        [1, 2],
        {"vector": [1.0, -0.5], "weight": -1},
    ]


@pytest.mark.parametrize("vector", ["1,2", b"1234", np.zeros((2, 2)), np.zeros((1, 2), np.float32), [[1.0]], 5.0])
def test_what_is_no_row_of_numbers_is_no_vector(vector: Any) -> None:
    with pytest.raises(TypeError):
        calls.search_vector(vector)
    with pytest.raises(TypeError):
        calls.search(vectors=[vector])


def test_numbers_that_json_or_float32_has_not_are_refused() -> None:
    for vector in ([float("nan")], [float("inf")], [1e300]):
        with pytest.raises(ValueError, match="numbers"):
            calls.search_vector(vector)
    with pytest.raises(ValueError, match="numbers"):
        calls.search(vectors=[[float("nan")]])


def test_options_go_into_the_url_in_their_short_forms() -> None:
    assert parameters(
        facets=["brand", "price:20,50", {"field": "sales", "ranges": [10, 100], "exclude_own": True}],
        filter="brand:Acme",
        max_per={"brand": 2, "colour": 1},
        explain=True,
        min_score=0.25,
        generation="g1",
        limit=7,
    ) == [
        ("limit", "7"),
        ("generation", "g1"),
        ("filter", "brand:Acme"),
        ("facets", "brand;price:20,50;!sales:10,100"),
        ("max_per", "brand:2;colour:1"),
        ("min_score", "0.25"),
        ("explain", "true"),
    ]
    assert parameters(filter={"price": {"gte": 10}}) == [("filter", '{"price":{"gte":10}}')]
    assert parameters(text="a&b=c ö") == [("text", "a&b=c ö")]
    with pytest.raises(ValueError, match="limit of a facet"):
        calls.search_text("x", facets=[{"field": "brand", "limit": 50}])


def test_ordinary_search_goes_the_short_way_of_the_server() -> None:
    query = sent(lambda vitrine: vitrine.search_image(b"photo", generation="g1", limit=5)).url.query
    assert query == b"limit=5&generation=g1"


@pytest.mark.parametrize("wrong", [{"products": "p1"}, {"images": b"photo"}, {"facets": "brand"}, {"vectors": 5}])
def test_one_where_a_list_belongs_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is a list"):
        calls.search(**wrong)


def test_unknown_option_is_refused_with_those_there_are() -> None:
    ask: Any = calls
    for build in (
        lambda: ask.search(colour="red"),
        lambda: ask.similar("p1", weights={}),
        lambda: ask.batch([{"q": "x"}]),
        lambda: ask.search_text("x", text="y"),
    ):
        with pytest.raises(TypeError):
            build()
    with pytest.raises(TypeError, match="colour; there are cursor, "):
        ask.search(colour="red")


@pytest.mark.parametrize("product", ["p1", "a/b", "..", ".", "a b?#%", "ö\n", "%2E", "a/../b"])
def test_every_id_is_one_part_of_the_path(product: str) -> None:
    path = sent(lambda vitrine: vitrine.similar(product)).url.raw_path.decode()
    assert path.count("/") == 4
    assert unquote(path) == f"/v1/products/{product}/similar"
    with pytest.raises(ValueError, match="id"):
        calls.status("")


def test_key_is_sent_and_never_shown() -> None:
    request = sent(lambda vitrine: vitrine.search(text="x"), key="vtr_secret", base_url="http://shop.example.com/find/")
    assert request.headers["authorization"] == "Bearer vtr_secret"
    assert str(request.url) == "http://shop.example.com/find/v1/search"
    assert "secret" not in repr(Vitrine(key="vtr_secret"))
    assert "authorization" not in sent(lambda vitrine: vitrine.search(text="x")).headers
    for wrong in ({"key": "a\nb"}, {"key": "schlüssel"}, {"base_url": "127.0.0.1:8000"}, {"base_url": "file:///etc"}):
        with pytest.raises(ValueError, match="must"):
            Vitrine(**wrong)  # type: ignore[arg-type]


def test_result_has_known_fields_and_the_shops_own() -> None:
    result = {"product_id": "p1", "score": 1, "image_url": "u", "title": "Boot", "price": 5, "material": "wool"}
    own = {**result, "attributes": 7, "explain": "why not", "attributes_trimmed": "no"}
    answer = read_answer(msgspec.json.encode({**FOUND, "results": [result, own], "news": 1}))
    first, second = answer.results
    assert (first.product_id, first.title, first.price, first.brand) == ("p1", "Boot", 5.0, None)
    assert first.attributes == {"material": "wool"}
    assert second.attributes == {
        "material": "wool", "attributes": 7, "explain": "why not", "attributes_trimmed": "no"
    }  # fmt: skip
    assert second.explain is None
    assert second.attributes_trimmed is False
    (entry, failed) = read_batch(
        msgspec.json.encode(
            {"answers": [{"answer": {**FOUND, "results": [result]}}, {"error": {"reason": "x", "detail": "y"}}]}
        )
    )
    assert entry.answer is not None
    assert entry.answer.results[0].attributes == {"material": "wool"}
    assert failed.answer is None
    assert failed.error is not None


def test_answer_is_frozen() -> None:
    answer = read_answer(msgspec.json.encode(FOUND))
    with pytest.raises(AttributeError):
        answer.partial = True  # type: ignore[misc]


def test_pages_follow_the_cursor_until_there_is_none() -> None:
    bodies: list[Any] = []

    def answers(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        cursor = f"c{len(bodies)}" if len(bodies) < 3 else None
        return httpx.Response(200, json={**FOUND, "cursor": cursor, "pending_images": len(bodies)})

    with Vitrine(transport=httpx.MockTransport(answers)) as vitrine:
        pages = vitrine.pages(text="x", limit=2, offset=4)
        assert not bodies, "a page is asked for when it is wanted"
        assert [page.pending_images for page in pages] == [1, 2, 3]
    assert bodies == [
        {"text": "x", "limit": 2, "offset": 4},
        {"text": "x", "limit": 2, "cursor": "c1"},
        {"text": "x", "limit": 2, "cursor": "c2"},
    ]


def methods(kind: type) -> dict[str, inspect.Signature]:
    public = {name: value for name, value in vars(kind).items() if not name.startswith("_") and callable(value)}
    return {name: inspect.signature(value) for name, value in public.items() if name not in ("send", "close", "aclose")}


def test_both_clients_have_the_same_methods_documented() -> None:
    assert methods(Vitrine) == methods(AsyncVitrine)
    assert {"search", "pages", "similar", "erase"} <= methods(Vitrine).keys()
    for kind in (Vitrine, AsyncVitrine):
        assert all(getattr(kind, name).__doc__ for name in methods(kind))
        assert all(next(iter(signature.parameters)) == "self" for signature in methods(kind).values())


def test_answer_as_it_came_has_no_structs() -> None:
    with Vitrine(transport=httpx.MockTransport(lambda _request: httpx.Response(200, json=FOUND))) as vitrine:
        assert vitrine.send(calls.search(text="x").as_it_came()) == FOUND
        assert isinstance(vitrine.search(text="x"), Answer)

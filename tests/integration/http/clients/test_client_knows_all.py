"""The client beside the server's own description: nothing of it is unknown to the client."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import httpx
import msgspec
import pytest

import vitrine_client as sdk

pytestmark = pytest.mark.anyio
METHODS = {
    ("POST", "/v1/search"): ("search", "pages"),
    ("POST", "/v1/search/image"): ("search_image",),
    ("POST", "/v1/search/items"): ("search_items",),
    ("POST", "/v1/search/vector"): ("search_vector",),
    ("GET", "/v1/search/text"): ("search_text",),
    ("POST", "/v1/search/batch"): ("batch",),
    ("GET", "/v1/suggest"): ("suggest",),
    ("GET", "/v1/products/{product_id}/similar"): ("similar",),
    ("GET", "/v1/products/{product_id}/status"): ("status",),
    ("POST", "/v1/products/{product_id}/erase"): ("erase",),
    ("POST", "/v1/clicks"): ("click",),
    ("GET", "/v1/index"): ("index",),
    ("GET", "/readyz"): ("ready",),
}
WITHOUT_METHOD = {
    ("POST", "/v1/search/hybrid"): "the photo's route by another name",
    ("GET", "/v1/picture"): "for browsers, which open no file URLs",
    ("GET", "/v1/examples"): "of the page",
    ("GET", "/v1/examples/{number}/photo"): "of the page",
    ("GET", "/healthz"): "for who starts and stops processes",
    ("GET", "/metrics"): "for Prometheus",
    ("GET", "/v1/report"): "for whoever runs the shop, who has vitrine report and the page",
}
BODIES = {  # property of what goes beside the URL -> argument
    ("POST", "/v1/search/image"): {"image": "photos", "text": "text"},
    ("POST", "/v1/search/items"): {"image": "photo", "text": "text"},
    ("POST", "/v1/search/vector"): {"vector": "vector", "limit": "limit"},
    ("POST", "/v1/search/batch"): {"queries": "queries"},
    ("POST", "/v1/clicks"): {name: name for name in ("search_id", "product_id", "position", "kind")},
}
ASKED = {
    "ImageAsked": sdk.WeightedImage,
    "VectorAsked": sdk.WeightedVector,
    "ProductAsked": sdk.WeightedProduct,
    "FacetAsked": sdk.Facet,
    "Weights": sdk.Weights,
    "Measure": sdk.Measure,
}
ANSWERED = {"SearchAnswer": sdk.Answer} | {
    name: getattr(sdk, name)
    for name in (
        "CategoryTold", "PhotoSeen", "ItemSeen",
        "Result", "AlsoAt", "MergedHow", "Explain", "ListPart", "MeasurePart", "LearnedScore", "Shown", "TookMs",
        "FacetAnswer", "FacetValue", "FacetBucket", "SearchedHow", "BatchEntry", "ErrorBody", "Suggestion",
        "ProductReceipt", "ReplicaReceipt", "ImageReceipt", "ClicksAccepted", "ErasureAccepted", "IndexStatus",
        "SearcherStatus", "GenerationStatus", "Readiness",
    )
}  # fmt: skip
WRAPPED = {
    "QuestionBody": "the arguments of search",
    "DiversityAsked": "two of them",
    "VectorQuery": "the arguments of search_vector",
    "ClickAsked": "the arguments of click",
    "BatchAnswer": "a list",
    "Suggestions": "a list",
    "ErrorAnswer": "an error",
    "ExamplesAnswer": "of the page",
    "Example": "of the page",
    "ReportAnswer": "of the operator's page",
    "DayReport": "of the operator's page",
    "WordsCount": "of the operator's page",
    "HTTPValidationError": "FastAPI's, which the blender words itself",
    "ValidationError": "FastAPI's, which the blender words itself",
}


@pytest.fixture
async def document(server: httpx.AsyncClient) -> Any:
    return (await server.get("/openapi.json")).json()


def arguments(method: str) -> set[str]:
    return inspect.signature(getattr(sdk.Vitrine, method)).parameters.keys() - {"self"}


def properties(document: Any, component: str) -> set[str]:
    return set(document["components"]["schemas"][component]["properties"])


async def test_every_route_for_clients_has_a_method(document: Any) -> None:
    routes = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert routes == METHODS.keys() | WITHOUT_METHOD.keys()
    public = {name for name, value in vars(sdk.Vitrine).items() if not name.startswith("_") and callable(value)}
    assert public - {"send", "close"} == {name for names in METHODS.values() for name in names}


async def test_every_parameter_and_property_of_a_question_is_an_argument(document: Any) -> None:
    for (method, path), names in METHODS.items():
        route = document["paths"][path][method.lower()]
        taken = {each["name"] for each in route.get("parameters", ())}
        taken = {"text" if each == "q" and path == "/v1/search/text" else each for each in taken}
        taken |= set(BODIES.get((method, path), {}).values())
        if path == "/v1/search":
            taken = properties(document, "QuestionBody") - {"diversity"} | properties(document, "DiversityAsked")
        for name in names:
            assert arguments(name) == taken, f"{name}, {path}"
    vector = document["paths"]["/v1/search/vector"]["post"]["requestBody"]["content"]
    assert vector.keys() == {"application/json", "application/octet-stream"}
    assert properties(document, "VectorQuery") == BODIES["POST", "/v1/search/vector"].keys()
    form = document["paths"]["/v1/search/image"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"].keys() == BODIES["POST", "/v1/search/image"].keys()


async def test_every_part_of_a_question_has_its_properties(document: Any) -> None:
    for component, asked in ASKED.items():
        assert properties(document, component) == get_type_hints(asked).keys(), component
    question = get_type_hints(sdk.Question)
    for name in ("match", "fusion"):
        values = set(document["components"]["schemas"]["QuestionBody"]["properties"][name]["enum"])
        assert values == {value for part in question[name].__args__ for value in getattr(part, "__args__", ())}


async def test_every_property_of_an_answer_is_a_field(document: Any) -> None:
    for component, answered in ANSWERED.items():
        ours = set(answered.__struct_fields__) - ({"attributes"} if answered is sdk.Result else set())
        assert properties(document, component) == ours, component
    assert properties(document, "BatchAnswer") == {"answers"}
    assert properties(document, "Suggestions") == {"suggestions"}
    assert properties(document, "ErrorAnswer") == {"error"}


async def test_every_part_of_the_description_is_known(document: Any) -> None:
    assert document["components"]["schemas"].keys() <= ASKED.keys() | ANSWERED.keys() | WRAPPED.keys()
    for component, answered in ANSWERED.items():
        required = set(document["components"]["schemas"][component].get("required", ()))
        strict = {field.name for field in msgspec.structs.fields(answered) if field.required}
        assert strict <= required, f"{component}: what the server may leave out has a default"

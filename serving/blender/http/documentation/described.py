"""What the documentation says of the searching routes: their forms and parameters."""

from __future__ import annotations

from typing import Any

from schemas.events.event import MAX_PRODUCT_ID_BYTES
from schemas.query.body import MAX_LIMIT, QuestionBody
from schemas.query.parameters import PARAMETERS, PHOTO_PARAMETERS
from serving.blender.http.documentation.documented import refers_to
from serving.blender.http.uploads import VectorQuery

MAX_QUERIES = 64
"""Questions of one batch."""

OF_PHOTOS = ("/v1/search/image", "/v1/search/hybrid")
"""Routes that take photos, and words beside them."""
OF_ITEMS = "/v1/search/items"

_PHOTO = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or GIF; up to 8 fields of this name"}
PHOTO_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "properties": {"image": _PHOTO, "text": {"type": "string", "maxLength": 2000, "description": "Words beside it."}},
}
VECTOR_FORMS: dict[str, dict[str, Any]] = {
    "application/json": refers_to(VectorQuery),
    "application/octet-stream": {"type": "string", "format": "binary", "description": "float32, LE"},
}
BATCH_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["queries"],
    "additionalProperties": False,
    "properties": {
        "queries": {"type": "array", "minItems": 1, "maxItems": MAX_QUERIES, "items": refers_to(QuestionBody)}
    },
}

_TEXT = {"type": "string"}
_SCHEMAS: dict[str, tuple[dict[str, Any], str]] = {
    "limit": ({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 10}, "Products wanted, at most."),
    "offset": ({"type": "integer", "minimum": 0, "maximum": 1000, "default": 0}, "Products passed by."),
    "cursor": (_TEXT, "Of the page before."),
    "generation": ({"type": "string", "maxLength": 64}, "A full index by name; without: the one that serves."),
    "q": ({"type": "string", "maxLength": 2000}, "Words."),
    "text": ({"type": "string", "maxLength": 2000}, "Words beside what is searched with."),
    "match": ({"type": "string", "enum": ["auto", "all", "any"]}, "How many of the words a product needs."),
    "filter": (_TEXT, "category:shoes;price:10..50;-brand:Acme, or JSON."),
    "facets": (_TEXT, "!brand;category;price:20,50,100"),
    "rank": (_TEXT, "A rank profile by name."),
    "sort": (_TEXT, "A numeric field, - before it for descending."),
    "max_per": (_TEXT, "brand:2"),
    "mmr": ({"type": "number", "minimum": 0, "maximum": 1}, "Lambda of maximal marginal relevance."),
    "doubles": ({"type": "string", "enum": ["merge", "show"]}, "Whether products that show one picture are merged."),
    "min_score": ({"type": "number"}, "Least score."),
    "look": (_TEXT, "What parts of the look count: shape:0.5;colour:2."),
    "explain": ({"type": "boolean"}, "How scores came about."),
    "box": (_TEXT, "0.1,0.2,0.5,0.9: what of the photo to search by, as parts of its width and height, upright."),
    "items": ({"type": "boolean"}, "Where in the photos items were found."),
}


def described(name: str) -> dict[str, Any]:
    """A parameter of the URL."""
    schema, description = _SCHEMAS[name]
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def parameters_of(path: str) -> list[dict[str, Any]]:
    """All that a route takes."""
    if path == "/v1/search":
        return []
    named = [name for name in PARAMETERS if name != ("text" if path.endswith("/text") else "q")]
    if path in OF_PHOTOS:
        named += PHOTO_PARAMETERS
    told = [described(name) for name in named]
    if "{" in path:
        told.append(
            {
                "name": "product_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_PRODUCT_ID_BYTES},
            }
        )
    return told

"""The JSON body of POST /v1/search as clients write it: one definition for decoding and for OpenAPI.

What holds for a single value (types, ranges, lengths) is said here; what
depends on others and on the index's fields is checked in `schemas.query.question`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.errors import RejectedError
from schemas.query.rank import INVALID_QUESTION, Measure

MALFORMED_BODY = "malformed_body"

MAX_IMAGES = 8
MAX_VECTORS = 8
MAX_PRODUCTS = 16
MAX_TEXT = 2000
MAX_FACETS = 16
MAX_RANGES = 64
MAX_OFFSET = 1000
MAX_LIMIT = 100
DEFAULT_LIMIT = 10
DEFAULT_FACET_LIMIT = 10

ExampleWeight = Annotated[float, Meta(ge=-100, le=100, description="Below 0: less like this.")]
ListWeight = Annotated[float, Meta(ge=0, le=100)]
Part = Annotated[float, Meta(ge=0, le=1)]
Doubles = Literal["merge", "show"]


class ImageAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A photo to look like. `data`: the file's bytes, in base64 as JSON has no other way.

    `box`: what in it to look like, [x0, y0, x1, y1] as parts of its width and height, upright; null: as
    `QuestionBody.items` says.
    """

    data: bytes
    weight: ExampleWeight = 1.0
    box: tuple[Part, Part, Part, Part] | None = None


class VectorAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vector of the index's extractor to be near to."""

    vector: Annotated[tuple[float, ...], Meta(min_length=1)]
    weight: ExampleWeight = 1.0


class ProductAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product of the index to look like."""

    id: Annotated[str, Meta(min_length=1)]
    weight: ExampleWeight = 1.0


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much likeness and words count against each other, where a question has both.

    `meaning`: what words look like, where no product has all of them; 0: not asked for.
    """

    look: ListWeight = 1.0
    words: ListWeight = 1.0
    meaning: ListWeight = 1.0


class FacetAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field to count products by. `ranges`: bounds between which numbers and times are counted, ascending.

    `exclude_own`: without the filter's own conditions on the field, so that what else could be chosen is counted.
    """

    field: str
    ranges: Annotated[tuple[float | str, ...], Meta(max_length=MAX_RANGES)] = ()
    limit: Annotated[int, Meta(ge=1, le=256)] = DEFAULT_FACET_LIMIT
    exclude_own: bool = False


class DiversityAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What keeps a page from being all alike.

    `max_per`: products of one value of a field that a page has at most. `mmr`:
    lambda of maximal marginal relevance; 1 looks at relevance alone, 0 at
    difference alone.
    """

    max_per: dict[str, Annotated[int, Meta(ge=1, le=100)]] = {}
    mmr: Annotated[float, Meta(ge=0, le=1)] | None = None


class QuestionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked. One of images, vectors, products, text and filter must be there.

    `match`: auto asks for all words, and for any where no product has all.
    `look`: what parts of the look count beside what they do (1), such as
    {"colour": 2, "texture": 0.5}. `doubles`: whether products that show one
    picture are merged into the best of them; null: as the shop has set it.
    `min_score`: least relevance, before measures are added. `sort`: a numeric
    field, with - before it for the greatest first. `cursor`: of the page
    before; `offset`: products passed by. `items`: the answer says where in the
    photos items were found. See docs/search.md.
    """

    images: Annotated[tuple[ImageAsked | bytes, ...], Meta(max_length=MAX_IMAGES)] = ()
    vectors: Annotated[
        tuple[VectorAsked | Annotated[tuple[float, ...], Meta(min_length=1)], ...], Meta(max_length=MAX_VECTORS)
    ] = ()
    products: Annotated[
        tuple[ProductAsked | Annotated[str, Meta(min_length=1)], ...], Meta(max_length=MAX_PRODUCTS)
    ] = ()
    text: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    match: Literal["auto", "all", "any"] = "auto"
    weights: Weights = Weights()
    look: dict[str, ListWeight] = {}
    fusion: Literal["rrf", "linear"] = "rrf"
    filter: dict[str, Any] | None = None
    facets: Annotated[tuple[FacetAsked | str, ...], Meta(max_length=MAX_FACETS)] = ()
    rank: str | dict[str, float | str | Measure] = ""
    sort: str = ""
    diversity: DiversityAsked = DiversityAsked()
    doubles: Doubles | None = None
    min_score: float | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] = 0
    cursor: str = ""
    items: bool = False
    explain: bool = False
    generation: Annotated[str, Meta(max_length=64)] = ""


_REMEDIES = {
    "images": f'up to {MAX_IMAGES}, each {{"data": "<base64>", "weight": 1, "box": [x0, y0, x1, y1]}} or the base64 '
    "text alone; a box has four numbers from 0 to 1",
    "vectors": f'up to {MAX_VECTORS}, each {{"vector": [numbers], "weight": 1}} or the list of numbers alone',
    "products": f'up to {MAX_PRODUCTS}, each {{"id": "p1", "weight": 1}} or the id alone',
    "text": f"a text of up to {MAX_TEXT} characters",
    "match": "auto, all or any",
    "weights": '{"look": 1, "words": 1, "meaning": 1}, each from 0 to 100',
    "look": '{"shape": 1, "texture": 0.5, "colour": 2}, each from 0 to 100',
    "fusion": "rrf or linear",
    "filter": 'an object such as {"brand": "Strider"}',
    "facets": f'up to {MAX_FACETS}, each a field or {{"field": "price", "ranges": [20, 50], "limit": 10, '
    f'"exclude_own": true}}; up to {MAX_RANGES} ranges, limit from 1 to 256',
    "rank": 'a profile\'s name, or {"relevance": 1, "sales": {"weight": 0.3, "half": 500}}',
    "sort": "a numeric field, with - before it for the greatest first",
    "diversity": '{"max_per": {"brand": 2}, "mmr": 0.7}; max_per from 1 to 100, mmr from 0 to 1',
    "doubles": "merge or show; left out, it is as the setting doubles says",
    "min_score": "a number",
    "limit": f"a whole number from 1 to {MAX_LIMIT}",
    "offset": f"a whole number from 0 to {MAX_OFFSET}; use the cursor to go deeper",
    "cursor": "the text of the page before",
    "items": "true or false",
    "explain": "true or false",
    "generation": "a name of those in /v1/index",
}

_decoder = msgspec.json.Decoder(QuestionBody)


def decode_body(data: bytes) -> QuestionBody:
    """The body as it was sent. Raises `RejectedError`: `malformed_body` (no JSON) or `invalid_question`."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _worded(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError(MALFORMED_BODY, f"not JSON: {error}; send an object as /docs describes it") from error


def body_from(values: dict[str, Any]) -> QuestionBody:
    """The body that a URL's parameters say, numbers and booleans as texts. Raises `RejectedError` as `decode_body`."""
    try:
        return msgspec.convert(values, QuestionBody, strict=False)
    except msgspec.ValidationError as error:
        raise _worded(error) from error


def invalid(where: str, problem: str) -> RejectedError:
    """The error for a question that cannot be answered; `problem` says what to do."""
    return RejectedError(INVALID_QUESTION, f"{where}: {problem}")


def _worded(error: msgspec.ValidationError) -> RejectedError:
    """From "Expected `int` <= 100 - at `$.limit`": which field, what is wrong, and what may be there."""
    problem, _, path = str(error).partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    name = where.partition(".")[0].partition("[")[0]
    remedy = _REMEDIES.get(name) or f"there are {', '.join(_REMEDIES)}"
    # The problem may cite a name or a value of any length.
    return invalid(where or "question", f"{problem[:200]}; {remedy}")

"""Questions as a program writes them: the keyword arguments of the methods, and how they go over the wire.

The names and forms are those of docs/search.md, in JSON (`Question`) and in a URL (`Options`), but for what Python has
better: photos and vectors as they are, `max_per` and `mmr` without an object around them. None is as good as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from vitrine_client.examples import Array, Photo, Vector, numbers, photo_bytes

Filter = Mapping[str, Any]
"""`{"category": "shoes", "price": {"gte": 10}}`: see "Filters" in docs/search.md."""


Box = Sequence[float]
"""x0, y0, x1, y1: a part of a photo, each number a part of its width or height, from 0 to 1."""


class WeightedImage(TypedDict):
    """A photo to look like; of a weight below 0, not to look like. `box`: what of it."""

    data: Photo
    weight: NotRequired[float]
    box: NotRequired[Box | None]


class WeightedVector(TypedDict):
    """A vector to be near to; of a weight below 0, to be far from."""

    vector: Vector
    weight: NotRequired[float]


class WeightedProduct(TypedDict):
    """A product to be like; of a weight below 0, not to be like."""

    id: str
    weight: NotRequired[float]


class Weights(TypedDict, total=False):
    """How much likeness and words count against each other; `meaning`: what words look like, where none has all."""

    look: float
    words: float
    meaning: float


class Facet(TypedDict):
    """A field to count products by. `ranges`: bounds, ascending; `limit`: values that are counted, at most.

    `exclude_own`: as if the filter said nothing of the field, so that what else could be chosen is counted.
    """

    field: str
    ranges: NotRequired[Sequence[float | str]]
    limit: NotRequired[int]
    exclude_own: NotRequired[bool]


class Measure(TypedDict):
    """What a field adds to a score: `weight` times its value in 0..1; `half`: the value that counts half."""

    weight: float
    half: NotRequired[float]


class _Common(TypedDict, total=False):
    limit: int | None
    offset: int | None
    cursor: str | None
    generation: str | None
    match: Literal["auto", "all", "any"] | None
    sort: str | None
    max_per: Mapping[str, int] | None
    mmr: float | None
    doubles: Literal["merge", "show"] | None
    min_score: float | None
    look: Mapping[str, float] | None
    explain: bool | None


class Options(_Common, total=False):
    """Options of every search.

    `limit`: products wanted; `offset`: products passed by; `cursor`: of the page before; `generation`: a full index by
    name. `match`: how many of the words a product needs. `filter`: as JSON has it, or in the short form
    ("brand:Acme;price:10..50"). `facets`: "brand", "price:20,50", "!brand" (as `exclude_own`) or a `Facet` without
    `limit`. `rank`: a profile by name; `sort`: a numeric field, - before it for the greatest first. `max_per`: products
    of one value of a field ({"brand": 2}); `mmr`: 0, as different as can be, to 1. `doubles`: whether products that
    show one picture are merged into the best of them; without, as the shop has set it. `min_score`: least relevance;
    `look`: what parts of it count ({"colour": 2, "texture": 0.5}); `explain`: how scores came about.
    """

    filter: Filter | str | None
    facets: Sequence[str | Facet] | None
    rank: str | None


class TextOptions(Options, total=False):
    """Options of a search that takes words beside what it searches with: `text`."""

    text: str | None


class PhotoOptions(TextOptions, total=False):
    """Options of a search by photos: `box`, what of the only one to search by; `items`: the answer says what there is
    in them."""

    box: Box | None
    items: bool | None


class Question(_Common, total=False):
    """All that can be asked together; one of images, vectors, products, text and filter must be there.

    `images`, `vectors`, `products`: what to look like, each plain or with a weight, added up; a negative weight leads
    away. `items`: the answer says what there is in the images. `text`: words; `match`: how many of them a product
    needs. `weights`: what look and words count; `fusion`: how they are put together. `filter`: {"category": "shoes",
    "price": {"gte": 10}}. `facets`: fields to count by. `rank`:
    a profile by name, or one of its own ({"relevance": 1, "sales": {"weight": 0.3, "half": 500}}). The others are as
    `Options` has them.
    """

    images: Sequence[Photo | WeightedImage] | None
    vectors: Sequence[Vector | WeightedVector] | None
    products: Sequence[str | WeightedProduct] | None
    items: bool | None
    text: str | None
    weights: Weights | None
    fusion: Literal["rrf", "linear"] | None
    filter: Filter | None
    facets: Sequence[str | Facet] | None
    rank: str | Mapping[str, float | Measure] | None


def in_json(value: Any) -> bytes:
    """Bytes become base64, what numpy has becomes Python's. Raises `TypeError` for what JSON cannot say."""
    return msgspec.json.encode(value, enc_hook=_plain)


def body_of(question: Question) -> dict[str, Any]:
    """The object that POST /v1/search takes. Raises `TypeError`, `ValueError` or `OSError` for what cannot be one."""
    body = _given(question, Question)
    diversity = {name: body.pop(name) for name in ("max_per", "mmr") if name in body}
    if diversity:
        body["diversity"] = diversity
    for name, put in _EXAMPLES.items():
        if name in body:
            body[name] = [put(each) for each in _several(name, body[name])]
    if "facets" in body:
        body["facets"] = list(_several("facets", body["facets"]))
    return body


def parameters_of(options: Options | TextOptions | PhotoOptions) -> dict[str, str]:
    """The query parameters of the other routes, limit and generation first. Raises as `body_of`."""
    given = _given(options, PhotoOptions)
    return {name: _in_url(name, given[name]) for name in _IN_URL if name in given}


_IN_URL = (
    *("limit", "generation", "offset", "cursor", "text", "match", "filter", "facets"),
    *("rank", "sort", "max_per", "mmr", "doubles", "min_score", "look", "box", "items", "explain"),
)


def _given(asked: Mapping[str, Any], known: type) -> dict[str, Any]:
    unknown = asked.keys() - known.__annotations__.keys()
    if unknown:
        there = ", ".join(sorted(known.__annotations__))
        raise TypeError(f"there is no option {', '.join(sorted(unknown))}; there are {there}")
    return {name: value for name, value in asked.items() if value is not None}


def _several(name: str, values: Any) -> Iterable[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is a list, not {type(values).__name__}")
    return values


def _image(asked: Photo | WeightedImage) -> Any:
    if isinstance(asked, Mapping):
        return {**asked, "data": photo_bytes(asked["data"])}
    return photo_bytes(asked)


def _vector(asked: Vector | WeightedVector) -> Any:
    if isinstance(asked, Mapping):
        return {**asked, "vector": numbers(asked["vector"])}
    return numbers(asked)


def _product(asked: str | WeightedProduct) -> Any:
    return asked


_EXAMPLES: Mapping[str, Callable[[Any], Any]] = {"images": _image, "vectors": _vector, "products": _product}


def _in_url(name: str, value: Any) -> str:
    match name:
        case "filter" if isinstance(value, Mapping):
            return in_json(value).decode()
        case "facets":
            return ";".join(_short_facet(each) for each in _several(name, value))
        case "max_per" | "look":
            return ";".join(f"{field}:{most}" for field, most in value.items())
        case "box":
            return ",".join(str(float(each)) for each in _several(name, value))
        case "explain" | "items":
            return "true" if value else "false"
    return str(value)


def _short_facet(facet: str | Facet) -> str:
    if isinstance(facet, str):
        return facet
    if "limit" in facet:
        raise ValueError(f"facet {facet['field']}: only search, pages and batch take the limit of a facet")
    ranges = ",".join(str(each) for each in facet.get("ranges", ()))
    field = "!" * bool(facet.get("exclude_own")) + facet["field"]
    return f"{field}:{ranges}" if ranges else field


def _plain(value: Any) -> Any:
    if isinstance(value, Array):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be asked with")

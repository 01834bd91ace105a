"""Questions: everything that a client may ask of a search, checked once, whichever way it came.

`decode_question` reads the body of POST /v1/search, `question_from_parameters`
the query parameters of the other routes; both give the same `Question`, which
nobody needs to check again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Literal

import msgspec

from schemas.events.event import MAX_PRODUCT_ID_BYTES
from schemas.query.body import (
    DEFAULT_LIMIT,
    DiversityAsked,
    Doubles,
    FacetAsked,
    ImageAsked,
    ProductAsked,
    QuestionBody,
    VectorAsked,
    Weights,
    decode_body,
    invalid,
)
from schemas.query.facets import FacetWanted
from schemas.query.fields import Field, FieldKind, Fields, figure_of
from schemas.query.filters import Filter, encode_filter, parse_filter
from schemas.query.parameters import box_of, read_parameters
from schemas.query.rank import Measure, RankProfile, checked_profile

DIGEST_BYTES = 8
_PROFILE = "profile"


class Facet(msgspec.Struct, frozen=True):
    """A field to count by, and how many of its values, the most frequent ones, are shown."""

    wanted: FacetWanted
    limit: int


class Sort(msgspec.Struct, frozen=True):
    """The numeric field that products are put in the order of, instead of by their score."""

    field: Field
    descending: bool


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, checked; the meaning of each is in `schemas.query.body`.

    `text` is without blanks around it, "" where no words are asked for.
    `filter`: None where there is none. `rank`: None for relevance alone.
    `max_per`: fields and how many products of one of their values a page has at
    most. `mmr`: None where it does not matter how alike products are. `doubles`:
    None where the shop's setting says whether they are merged.
    """

    images: tuple[ImageAsked, ...] = ()
    vectors: tuple[VectorAsked, ...] = ()
    products: tuple[ProductAsked, ...] = ()
    text: str = ""
    match: Literal["auto", "all", "any"] = "auto"
    weights: Weights = Weights()
    look: dict[str, float] = {}
    fusion: Literal["rrf", "linear"] = "rrf"
    filter: Filter | None = None
    facets: tuple[Facet, ...] = ()
    rank: RankProfile | None = None
    sort: Sort | None = None
    max_per: tuple[tuple[Field, int], ...] = ()
    mmr: float | None = None
    doubles: Doubles | None = None
    min_score: float | None = None
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str = ""
    items: bool = False
    explain: bool = False
    generation: str = ""

    @property
    def has_examples(self) -> bool:
        """It names something to look like."""
        return bool(self.images or self.vectors or self.products)

    def digest(self, *also: bytes) -> bytes:
        """8 bytes, equal for questions whose pages continue each other, whatever their limit and facets are.

        `also`: what a route asks besides, such as the photo of a form or the product that is in its path.
        """
        images = [(blake2b(each.data).digest(), each.weight, each.box) for each in self.images]
        examples = [images, self.vectors, self.products, *([self.items] if self.items else ())]
        words = [self.text, self.match, self.weights, self.fusion]
        choice = [encode_filter(self.filter), self.min_score, *([sorted(self.look.items())] if self.look else [])]
        order = [self.rank, self.sort, self.max_per, self.mmr, *([self.doubles] if self.doubles else ())]
        return blake2b(
            msgspec.msgpack.encode([examples, words, choice, order, also]), digest_size=DIGEST_BYTES
        ).digest()


def decode_question(body: bytes, fields: Fields, profiles: Mapping[str, RankProfile]) -> Question:
    """The question in the body of POST /v1/search. `profiles`: rank profiles that it may name.

    Raises `RejectedError`: `malformed_body` (no JSON), `invalid_filter`, or `invalid_question` for everything
    else; each says where and what to send instead.
    """
    decoded = decode_body(body)
    tree = None if decoded.filter is None else parse_filter(decoded.filter, fields)
    question = _checked(decoded, tree, fields, profiles)
    require_something(question)
    return question


def question_from_parameters(
    parameters: Sequence[tuple[str, str]], fields: Fields, profiles: Mapping[str, RankProfile]
) -> Question:
    """The question in a URL's query parameters, as names and values. Raises as `decode_question` does.

    It may ask for nothing: what is searched with is the route's (a photo, a vector, a product). A route that has
    nothing of its own asks `require_something`.
    """
    body, tree = read_parameters(parameters, fields)
    return _checked(body, tree, fields, profiles)


def require_something(question: Question) -> None:
    """Raises `RejectedError('invalid_question', ...)` for a question that neither searches nor filters."""
    if not (question.has_examples or question.text or question.filter is not None):
        raise invalid("question", "asks for nothing; one of images, vectors, products, text and filter is needed")


def _checked(body: QuestionBody, tree: Filter | None, fields: Fields, profiles: Mapping[str, RankProfile]) -> Question:
    if body.cursor and body.offset:
        raise invalid("offset", "goes not with a cursor, which knows what was shown; leave one of them out")
    if body.min_score is not None and not math.isfinite(body.min_score):
        raise invalid("min_score", f"a finite number is wanted, found {body.min_score}")
    if not body.weights.look and not body.weights.words:
        raise invalid("weights", "look and words are both 0, so that nothing counts; one must be above 0")
    images = tuple(each if isinstance(each, ImageAsked) else ImageAsked(each) for each in body.images)
    vectors = tuple(each if isinstance(each, VectorAsked) else VectorAsked(each) for each in body.vectors)
    products = tuple(each if isinstance(each, ProductAsked) else ProductAsked(each) for each in body.products)
    _check_examples(images, vectors, products)
    sort = _sort(body.sort, fields)
    mmr = body.diversity.mmr
    if sort is not None and mmr is not None:
        raise invalid("diversity.mmr", "chooses by relevance and goes not with sort; leave one of them out")
    return Question(
        images=images,
        vectors=vectors,
        products=products,
        text=_typed(body.text),
        match=body.match,
        weights=body.weights,
        look=body.look,
        fusion=body.fusion,
        filter=tree,
        facets=_facets(body.facets, fields),
        rank=_rank(body.rank, fields, profiles),
        sort=sort,
        max_per=_max_per(body.diversity, fields),
        mmr=mmr,
        doubles=body.doubles,
        min_score=body.min_score,
        limit=body.limit,
        offset=body.offset,
        cursor=body.cursor,
        items=body.items,
        explain=body.explain,
        generation=body.generation,
    )


def _typed(text: str) -> str:
    """Without the space around it, but for one behind it: that says that the last word is whole."""
    words = text.strip()
    return f"{words} " if words and text[-1].isspace() else words


def _check_examples(
    images: tuple[ImageAsked, ...], vectors: tuple[VectorAsked, ...], products: tuple[ProductAsked, ...]
) -> None:
    for i, image in enumerate(images):
        if not image.data:
            raise invalid(f"images[{i}]", "has no bytes; choose the photo again")
        if image.box is not None:
            box_of(image.box, f"images[{i}].box")
    for i, product in enumerate(products):
        size = len(product.id.encode(errors="replace"))
        if size > MAX_PRODUCT_ID_BYTES:
            raise invalid(f"products[{i}]", f"an id of {size} bytes; ids have up to {MAX_PRODUCT_ID_BYTES}")
    weights = [*(each.weight for each in images), *(each.weight for each in vectors)]
    weights += [each.weight for each in products]
    if weights and max(weights) <= 0:
        raise invalid("weight", "no image, vector or product has one above 0: say also what is to be looked for")


def _field(name: str, fields: Fields, where: str, wanted: str, *kinds: FieldKind) -> Field:
    """The field of that name and of one of these kinds (none: of any)."""
    field = fields.get(name)
    if field is None or (kinds and field.kind not in kinds):
        problem = f"there is no field {name[:80]!r}" if field is None else f"{name} is a {field.kind}"
        raise invalid(where, f"{problem}; {wanted}: {', '.join(fields.names(*kinds))}")
    return field


def _sort(text: str, fields: Fields) -> Sort | None:
    if not text:
        return None
    name = text.removeprefix("-")
    field = _field(name, fields, "sort", "sorted is by one of", FieldKind.NUMBER, FieldKind.TIME)
    return Sort(field, descending=text != name)


def _rank(
    wanted: str | dict[str, float | str | Measure], fields: Fields, profiles: Mapping[str, RankProfile]
) -> RankProfile | None:
    if not wanted:
        return None
    if isinstance(wanted, dict) and isinstance(wanted.get(_PROFILE), str) and len(wanted) > 1:
        raise invalid("rank", "a profile has its own weights; name it alone, or write out all weights")
    name = wanted if isinstance(wanted, str) else wanted.get(_PROFILE)
    if isinstance(name, str):
        if name not in profiles:
            there = ", ".join(sorted(profiles)) or "none; the setting rank_profiles declares them"
            raise invalid("rank", f"there is no profile {name[:80]!r}; there are: {there}")
        return profiles[name]
    table: dict[str, float | Measure] = {}
    for field, measure in wanted.items() if isinstance(wanted, dict) else ():
        if isinstance(measure, str):
            raise invalid(f"rank.{field[:80]}", 'a weight or {"weight": 0.3, "half": 500} is wanted, found a text')
        table[field] = measure
    return checked_profile(table, fields)


def _max_per(diversity: DiversityAsked, fields: Fields) -> tuple[tuple[Field, int], ...]:
    kinds = (FieldKind.KEYWORD, FieldKind.PATH)
    return tuple(
        (_field(name, fields, "diversity.max_per", "products are limited per value of", *kinds), most)
        for name, most in sorted(diversity.max_per.items())
    )


def _facets(wanted: tuple[FacetAsked | str, ...], fields: Fields) -> tuple[Facet, ...]:
    """A field that is named twice is counted once, as it is named last."""
    facets: dict[str, Facet] = {}
    for i, each in enumerate(wanted):
        asked = each if isinstance(each, FacetAsked) else FacetAsked(each)
        where = f"facets[{i}]"
        field = _field(asked.field, fields, where, "products are counted by")
        if asked.ranges and not field.kind.numeric:
            raise invalid(where, f"{field.name} is a {field.kind}; ranges are for numbers and times, leave them out")
        ranges = tuple(figure_of(field, bound) for bound in asked.ranges)
        if not all(math.isfinite(bound) for bound in ranges):
            raise invalid(f"{where}.ranges", f"{field.name} is a {field.kind}, which one of the bounds is not")
        if any(low >= high for low, high in pairwise(ranges)):
            raise invalid(f"{where}.ranges", "bounds must ascend, each once")
        facets[field.name] = Facet(FacetWanted(field.name, ranges, asked.exclude_own), asked.limit)
    return tuple(facets.values())

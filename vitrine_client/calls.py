"""Everything that can be asked, each as a function that makes a `Call`: what is sent, and how its answer is read.

The methods of `Vitrine` and `AsyncVitrine` are these functions, sent. Each raises `TypeError`, `ValueError` or
`OSError` for arguments that cannot be asked with, before anything is sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar, Unpack, get_args, get_type_hints
from urllib.parse import quote

import httpx
import msgspec

from vitrine_client.answers import (
    Answer,
    BatchEntry,
    ClicksAccepted,
    ErasureAccepted,
    IndexStatus,
    ProductReceipt,
    Readiness,
    Suggestion,
)
from vitrine_client.errors import UnexpectedAnswer
from vitrine_client.examples import Photo, Vector, float32, photo_bytes
from vitrine_client.questions import Options, PhotoOptions, Question, TextOptions, body_of, in_json, parameters_of
from vitrine_client.reading import read_answer, read_anything, read_batch, read_suggestions, reads
from vitrine_client.replies import Outcome, Reply, error_of

T = TypeVar("T")

Body = dict[str, Any] | bytes | tuple[bytes, ...] | None
"""An object for JSON, the float32 numbers of a vector, photos for a form, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A request that may be sent any number of times. `also`: a status beside those of success that has an answer."""

    method: str
    path: str
    read: Callable[[bytes], T]
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Body = None
    also: int | None = None

    def request(self, build: Callable[..., httpx.Request], timeout: httpx.Timeout) -> httpx.Request:
        """For either client of httpx, whose `build_request` is `build`."""
        sent: dict[str, Any] = {"params": self.parameters} if self.parameters else {}
        match self.body:
            case dict():
                sent |= {"content": in_json(self.body), "headers": {"Content-Type": "application/json"}}
            case bytes():
                sent |= {"content": self.body, "headers": {"Content-Type": "application/octet-stream"}}
            case tuple():
                sent |= {"files": [("image", ("photo", photo)) for photo in self.body]}
        return build(self.method, self.path, timeout=timeout, **sent)

    def answer(self, outcome: Outcome) -> T:
        """What the last try brought. Raises `VitrineClientError`."""
        if isinstance(outcome, Reply) and (outcome.succeeded or outcome.status == self.also):
            try:
                return self.read(outcome.body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                if outcome.succeeded:
                    detail = f"{self.method} {self.path}: {error}; found {outcome.text!r}"
                    raise UnexpectedAnswer("unreadable", detail, outcome.status) from error
        raise error_of(outcome) from (outcome if isinstance(outcome, Exception) else None)

    def following(self, cursor: str | None) -> Call[T] | None:
        """The same question for the page that a cursor is of; None: there is none."""
        if cursor is None or not isinstance(self.body, dict):
            return None
        body = {name: value for name, value in self.body.items() if name != "offset"}
        return replace(self, body={**body, "cursor": cursor})

    def as_it_came(self) -> Call[Any]:
        """The same call, answered with what JSON says, without structs."""
        return replace(self, read=read_anything)


def search(**question: Unpack[Question]) -> Call[Answer]:
    """Any question: photos, vectors, products and words together, filtered, counted and ranked. See `Question`."""
    return Call(method="POST", path="/v1/search", read=read_answer, body=body_of(question))


def search_image(*photos: Photo, **options: Unpack[PhotoOptions]) -> Call[Answer]:
    """Products that look like a photo, or like several together; with `text`, that fit both. See `Options`.

    `box`: only what is in it; `items`: the answer says what there is in the photos.
    """
    if not photos:
        raise TypeError("search_image takes a photo, or several")
    return Call(
        method="POST",
        path="/v1/search/image",
        read=read_answer,
        parameters=parameters_of(options),
        body=tuple(photo_bytes(photo) for photo in photos),
    )


def search_items(photo: Photo, **options: Unpack[TextOptions]) -> Call[list[BatchEntry]]:
    """Each item of a photo, the one that stands out most first: its box is in its answer's `photos`. See `Options`.

    A photo in which nothing stands out has one answer, to the whole of it.
    """
    return Call(
        method="POST",
        path="/v1/search/items",
        read=read_batch,
        parameters=parameters_of(options),
        body=(photo_bytes(photo),),
    )


def search_vector(vector: Vector, **options: Unpack[TextOptions]) -> Call[Answer]:
    """Products near a vector of the index's extractor, of whatever length but zero. See `Options`."""
    return Call(
        method="POST",
        path="/v1/search/vector",
        read=read_answer,
        parameters=parameters_of(options),
        body=float32(vector),
    )


def search_text(text: str = "", **options: Unpack[Options]) -> Call[Answer]:
    """Products by words; without any, all that pass the filter. See `Options`."""
    parameters = {**parameters_of(options), "q": text} if text else parameters_of(options)
    return Call(method="GET", path="/v1/search/text", read=read_answer, parameters=parameters)


def similar(product_id: str, **options: Unpack[TextOptions]) -> Call[Answer]:
    """Products that look like this one, itself left out. See `Options`."""
    path = f"{_product(product_id)}/similar"
    return Call(method="GET", path=path, read=read_answer, parameters=parameters_of(options))


def batch(queries: Sequence[Question]) -> Call[list[BatchEntry]]:
    """Up to 64 questions at once, each a dict of the arguments of `search`; one that fails does not fail the others."""
    body = {"queries": [body_of(query) for query in queries]}
    return Call(method="POST", path="/v1/search/batch", read=read_batch, body=body)


def suggest(q: str, *, limit: int | None = None) -> Call[list[Suggestion]]:
    """How a text that is being typed may go on: words, brands, categories and titles of products on sale."""
    parameters = {"q": q} if limit is None else {"q": q, "limit": str(limit)}
    return Call(method="GET", path="/v1/suggest", read=read_suggestions, parameters=parameters)


def status(product_id: str) -> Call[ProductReceipt]:
    """The takedown receipt: what every replica shows of this product."""
    return Call(method="GET", path=f"{_product(product_id)}/status", read=reads(ProductReceipt))


def erase(product_id: str) -> Call[ErasureAccepted]:
    """Removes a product for good. Needs a key of the role erase; to ask twice is to ask once."""
    return Call(method="POST", path=f"{_product(product_id)}/erase", read=reads(ErasureAccepted))


def click(
    search_id: str, product_id: str, position: int, kind: Literal["click", "cart", "purchase"] = "click"
) -> Call[ClicksAccepted]:
    """Tells what a shopper did with a product that an answer had shown, at which position: from 1, over all pages.

    Raises `NotFound` where the shop keeps no search log: its answers have no `search_id` either.
    """
    body = {"search_id": search_id, "product_id": product_id, "position": position, "kind": kind}
    return Call(method="POST", path="/v1/clicks", read=reads(ClicksAccepted), body=body)


def index() -> Call[IndexStatus]:
    """Counts, digest, watermark, position and health of every searcher."""
    return Call(method="GET", path="/v1/index", read=reads(IndexStatus))


def ready() -> Call[Readiness]:
    """Whether photos can be searched for in every shard, and what is waited for; it needs no key."""
    return Call(method="GET", path="/readyz", read=reads(Readiness), also=503)


def parameters_of_call(build: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function above, with every option by its name in place of all of them together."""
    hints = get_type_hints(build)
    found = []
    for parameter in inspect.signature(build).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            found.append(parameter)
            continue
        (options,) = get_args(hints[parameter.name])
        for name, kind in get_type_hints(options).items():
            found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind))
    return found


def _product(product_id: str) -> str:
    """Its path, for any text as an id."""
    if not product_id:
        raise ValueError("a product's id has a character at least")
    quoted = quote(product_id, safe="")
    if not quoted.strip("."):  # `.` and `..` would be steps of the path
        quoted = quoted.replace(".", "%2E")
    return f"/v1/products/{quoted}"

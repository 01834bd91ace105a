"""The search log: what was asked and shown (topic `search-log`), and what was clicked (topic `clicks`), as JSON.

Both are keyed by the search's id and lie in partitions of the same number, so
that an answer and its clicks can be read together. Fields are only added, each
with a default; docs/search.md says what is kept and what never is.
"""

from __future__ import annotations

from typing import Literal, TypeVar, get_args

import msgspec

Kind = Literal["photo", "words", "product", "vector", "filter"]
"""What a search was asked with; of a photo no more than that is kept."""
KINDS: tuple[Kind, ...] = get_args(Kind)
ClickKind = Literal["click", "cart", "purchase"]
"""What a shopper did with a product that was shown."""
MAX_POSITION = 10_000
_T = TypeVar("_T")


class ShownProduct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A product of an answer, and by what a ranking may have known that it fits.

    `position`: from 1, counted over pages; `look_...`, `words_...`, `meaning_...`:
    score (inner product; BM25; inner product with what the words look like) and
    rank from 1 in the list that there was, None where the product was not in it.
    `price`, `sales`, `praise` as they were at that moment.
    """

    product_id: str
    position: int
    score: float
    look_score: float | None = None
    look_rank: int | None = None
    words_score: float | None = None
    words_rank: int | None = None
    price: float | None = None
    sales: int | None = None
    praise: float | None = None
    meaning_score: float | None = None
    meaning_rank: int | None = None


class SearchRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer. `before`: products of the pages before, 0 on the first.

    `words`: None where there were none, or the shop keeps none; `match`: how many
    of them a product needed. `filter`: the fields filtered by, not their values;
    `sort`: a field, `-` before it for descending; `rank`: the weights of a profile, of the learned one `learned`;
    `diverse`: places were given for variety too. `matches`: products that match,
    None where they were not counted.
    """

    search_id: str
    at_ms: int
    kinds: tuple[Kind, ...]
    generation: str
    watermark_ms: int
    took_ms: float
    shown: tuple[ShownProduct, ...]
    before: int = 0
    words: str | None = None
    match: str | None = None
    filter: tuple[str, ...] = ()
    sort: str = ""
    rank: dict[str, float] = {}
    diverse: bool = False
    partial: bool = False
    matches: int | None = None


class ClickRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a shopper did with a product, at the position where an answer had shown it."""

    search_id: str
    product_id: str
    position: int
    at_ms: int
    kind: ClickKind = "click"


_encoder = msgspec.json.Encoder()
_search_decoder = msgspec.json.Decoder(SearchRecord)
_click_decoder = msgspec.json.Decoder(ClickRecord)


def encode_record(record: SearchRecord | ClickRecord) -> bytes:
    return _encoder.encode(record)


def decode_search(value: bytes) -> SearchRecord:
    """Raises `msgspec.DecodeError` for what is none."""
    return _decoded(_search_decoder, value)


def decode_click(value: bytes) -> ClickRecord:
    """Raises `msgspec.DecodeError` for what is none."""
    return _decoded(_click_decoder, value)


def _decoded(decoder: msgspec.json.Decoder[_T], value: bytes) -> _T:
    try:
        return decoder.decode(value)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error

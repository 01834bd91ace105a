"""Asking a Vitrine from Python. `Vitrine` waits for its answers, `AsyncVitrine` awaits them; begin at `calls.py`.

Needs httpx, msgspec and the standard library, and nothing else of ours: a shop's program loads no more than that.

    from vitrine_client import Vitrine

    with Vitrine("http://127.0.0.1:8000") as vitrine:
        for result in vitrine.search(text="red boot", filter={"price": {"lt": 50}}).results:
            print(result.product_id, result.score, result.title)
"""

from __future__ import annotations

from vitrine_client.answers import (
    AlsoAt,
    Answer,
    BatchEntry,
    CategoryTold,
    ClicksAccepted,
    ErasureAccepted,
    ErrorBody,
    FacetAnswer,
    FacetBucket,
    FacetValue,
    GenerationStatus,
    ImageReceipt,
    IndexStatus,
    ItemSeen,
    MergedHow,
    PhotoSeen,
    ProductReceipt,
    Readiness,
    ReplicaReceipt,
    Result,
    SearchedHow,
    SearcherStatus,
    Suggestion,
    TookMs,
)
from vitrine_client.calls import Call
from vitrine_client.client import AsyncVitrine, Vitrine
from vitrine_client.errors import (
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthorised,
    Unavailable,
    UnexpectedAnswer,
    VitrineClientError,
)
from vitrine_client.explained import Explain, LearnedScore, ListPart, MeasurePart, Shown
from vitrine_client.questions import (
    Box,
    Facet,
    Measure,
    Options,
    PhotoOptions,
    Question,
    TextOptions,
    WeightedImage,
    WeightedProduct,
    WeightedVector,
    Weights,
)

__all__ = [
    "AlsoAt",
    "Answer",
    "AsyncVitrine",
    "BatchEntry",
    "Box",
    "Call",
    "CategoryTold",
    "ClicksAccepted",
    "ErasureAccepted",
    "ErrorBody",
    "Explain",
    "Facet",
    "FacetAnswer",
    "FacetBucket",
    "FacetValue",
    "GenerationStatus",
    "ImageReceipt",
    "IndexStatus",
    "ItemSeen",
    "LearnedScore",
    "ListPart",
    "Measure",
    "MeasurePart",
    "MergedHow",
    "NotFound",
    "Options",
    "PhotoOptions",
    "PhotoSeen",
    "ProductReceipt",
    "Question",
    "Readiness",
    "Refused",
    "ReplicaReceipt",
    "Result",
    "SearchedHow",
    "SearcherStatus",
    "Shown",
    "Suggestion",
    "TextOptions",
    "TooLarge",
    "TooMany",
    "TookMs",
    "Unauthorised",
    "Unavailable",
    "UnexpectedAnswer",
    "Vitrine",
    "VitrineClientError",
    "WeightedImage",
    "WeightedProduct",
    "WeightedVector",
    "Weights",
]

"""A search over HTTP, and its answer for a person."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cli.tables import table
from schemas.access.blender import BlenderAccess
from schemas.errors import OperatorError, RejectedError, TransientError, VitrineError
from vitrine_client import Answer, Call, Unauthorised, Unavailable, Vitrine, VitrineClientError
from vitrine_client.calls import search_image

TIMEOUT_S = 60.0


def search_photo(blender: BlenderAccess, photo: Path, limit: int = 10) -> dict[str, Any]:
    """The blender's answer to `photo`. Raises as `photo_call` and `ask` do."""
    return ask(blender, photo_call(photo, limit=limit))


def photo_call(photo: Path, **options: Any) -> Call[Answer]:
    """A search with a photo. Raises `OperatorError` where there is none."""
    try:
        return search_image(photo, **options)
    except OSError as error:
        raise OperatorError(f"cannot read the photo: {error}") from error


def ask(blender: BlenderAccess, call: Call[Answer]) -> dict[str, Any]:
    """The answer as it came.

    Raises `OperatorError` (nothing answers, or it wants a key), `RejectedError`
    (the blender refuses the question) or `TransientError` (not ready).
    """
    key = os.environ.get("VITRINE_API_KEY", "")  # no setting: no other user and no start-up line shows it
    try:
        with Vitrine(
            blender.url, key=key or None, timeout_s=TIMEOUT_S, verify=blender.trust(), trust_env=False
        ) as vitrine:
            answer: dict[str, Any] = vitrine.send(call.as_it_came())
            return answer
    except VitrineClientError as error:
        raise _worded(blender.url, error) from error
    except ValueError as error:
        raise OperatorError(f"VITRINE_API_KEY is none that vitrine keys add prints ({error})") from error


def _worded(url: str, error: VitrineClientError) -> VitrineError:
    if isinstance(error, Unauthorised):
        return OperatorError(
            f"{url} wants a key of the role search: set VITRINE_API_KEY (vitrine keys add makes one; found: {error})"
        )
    if error.status is None and isinstance(error, Unavailable):
        return OperatorError(f"nothing answers at {url} ({error}); vitrine start starts it")
    said = f"{url} answered {error.status}: {error.reason}: {error.detail}"
    if error.status is not None and error.status >= 500:
        return TransientError("search_failed", said)
    return RejectedError("search_refused", said)


def answer_text(answer: dict[str, Any]) -> str:
    """The results as a table, what was counted and explained, and how complete and fresh they are."""
    rows = [
        (
            str(place),
            result["product_id"],
            f"{result['score']:.3f}",
            str(result.get("title") or "")[:40],
            str(result.get("category") or ""),
            "" if result.get("price") is None else f"{result['price']:.2f}",
        )
        for place, result in enumerate(answer["results"], 1)
    ]
    found = table(("", "product", "score", "title", "category", "price"), rows) if rows else "nothing found"
    took = answer["took_ms"]
    lines = [
        found,
        *_also(answer),
        *_explained(answer),
        *_counted(answer),
        f"up to {answer['watermark']}, in {took['total']:.1f} ms (embedding {took['embed']:.1f}, "
        f"search {took['search']:.1f})",
    ]
    if answer["partial"]:
        lines.append(f"not complete: no answer from shards {answer['missing_shards']}")
    return "\n".join(lines)


def _also(answer: dict[str, Any]) -> list[str]:
    """A line for each product that stands for others of the same picture."""
    lines = []
    for place, result in enumerate(answer["results"], 1):
        also = result.get("also_at")
        # A shop may have an attribute of that name.
        named = [each for each in also if isinstance(each, dict) and "similarity" in each] if also else []
        if named:
            lines.append(f"{place}: also at " + ", ".join(f"{e['product_id']} ({e['similarity']:.3f})" for e in named))
    return lines


def _counted(answer: dict[str, Any]) -> list[str]:
    """A line of each facet, how many products match, and which words were taken for which."""
    lines = []
    for field, facet in (answer.get("facets") or {}).items():
        counts = [f"{each['value']} {each['count']}" for each in facet.get("values", ())]
        counts += [f"{_range(each)} {each['count']}" for each in facet.get("buckets", ())]
        span = "" if facet.get("low") is None else f" ({facet['low']:g} to {facet['high']:g})"
        lines.append(f"{field}: {', '.join(counts) or 'none'}{span}")
    corrected = answer.get("corrected") or {}
    lines += [f"{word}: no product has it; searched for {other}" for word, other in corrected.items()]
    if (matches := answer.get("matches")) is not None:
        any_word = ", each with a word of those asked for" if answer.get("match") == "any" else ""
        lines.append(f"{matches} products match{any_word}")
    return lines


def _range(bucket: dict[str, Any]) -> str:
    low, high = bucket["low"], bucket["high"]
    return f"{'' if low is None else f'{low:g}'}..{'' if high is None else f'{high:g}'}"


def _explained(answer: dict[str, Any]) -> list[str]:
    """How each score came about, and how each shard searched; nothing where it was not asked for."""
    if (how := answer.get("explain")) is None:
        return []
    lines = []
    for place, result in enumerate(answer["results"], 1):
        part = result.get("explain")
        if part is None:
            continue
        said = [f"relevance {part['relevance']:.3f} x {part['relevance_weight']:g}"]
        said += [f"{name} {measure['part']:+.3f}" for name, measure in part["measures"].items()]
        lists = ("look", "words", "meaning")
        said += [f"{name} {part[name]['score']:.3f} (rank {part[name]['rank']})" for name in lists if part.get(name)]
        if (parts := part.get("look_parts")) is not None:
            said.append("look of " + ", ".join(f"{name} {share:+.3f}" for name, share in parts.items()))
        lines.append(f"{place}: {part['score']:.3f} = {', '.join(said)}")
    if (merged := how.get("doubles")) is not None:
        many = f"{merged['merged']} of {merged['compared']} products are named under another"
        lines.append(f"{many}, alike from {merged['likeness']:g} on")
    return [*lines, *how["shards"]]

"""A search over HTTP, and its answer for a person."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx

from cli.tables import table
from schemas.access.blender import BlenderAccess
from schemas.errors import OperatorError, RejectedError, TransientError


def search_photo(blender: BlenderAccess, photo: Path, limit: int = 10) -> dict[str, Any]:
    """The blender's answer to `photo`.

    Raises `OperatorError` (no such file, nothing answers), `RejectedError`
    (the blender refuses the photo) or `TransientError` (not ready).
    """
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise OperatorError(f"cannot read the photo: {error}") from error
    try:
        response = httpx.post(
            f"{blender.url}/v1/search/image",
            params={"limit": limit},
            files={"image": (photo.name, data)},
            headers=_key(),
            timeout=60.0,
            trust_env=False,
            verify=blender.trust(),
        )
    except httpx.HTTPError as error:
        raise OperatorError(f"nothing answers at {blender.url} ({error}); vitrine start starts it") from error
    if response.status_code >= 500:
        raise TransientError("search_failed", f"{blender.url} answered {response.status_code}: {response.text[:300]}")
    if response.status_code in (401, 403):
        raise OperatorError(
            f"{blender.url} wants a key of the role search: set VITRINE_API_KEY (vitrine keys add makes one)"
        )
    if response.status_code != 200:
        raise RejectedError("search_refused", f"{blender.url} answered {response.status_code}: {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer


def _key() -> dict[str, str]:
    """Of the environment, where no other user and no start-up line shows it; it is no setting."""
    key = os.environ.get("VITRINE_API_KEY", "")
    return {"Authorization": f"Bearer {key}"} if key else {}


def answer_text(answer: dict[str, Any]) -> str:
    """The results as a table, and how complete and fresh they are."""
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
        f"up to {answer['watermark']}, in {took['total']:.1f} ms (embedding {took['embed']:.1f}, "
        f"search {took['search']:.1f})",
    ]
    if answer["partial"]:
        lines.append(f"not complete: no answer from shards {answer['missing_shards']}")
    return "\n".join(lines)

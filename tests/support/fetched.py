"""Fetching once: what came, or why nothing did."""

from __future__ import annotations

import pytest

from schemas.errors import RejectedError, TransientError
from vision.fetching.fetch import Fetcher
from vision.fetching.policy import FetchPolicy

LOCAL = FetchPolicy(allowed_networks=("127.0.0.0/8",), timeout_s=60.0, max_bytes=1_000_000)


def get(url: str, policy: FetchPolicy) -> bytes:
    """With connections of its own: those kept alive would lead to the server of an earlier test on this port."""
    fetcher = Fetcher(policy)
    try:
        return fetcher.fetch(url)
    finally:
        fetcher.close()


def rejection(url: str, policy: FetchPolicy = LOCAL) -> str:
    with pytest.raises(RejectedError) as caught:
        get(url, policy)
    return caught.value.reason


def trouble(url: str, policy: FetchPolicy = LOCAL) -> str:
    with pytest.raises(TransientError) as caught:
        get(url, policy)
    return caught.value.reason

"""A blender that clients speak with, and whose erasures go to a list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest

from serving.blender.showing.answers import ErasureAccepted
from serving.blender.writing.erasures import Erasures
from tests.support.serving.http_world import over, ready, serving
from tests.support.serving.shop import FIELDS, PROFILES, shop


class Erasing:
    """Takes erasures as the log would. `erased`: whose."""

    def __init__(self) -> None:
        self.erased: list[str] = []

    async def erase(self, product_id: str) -> ErasureAccepted:
        self.erased.append(product_id)
        return ErasureAccepted(product_id=product_id, partition=1, offset=7)


@pytest.fixture
def erasing() -> Erasing:
    return Erasing()


@pytest.fixture
async def server(erasing: Erasing) -> AsyncIterator[httpx.AsyncClient]:
    erasures = cast(Erasures, erasing)
    async with serving(over(*shop()), fields=FIELDS, profiles=PROFILES, erasures=erasures) as client:
        await ready(client)
        yield client

"""A PostgreSQL with a shop in it, as it is after everything that happened there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.database.server import Postgres, programs, running


@pytest.fixture(scope="module")
def shop() -> Iterator[Postgres]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (make postgresql)")
    with running() as database:
        database.run_file("shop.sql")
        database.run_file("changes.sql")
        yield database

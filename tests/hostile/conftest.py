"""What the hostile suites share: their order, and what the system's processes held before the first of them.

They come after all other tests of the shared system, and the look at its
resources comes last: it judges what all of them have left behind.
"""

from __future__ import annotations

import pytest

from tests.support.resources import Holding, holdings
from tests.system import System

_BEFORE = pytest.StashKey[dict[str, Holding]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ("/hostile/" in item.path.as_posix()) + ("/hostile/resources/" in item.path.as_posix()))


@pytest.fixture(autouse=True)
def _note_resources(request: pytest.FixtureRequest) -> None:
    """Before the first test that uses the system: what each process holds."""
    if "system" in request.fixturenames and _BEFORE not in request.config.stash:
        system: System = request.getfixturevalue("system")
        request.config.stash[_BEFORE] = holdings(system)


@pytest.fixture
def held_before(request: pytest.FixtureRequest, _note_resources: None) -> dict[str, Holding]:
    """What each process of the shared system held before the hostile suites."""
    return request.config.stash[_BEFORE]

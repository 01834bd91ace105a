"""Fixtures of the tests of the serving tier, which the two suites share."""

from __future__ import annotations

import pytest

from messaging.admin import ensure_topics
from schemas.topics import CLICKS, SEARCH_LOG
from tests.support.serving.fixtures import anyio_backend, client, searcher, settings, topic
from tests.support.shoppers.search_log import write_old_log
from tests.system import system_settings

__all__ = ["anyio_backend", "client", "searcher", "settings", "topic"]


@pytest.fixture(scope="session")
def logged_kafka(kafka_broker: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shared Kafka with the topics of the search log, made as `vitrine start` makes them, and old records."""
    home = tmp_path_factory.mktemp("search-log")
    made = ensure_topics(system_settings(home, kafka_bootstrap=kafka_broker, search_log=True))
    assert set(made) == {SEARCH_LOG, CLICKS}
    write_old_log(kafka_broker)
    return kafka_broker

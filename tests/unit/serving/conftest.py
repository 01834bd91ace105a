"""Fixtures of the tests of the serving tier, which the two suites share."""

from tests.support.serving.fixtures import anyio_backend, client, searcher, settings, topic

__all__ = ["anyio_backend", "client", "searcher", "settings", "topic"]

"""The two stores as Vitrine keeps them: what a job or a command opens.

Without a server they are folders of RocksDB; with one (`schemas.access.store`,
the setting `store`) the folders are not used.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feature_store.features import FeatureStore
from feature_store.port import Store
from feature_store.rocks.files import STORE_FILE
from feature_store.rocks.store import RocksStore
from feature_store.server.store import ServerStore
from schemas.access.store import StoreServer
from schemas.settings import Settings

_CATALOGUE = "catalogue"
_FEATURES = "features"


def catalogue_store(folder: Path, partitions: int, server: StoreServer | None = None) -> Store:
    """For `ProductStore` and `ProductReader`; a partition per partition of `product-events`."""
    if server is not None:
        return ServerStore(server, _CATALOGUE, partitions)
    return RocksStore(
        folder,
        partitions,
        compression="lz4",
        rebuild="stop, move the catalogue store away and start: the job reads product-events from its beginning",
    )


def feature_store(folder: Path, partitions: int, server: StoreServer | None = None) -> FeatureStore:
    """The features; a partition per partition of `extract-requests`."""
    store = RocksStore(folder, partitions) if server is None else ServerStore(server, _FEATURES, partitions)
    return FeatureStore(store, partitions)


def live_catalogue(settings: Settings) -> Store:
    """The one that the stream writes."""
    return catalogue_store(settings.layout.catalogue_store, settings.event_partitions, settings.store_server)


def live_features(settings: Settings) -> FeatureStore:
    """The one that the stream writes."""
    return feature_store(settings.layout.feature_store, settings.feature_partitions, settings.store_server)


def catalogue_is_missing(settings: Settings) -> bool:
    """Whether there is none yet, or none any more: then the whole log is to be read."""
    if settings.store_server is not None:
        return not ServerStore(settings.store_server, _CATALOGUE, settings.event_partitions).exists()
    return not (settings.layout.catalogue_store / STORE_FILE).exists()


@contextmanager
def restored_catalogue(settings: Settings) -> Iterator[Store]:
    """An empty catalogue store to be filled, which takes the missing one's place at the end, whole or not at all."""
    partitions = settings.event_partitions
    if settings.store_server is not None:
        store = ServerStore(settings.store_server, _CATALOGUE, partitions)
        store.inspect()
        yield store.unmade()
        store.create()
        return
    folder = settings.layout.catalogue_store
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restored.", dir=folder.parent) as temporary:
        whole = Path(temporary) / folder.name
        yield catalogue_store(whole, partitions)
        whole.rename(folder)


def make_stores(settings: Settings) -> None:
    """Makes both on a server where they are missing, once nothing stands for an earlier one; a folder's are made when
    they are first written. Raises `OperatorError` and `TransientError` for a server that is none for a store."""
    if settings.store_server is not None:
        ServerStore(settings.store_server, _CATALOGUE, settings.event_partitions).create()
    make_features(settings)


def make_features(settings: Settings) -> None:
    """As `make_stores`, the feature store alone: what it held is written again, or extracted again."""
    if settings.store_server is not None:
        ServerStore(settings.store_server, _FEATURES, settings.feature_partitions).create()


def check_server(settings: Settings) -> None:
    """Raises as `make_stores` and changes nothing; so that a wrong set-up is told before anything starts."""
    if settings.store_server is not None:
        ServerStore(settings.store_server, _CATALOGUE, settings.event_partitions).inspect()

"""What the catalogue stage must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.access.store import StoreServer
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class CatalogueConfig:
    """Travels to the Flink worker by pickle.

    `forward_misplaced`: live, an event in a wrong partition is sent on; a
    replay skips it, because its forwarded copy lies in the log as well.
    `extractors`: ids of those whose vectors are kept current, the main one first:
    deltas of states, prices and texts are its. `server`: keeps both stores; the folders are then not used.
    """

    store_folder: str
    feature_folder: str
    event_partitions: int
    feature_partitions: int
    delta_partitions: int
    extractors: tuple[str, ...]
    epoch: int = 0
    forward_misplaced: bool = True
    server: StoreServer | None = None

    @classmethod
    def from_settings(cls, settings: Settings, extractors: Sequence[str], epoch: int = 0) -> CatalogueConfig:
        return cls(
            store_folder=str(settings.layout.catalogue_store),
            feature_folder=str(settings.layout.feature_store),
            event_partitions=settings.event_partitions,
            feature_partitions=settings.feature_partitions,
            delta_partitions=settings.partitions_of_deltas,
            extractors=tuple(extractors),
            epoch=epoch,
            server=settings.store_server,
        )

    @property
    def main(self) -> str:
        return self.extractors[0]

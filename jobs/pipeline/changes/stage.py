"""The changes' stage: Debezium's change events in; product events and dead letters out.

It keeps nothing. Changes of one row lie in one partition, in order, and so do
the events that come of them; a replay writes events again, which change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from jobs.pipeline.changes.events import events_of
from jobs.pipeline.dead_letters import dead_letter
from jobs.pipeline.stage import Metrics, Out, Record
from schemas.database.envelope import ChangeDecoder
from schemas.database.mapping import read_mapping
from schemas.errors import RejectedError
from schemas.events.event import decode_event
from schemas.topics import PRODUCT_EVENTS

STAGE = "changes"


@dataclass(frozen=True, slots=True)
class ChangesConfig:
    """Travels to the Flink worker by pickle. `mapping`: the file, which is read where the stage runs."""

    topic: str
    mapping: str


class ChangesStage:
    """See the module's docstring; the contract is `jobs.pipeline.stage.Stage`."""

    def __init__(self, config: ChangesConfig) -> None:
        self._config = config

    def open(self, metrics: Metrics) -> None:
        """Raises `OperatorError` when the mapping cannot be read."""
        self._metrics = metrics
        self._mapping = read_mapping(self._config.mapping)
        self._decoder = ChangeDecoder()

    def close(self) -> None:
        """Nothing is held."""

    def process(self, batch: Sequence[Record]) -> list[Out]:
        out: list[Out] = []
        silent = 0
        for record in batch:
            try:
                events = self._events(record)
            except RejectedError as error:
                self._metrics.count("dead_letters")
                out.append(dead_letter(STAGE, self._config.topic, record, error.reason, error.detail, transient=False))
                continue
            silent += not events
            out += events
        self._metrics.count("changes", len(batch))
        self._metrics.count("changes_without_effect", silent)
        return out

    def _events(self, record: Record) -> list[Out]:
        """All of one change, or `RejectedError`: half of it is nothing that the shop meant."""
        change = self._decoder.decode(record.value)
        if change is None:
            return []
        found = []
        for event in events_of(change, self._mapping):
            value = msgspec.json.encode(event)
            decode_event(value)
            found.append(Out(PRODUCT_EVENTS, event.product_id.encode(), value))
        return found

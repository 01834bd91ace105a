"""What of a batch goes round: requests that are not due, or not answered yet, sent to the topic's end in bundles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs.pipeline.stage import Out, Record
from schemas.errors import RejectedError
from schemas.events.extract_request import ExtractRequest, decode_bundle, encode_bundles
from schemas.ids import ImageKey, feature_partition, routing_key
from schemas.topics import EXTRACT_REQUESTS

MOST_OPENED = 512
"""Requests of bundles that one batch takes on; further bundles wait for the next."""


class Rounds:
    """Of one batch. `first_due_ms`, `youngest_ms`: of the bundles that are passed on; None where there are none.

    The one is the Unix time when the first of them is due, the other when the
    last of them was written.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._requests: dict[int, list[ExtractRequest]] = {}
        self._passed: list[Record] = []
        self.first_due_ms: int | None = None
        self.youngest_ms: int | None = None

    def opened(self, batch: Sequence[Record], now_ms: int, longest_wait_ms: int) -> Iterator[Record]:
        """The batch with a request in each record. A bundle that is not due is passed on as it is.

        One that asks for a wait beyond `longest_wait_ms` is due at once.
        """
        taken = 0
        for record in batch:
            try:
                bundle = decode_bundle(record.value)
            except RejectedError:
                bundle = None  # read as a request it is refused, and becomes a dead letter
            if bundle is None:
                yield record
            elif now_ms < bundle.not_before_ms <= now_ms + longest_wait_ms or taken >= MOST_OPENED:
                self._pass_on(record, bundle.not_before_ms)
            else:
                taken += len(bundle.requests)
                for request in bundle.requests:
                    yield record._replace(value=bytes(request))

    def add(self, key: ImageKey, request: ExtractRequest) -> None:
        """Comes again when its `not_before_ms` says so, or soon after."""
        self._requests.setdefault(feature_partition(key, self._partitions), []).append(request)

    def records(self) -> Iterator[Out]:
        """What is to be written. A request that goes round alone is a record as it first was."""
        for record in self._passed:
            yield Out(EXTRACT_REQUESTS, record.key, record.value or b"")
        for partition, requests in self._requests.items():
            key = routing_key(partition, self._partitions)
            for value in encode_bundles(requests):
                yield Out(EXTRACT_REQUESTS, key, value)

    def _pass_on(self, record: Record, due_ms: int) -> None:
        self._passed.append(record)
        self.first_due_ms = due_ms if self.first_due_ms is None else min(self.first_due_ms, due_ms)
        self.youngest_ms = max(self.youngest_ms or 0, record.timestamp_ms)

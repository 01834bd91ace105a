"""The extraction stage: requests in; feature records, vector deltas and dead letters out.

What is known already costs nothing. What is not is fetched, decoded and
embedded by a child process, one for each extractor; a vector that the shop gave
(`external:NAME:DIMENSION`) comes with its request and is stored. A failure that may pass goes back to
`extract-requests` with a time before which it is not tried again, then to the
dead letters. An image that takes long goes back as it is while its fetch goes
on, so that a slow host holds nobody else up. What goes back goes in bundles.

Replay: a feature is in the store before `process` returns, so a request seen
again is answered from there; its records are emitted again, since they may
have been lost with the task.
"""

from __future__ import annotations

import random
import time
from collections.abc import Container, Sequence
from pathlib import Path

import msgspec

from feature_store.open import feature_store
from jobs.pipeline.dead_letters import dead_letter
from jobs.pipeline.delta_outbox import DeltaOutbox
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.given import brought_feature, check_brought, not_brought
from jobs.pipeline.extraction.protocol import Failed, PutOff
from jobs.pipeline.extraction.rounds import Rounds
from jobs.pipeline.extraction.schedule import Address, ExtractionSchedule
from jobs.pipeline.extraction.supervisor import CRASHES
from jobs.pipeline.extraction.worker import Result
from jobs.pipeline.stage import Metrics, Out, Record
from schemas.errors import RejectedError
from schemas.events.extract_request import ExtractRequest, check_request, decode_request, encode_request
from schemas.features.ids import is_external
from schemas.features.record import FeatureRecord, encode_feature, feature_topic_key, refusal
from schemas.ids import ImageKey, feature_partition, routing_key, shard_of_image
from schemas.topics import EXTRACT_REQUESTS, IMAGE_FEATURES

__all__ = ["STAGE", "ExtractionConfig", "ExtractionStage"]

STAGE = "extraction"
NOT_CONFIGURED = "extractor_mismatch"
"""Reason of a dead letter: this job does not run the extractor that the request is for."""

IDLE_WAIT_S = 0.1
"""Longest sleep over a batch in which nothing is due: a new request behind it waits for that long."""
ROUND_S = 1.0
"""A request that is not due goes round about this often: where the queue is long, without any sleep."""
FURTHER_ROUND_S = 0.25
"""The same of a further extractor's."""
MAX_BACKOFF_S = 300.0
_LONGEST_WAIT_MS = round(2 * MAX_BACKOFF_S * 1000)
"""No failure asks for a longer wait: a request that does would go round for ever, and is due at once."""

_Request = tuple[Record, ExtractRequest, ImageKey]


class ExtractionStage:
    """See the module's docstring; the contract is `jobs.pipeline.stage.Stage`."""

    def __init__(self, config: ExtractionConfig) -> None:
        self._config = config

    def open(self, metrics: Metrics) -> None:
        """Starts the main extractor's child process and returns; the first batch waits for the network.

        An external extractor has neither.
        """
        config = self._config
        self._metrics = metrics
        self._features = feature_store(Path(config.store_folder), config.feature_partitions, config.server).writer()
        self._extractions = ExtractionSchedule(config, self._features, metrics)

    def close(self) -> None:
        self._extractions.close()
        self._features.close()

    def process(self, batch: Sequence[Record]) -> list[Out]:
        out: list[Out] = []
        self._extractions.collect()
        now_ms = time.time_ns() // 1_000_000
        rounds = Rounds(self._config.feature_partitions)
        records = list(rounds.opened(batch, now_ms, _LONGEST_WAIT_MS))
        requests = self._without_erasures(self._decode(records, out))
        known = self._known(requests)
        known |= self._given(requests, known, now_ms)
        due, later = [], []
        for record, request, key in requests:
            waits = now_ms < request.not_before_ms <= now_ms + _LONGEST_WAIT_MS
            if (request.extractor_id, key) in known or not waits:
                due.append((record, request, key))
            else:
                later.append((record, request, key))
        self._metrics.count("requests", len(records))
        wanted: dict[str, dict[bytes, str]] = {}
        results: dict[Address, Result] = dict(known)
        for _, request, key in due:
            if (request.extractor_id, key) in known:
                self._metrics.count("known")
            elif is_external(request.extractor_id):
                results[request.extractor_id, key] = not_brought(request, key)
            else:
                wanted.setdefault(request.extractor_id, {})[key] = request.url
        if wanted:
            results.update(self._extractions.run(wanted))
        going_round = [each for each in requests if (each[1].extractor_id, each[2]) not in results]
        goes_round = going_round or rounds.youngest_ms is not None
        if goes_round and not any(request.extractor_id == self._config.main.extractor_id for _, request, _ in due):
            self._wait(going_round, rounds, now_ms)
        for _, request, key in later:
            rounds.add(key, request)
        self._answer(due, results, rounds, out)
        out += rounds.records()
        return out

    def _without_erasures(self, requests: list[_Request]) -> list[_Request]:
        """The others; features that are to be erased are gone once this returns, whatever their extractor."""
        keys: dict[str, set[ImageKey]] = {}
        for _, request, key in requests:
            if request.erase:
                keys.setdefault(request.extractor_id, set()).add(key)
        for extractor_id, erased in keys.items():
            self._metrics.count("features_erased", self._features.erase_many(sorted(erased), extractor_id))
        return [each for each in requests if not each[1].erase]

    def _known(self, requests: list[_Request]) -> dict[Address, FeatureRecord]:
        """What the store has of the requested images, by extractor."""
        keys: dict[str, set[ImageKey]] = {}
        for _, request, key in requests:
            keys.setdefault(request.extractor_id, set()).add(key)
        known: dict[Address, FeatureRecord] = {}
        for extractor_id, asked in keys.items():
            in_order = list(asked)
            found = self._features.get_many(in_order, extractor_id)
            known |= {
                (extractor_id, k): record for k, record in zip(in_order, found, strict=True) if record is not None
            }
        return known

    def _given(self, requests: list[_Request], known: Container[Address], now_ms: int) -> dict[Address, FeatureRecord]:
        """Features that the requests bring along and that are not known; they are in the store once this returns."""
        brought: dict[Address, FeatureRecord] = {
            (request.extractor_id, key): brought_feature(request, key, now_ms)
            for _, request, key in requests
            if request.vector and (request.extractor_id, key) not in known
        }
        self._features.put_many(brought.values())
        self._metrics.count("given", len(brought))
        return brought

    def _wait(self, going_round: list[_Request], rounds: Rounds, now_ms: int) -> None:
        """Keeps a short queue in which nothing of the main extractor is due from spinning, without slowing a long one.

        A further extractor's backlog goes round faster: the main one's new
        images come behind it. What of it is answered in passing can wait so long.
        """
        main_alone = all(request.extractor_id == self._config.main.extractor_id for _, request, _ in going_round)
        later = [request.not_before_ms for _, request, _ in going_round if request.not_before_ms > now_ms]
        later += [] if rounds.first_due_ms is None else [rounds.first_due_ms]
        first_ms = min(later, default=now_ms + round(self._config.retry_s * 1000)) - now_ms
        age_ms = now_ms - max((record.timestamp_ms for record, _, _ in going_round), default=0)
        age_ms = min(age_ms, now_ms - (rounds.youngest_ms or 0))
        round_s = ROUND_S if main_alone else FURTHER_ROUND_S
        wait_s = min(IDLE_WAIT_S, first_ms / 1000, round_s - age_ms / 1000)
        if wait_s > 0:  # sleeping for no time gives the processor away
            time.sleep(wait_s)

    def _decode(self, batch: Sequence[Record], out: list[Out]) -> list[_Request]:
        """The requests that are this subtask's; misrouted ones are sent on, unusable ones are dead letters."""
        requests = []
        for record in batch:
            try:
                request = decode_request(record.value)
                check_request(request)
                if not request.erase and request.extractor_id not in self._extractions.extractor_ids:
                    raise RejectedError(
                        NOT_CONFIGURED,
                        f"the request is for {request.extractor_id}, this job runs "
                        f"{', '.join(self._extractions.extractor_ids)}; add that encoder to "
                        "VITRINE_FURTHER_ENCODERS and start the job again, or produce the product's event again",
                    )
                check_brought(request)
                key = ImageKey(bytes.fromhex(request.image_key))
                right = feature_partition(key, self._config.feature_partitions)
                if right != record.partition and record.key == self._key(key):
                    raise RejectedError(  # sent on, it would come back here for ever
                        "wrong_partition",
                        f"the request's key leads to partition {record.partition}, its image belongs to {right}: "
                        f"{EXTRACT_REQUESTS} does not have {self._config.feature_partitions} partitions; "
                        "set feature_partitions to the number it has, then put the request back",
                    )
            except RejectedError as error:
                out.append(self._dead_letter(record, error.reason, error.detail, False))
                continue
            if right == record.partition:
                requests.append((record, request, key))
            else:
                self._metrics.count("misrouted")
                out.append(Out(EXTRACT_REQUESTS, self._key(key), encode_request(request)))
        return requests

    def _answer(self, due: list[_Request], results: dict[Address, Result], rounds: Rounds, out: list[Out]) -> None:
        config = self._config
        outbox = DeltaOutbox(config.delta_partitions, config.main.extractor_id)
        emitted: set[Address] = set()
        given_up: list[tuple[ExtractRequest, ImageKey]] = []
        now_ms = time.time_ns() // 1_000_000
        for record, request, key in due:
            address = request.extractor_id, key
            result = results.get(address)
            if isinstance(result, FeatureRecord):
                if address not in emitted:
                    emitted.add(address)
                    topic_key = feature_topic_key(key, request.extractor_id)
                    out.append(Out(IMAGE_FEATURES, topic_key, encode_feature(result)))
                image = bytes.fromhex(request.image_id)
                partition = shard_of_image(image, config.delta_partitions)
                outbox.batch(partition, result.vector, extractor_id=request.extractor_id).add(
                    image, request.product_id, vector_seq=request.vector_seq, vector=result.vector
                )
            elif isinstance(result, Failed):
                if self._failed(record, request, key, result, now_ms, rounds, out):
                    given_up.append((request, key))
            else:
                if isinstance(result, PutOff):
                    self._metrics.count("put_off")
                    wait_s = result.wait_s
                else:
                    self._metrics.count("gone_round")
                    wait_s = self._extractions.again_s(address)
                rounds.add(key, _changed(request, request.attempt, now_ms + round(wait_s * 1000)))
        self._say_given_up(given_up, outbox, now_ms)
        out += outbox.seal([], everywhere=False)

    def _failed(
        self,
        record: Record,
        request: ExtractRequest,
        key: ImageKey,
        failure: Failed,
        now_ms: int,
        rounds: Rounds,
        out: list[Out],
    ) -> bool:
        """Sends the request round again, or gives the image up; returns whether it did that."""
        attempt = request.attempt + 1
        if not failure.transient or failure.reason == CRASHES or attempt >= self._config.max_attempts:
            self._give_up(record, failure, attempt, out)
            return True
        self._metrics.count("retried")
        backoff_s = min(MAX_BACKOFF_S, self._config.backoff_s * 2.0 ** (attempt - 1)) * random.uniform(0.8, 1.2)
        rounds.add(key, _changed(request, attempt, now_ms + round(backoff_s * 1000)))
        return False

    def _give_up(self, record: Record, failure: Failed, attempt: int, out: list[Out]) -> None:
        """The one place where an image is given up: nothing more comes of this request unless it is put back.

        A failure that is not `transient` stays; one that is has been tried
        `attempt` times, and the nightly replay tries it again.
        """
        detail = f"{failure.detail} (attempt {attempt})"
        out.append(self._dead_letter(record, failure.reason, detail, failure.transient))

    def _say_given_up(
        self, given_up: Sequence[tuple[ExtractRequest, ImageKey]], outbox: DeltaOutbox, now_ms: int
    ) -> None:
        """To the store, for builds, and to the shards: else these images were pending for ever."""
        self._features.put_many([refusal(key, each.extractor_id, now_ms, each.url) for each, key in given_up])
        for request, _ in given_up:
            image = bytes.fromhex(request.image_id)
            partition = shard_of_image(image, self._config.delta_partitions)
            outbox.batch(partition, None, extractor_id=request.extractor_id).add(
                image, request.product_id, refused_seq=request.vector_seq
            )

    def _key(self, key: ImageKey) -> bytes:
        partitions = self._config.feature_partitions
        return routing_key(feature_partition(key, partitions), partitions)

    def _dead_letter(self, record: Record, reason: str, detail: str, transient: bool) -> Out:
        self._metrics.count("dead_letters")
        return dead_letter(STAGE, EXTRACT_REQUESTS, record, reason, detail, transient)


def _changed(request: ExtractRequest, attempt: int, not_before_ms: int) -> ExtractRequest:
    return msgspec.structs.replace(request, attempt=attempt, not_before_ms=not_before_ms)

"""What may be taken from a record of `index-deltas`: checked once, where it is read.

Only the job's stages write there, so all of this holds for what they write.
But a shard keeps the greatest sequence and never takes a watermark back: a
record that somebody else wrote, or a bug, would freeze what nothing mends. So
whoever applies deltas reads them through `DeltaCheck.read`, which leaves out
what cannot be true and says how much and why. A row or an entry of progress is
refused for itself; the others in its record are taken.

It tells garbage from deltas, not a forger who knows the rules: who may write to
the topic is Kafka's to say.

Reasons:

    undecodable          no delta, or not of the columns that deltas have
    no_image_id          a row without 16 bytes of image id
    other_partition      the row's product belongs into another partition of the topic
    other_product        the image id is not one of the row's product
    sequence             negative, of no register, or of an epoch that there is not
    number               price, sales or praise that no event can have
    text                 a product id or URL that no event can have
    attributes           not the JSON object of attributes that an event can have, or more than a record can hold
    vector               no feature of its extractor: not of its length, not finite, or longer than a normalised one
    progress             of a partition or a number of partitions that product-events does not have
    progress_sequence    not positive, or of an epoch that there is not
    progress_time        before 1970, or later than now
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import compress

import msgspec
import numpy as np

from schemas.deltas.delta import DELTA_SCHEMA, DeltaBatch, decode_deltas
from schemas.errors import CorruptError, RejectedError
from schemas.events.attributes import check_attributes
from schemas.events.event import MAX_PRODUCT_ID_BYTES, MAX_URL_BYTES
from schemas.features.stored import cannot_be
from schemas.ids import EPOCH_SHIFT, product_hash
from schemas.log_epoch import Epochs
from schemas.settings import Settings

UNDECODABLE = "undecodable"
CLOCKS_MS = 300_000
"""How far the clock of Kafka, which stamps events, may be ahead of this machine's."""
MOST_ATTRIBUTES_BYTES = 16 * 1024 * 1024
"""Of all products in a record together, those that share theirs counted each: as much as a record can be large."""

_COLUMNS = DELTA_SCHEMA.names
_NULLABLE = ("vector",)

KnowsEpoch = Callable[[int], bool]
"""Whether there is that epoch of `product-events` (`schemas.log_epoch`)."""


@dataclass(slots=True)
class Taken:
    """What of a record is to be applied. `refused`: how much is not, by reason; `problem`: the first of it, in words.

    `offered`: rows that it had, where it could be read.
    """

    batch: DeltaBatch
    offered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    problem: str = ""

    def refuse(self, reason: str, detail: str, number: int = 1) -> None:
        self.refused[reason] += number
        self.problem = self.problem or f"{reason}: {detail}"


class DeltaCheck:
    """The rules of one system. One thread.

    `partitions`: of `index-deltas`; `event_partitions`: of `product-events`.
    """

    def __init__(
        self,
        partitions: int,
        event_partitions: int,
        knows_epoch: KnowsEpoch = lambda _epoch: True,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._partitions = partitions
        self._event_partitions = event_partitions
        self._knows_epoch = knows_epoch
        self._now_ms = now_ms

    @classmethod
    def from_settings(cls, settings: Settings) -> DeltaCheck:
        """Of the system that these settings are of."""
        epochs = Epochs(settings.layout.log_epoch)
        return cls(settings.partitions_of_deltas, settings.event_partitions, epochs.has)

    def admit(self, value: bytes | None, partition: int) -> Taken:
        """What may be taken of the record `value` of `partition`. Never raises for what is in it."""
        try:
            batch = decode_deltas(value or b"")
        except CorruptError as error:
            taken = Taken(DeltaBatch())
            taken.refuse(UNDECODABLE, str(error))
            return taken
        taken = Taken(batch, len(batch))
        self._check_progress(taken)
        if len(batch):
            self._check_rows(taken, partition)
        return taken

    def _check_progress(self, taken: Taken) -> None:
        believed = []
        for entry in taken.batch.progress:
            if entry.partitions != self._event_partitions or not 0 <= entry.partition < entry.partitions:
                what = f"of partition {entry.partition} of {entry.partitions}, product-events has"
                taken.refuse("progress", f"{what} {self._event_partitions} (VITRINE_EVENT_PARTITIONS)")
            elif not self._is_sequence(entry.sequence) or entry.sequence == 0:
                taken.refuse("progress_sequence", f"sequence {entry.sequence} of partition {entry.partition}")
            elif not 0 < entry.timestamp_ms <= self._now_ms() + CLOCKS_MS:
                detail = f"{entry.timestamp_ms} ms in partition {entry.partition}, it is {self._now_ms()} ms here"
                taken.refuse("progress_time", f"{detail}; compare this machine's clock with Kafka's")
            else:
                believed.append(entry)
        taken.batch.progress = believed

    def _is_sequence(self, number: int) -> bool:
        """Whether it may be the sequence of an event; 0 stands for none."""
        return 0 <= number < 2**63 and self._knows_epoch(number >> EPOCH_SHIFT)

    def _check_rows(self, taken: Taken, partition: int) -> None:
        batch = taken.batch
        _fill_nulls(batch)
        keep = np.ones(len(batch), dtype=np.bool_)

        def refuse(reason: str, row: int, detail: str) -> None:
            if keep[row]:  # a row counts once, under the first of its faults
                keep[row] = False
                taken.refuse(reason, f"{detail} (row {row})")

        self._check_identities(batch, partition, refuse)
        self._check_sequences(batch, refuse)
        _check_numbers(batch, refuse)
        _check_texts(batch, refuse)
        _check_attributes(batch, refuse)
        if not keep.all():
            columns = {name: list(compress(getattr(batch, name), keep)) for name in _COLUMNS}
            taken.batch = DeltaBatch(extractor_id=batch.extractor_id, progress=batch.progress, **columns)
        _check_vectors(taken)

    def _check_identities(self, batch: DeltaBatch, partition: int, refuse: _Refuse) -> None:
        partitions = self._partitions
        hashed, known = b"", None
        for row, (image, product) in enumerate(zip(batch.image_id, batch.product_id, strict=True)):
            if product is not known:
                hashed, known = product_hash(product), product
            if image[:8] == hashed and len(image) == 16 and int.from_bytes(hashed, "little") % partitions == partition:
                continue
            if len(image) != 16:
                refuse("no_image_id", row, f"{len(image)} bytes")
            elif image[:8] != hashed:
                refuse("other_product", row, f"image {image.hex()} is not of product {product[:100]!r}")
            else:
                refuse("other_partition", row, f"product {product[:100]!r} does not belong into partition {partition}")

    def _check_sequences(self, batch: DeltaBatch, refuse: _Refuse) -> None:
        for name in ("state_seq", "image_seq", "vector_seq", "refused_seq", "erased_seq"):
            column: list[int] = getattr(batch, name)
            if not (self._is_sequence(min(column)) and self._is_sequence(max(column))):
                for row, number in enumerate(column):
                    if not self._is_sequence(number):
                        refuse("sequence", row, f"{name} {number}")
        if any(batch.erased_seq):
            for row, (erased, state) in enumerate(zip(batch.erased_seq, batch.state_seq, strict=True)):
                if erased and (erased != state or batch.valid[row]):
                    refuse("sequence", row, f"erased_seq {erased} of a state of {state}")


_Refuse = Callable[[str, int, str], None]
"""Of a row: reason, row, detail."""


def _fill_nulls(batch: DeltaBatch) -> None:
    """Nulls as what is absent, which is how a column that is not there reads."""
    absent = DeltaBatch()
    absent.add(b"", "")
    for name in _COLUMNS:
        column: list[object] = getattr(batch, name)
        if name not in _NULLABLE and None in column:
            (default,) = getattr(absent, name)
            setattr(batch, name, [default if each is None else each for each in column])


def _check_numbers(batch: DeltaBatch, refuse: _Refuse) -> None:
    if not -1 <= min(batch.sales) <= max(batch.sales) < 2**62:
        for row, sales in enumerate(batch.sales):
            if not -1 <= sales < 2**62:
                refuse("number", row, f"sales {sales}")
    for row, price in enumerate(batch.price):
        if not (0 <= price < 1e15 or price != price):
            refuse("number", row, f"price {price}")
    for row, praise in enumerate(batch.praise):
        if not (0 <= praise <= 1 or praise != praise):
            refuse("number", row, f"praise {praise}")


def _check_texts(batch: DeltaBatch, refuse: _Refuse) -> None:
    for name, most in (("product_id", MAX_PRODUCT_ID_BYTES), ("url", MAX_URL_BYTES)):
        column: list[str] = getattr(batch, name)
        least = 1 if name == "product_id" else 0
        if not (least <= len(min(column, key=len)) and 4 * len(max(column, key=len)) <= most):
            for row, text in enumerate(column):
                if not least <= len(text.encode()) <= most:
                    refuse("text", row, f"{name} of {len(text.encode())} bytes")


_object_decoder = msgspec.json.Decoder(dict[str, object])


def _check_attributes(batch: DeltaBatch, refuse: _Refuse) -> None:
    problems = {attributes: _problem_of(attributes) for attributes in set(batch.attributes)}
    if any(problems.values()):
        for row, attributes in enumerate(batch.attributes):
            if problems[attributes]:
                refuse("attributes", row, problems[attributes])
    total, before = 0, ("", b"")
    for row, bearer in enumerate(zip(batch.product_id, batch.attributes, strict=True)):
        if bearer != before:
            total, before = total + len(bearer[1]), bearer
        if total > MOST_ATTRIBUTES_BYTES and bearer[1]:
            refuse("attributes", row, f"over {MOST_ATTRIBUTES_BYTES} bytes in one record")


def _problem_of(attributes: bytes) -> str:
    if not attributes:
        return ""
    try:
        check_attributes(_object_decoder.decode(attributes))
    except RecursionError:
        return "nested too deeply"
    except (msgspec.MsgspecError, UnicodeDecodeError, RejectedError) as error:
        return str(error)[:200]
    return ""


def _check_vectors(taken: Taken) -> None:
    """A bad vector goes, the state beside it stays."""
    batch = taken.batch
    rows = [row for row, vector in enumerate(batch.vector) if vector]
    if not rows:
        return
    bad = cannot_be([batch.vector[row] or b"" for row in rows], batch.extractor_id)
    for row, is_bad in zip(rows, bad, strict=True):
        if is_bad:
            batch.vector[row], batch.vector_seq[row] = None, 0
            taken.refuse("vector", f"of image {batch.image_id[row].hex()}")

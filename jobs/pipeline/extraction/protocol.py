"""What the extraction stage and its child process say to each other: MessagePack behind a 4-byte length."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from schemas.errors import CorruptError
from vision.fetching.policy import FetchPolicy


class Configure(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The first message to the child. `extractor_id`: what the network must turn out to be. `niceness`: how much
    nicer than its parent it is to be. `words`, `objects`: those in pictures are told as well.
    """

    extractor_id: str
    encoder: str
    weights: str
    device: str
    threads: int
    batch: int
    fetch_threads: int
    fetches_per_host: int
    max_bytes: int
    max_pixels: int
    policy: FetchPolicy
    niceness: int
    words: bool = False
    objects: bool = False


class Fetch(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Fetch this image; it is `Fetched` or `Failed`."""

    image_key: bytes
    url: str


class Embed(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Decode the fetched image and run the network; it is `Embedded` or `Failed`."""

    image_key: bytes


class Forget(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The fetched bytes are not needed."""

    image_key: bytes


class Ready(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The network is loaded."""

    extractor_id: str


class Broken(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The network cannot be loaded; an operator must act."""

    detail: str


class Fetched(msgspec.Struct, tag=True, array_like=True, frozen=True):
    image_key: bytes
    content_hash: bytes
    fetch_ms: float


class Embedded(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """`cnn_ms`: this image's share of its batch."""

    image_key: bytes
    vector: bytes
    cnn_ms: float


class Failed(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """`transient`: trying again later may help."""

    image_key: bytes
    reason: str
    detail: str
    transient: bool


class Held(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The image stays under way, but will take long: its host is slow, or many hosts are. Nobody should wait for it."""

    image_key: bytes


class PutOff(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The image is not taken on: too much waits. To be asked for again after `wait_s`; no attempt was made."""

    image_key: bytes
    wait_s: float


Order = Configure | Fetch | Embed | Forget
Report = Ready | Broken | Fetched | Embedded | Failed | Held | PutOff

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def send(stream: BinaryIO, message: Order | Report) -> None:
    """Writes one message. One thread at a time. Raises `OSError` (or `ValueError`) when the other side is gone."""
    data = _encoder.encode(message)
    stream.write(len(data).to_bytes(4, "little") + data)
    stream.flush()


def receive_order(stream: BinaryIO) -> Order | None:
    """The next order; None at the end of the stream."""
    data = _read(stream)
    return None if data is None else _orders.decode(data)


def receive_report(stream: BinaryIO) -> Report | None:
    """The next report; None at the end of the stream, also when it ends within a message (the child was killed)."""
    data = _read(stream)
    try:
        return None if data is None else _reports.decode(data)
    except msgspec.MsgspecError as error:
        raise CorruptError(f"report of the extraction process does not decode: {error}") from error


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "little")
    data = stream.read(size)
    return data if len(data) == size else None

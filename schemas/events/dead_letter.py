"""Dead letters: what a stage could not use, whole, with where it came from (JSON, topic `dead-letters`)."""

from __future__ import annotations

import base64
import re

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """`reason`: stable word; `detail`: for a person; `transient`: trying again may help.

    `key` and `value` are the original bytes, base64; a `value` over
    `MAX_KEPT_BYTES` is cut (`truncated`), its source offset still leads to it.
    """

    reason: str
    detail: str
    stage: str
    transient: bool
    topic: str
    partition: int
    offset: int
    at_ms: int
    key: str | None
    value: str | None
    truncated: bool = False

    def key_bytes(self) -> bytes | None:
        return None if self.key is None else _decoded(self.key)

    def value_bytes(self) -> bytes | None:
        return None if self.value is None else _decoded(self.value)


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def _decoded(text: str) -> bytes:
    """Raises `ValueError` where the published schema's pattern does not hold either; Python's decoder takes more."""
    if not _BASE64.fullmatch(text):
        raise ValueError("no base64")
    return base64.b64decode(text)


MAX_KEPT_BYTES = 512 * 1024

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(DeadLetter)


def make_dead_letter(
    *,
    reason: str,
    detail: str,
    stage: str,
    transient: bool,
    topic: str,
    partition: int,
    offset: int,
    at_ms: int,
    key: bytes | None,
    value: bytes | None,
) -> DeadLetter:
    """The dead letter of one record, its bytes cut to `MAX_KEPT_BYTES`."""
    return DeadLetter(
        reason=reason,
        # Text from outside may hold lone surrogates (file names), which JSON cannot.
        detail=detail[:2000].encode(errors="backslashreplace").decode(),
        stage=stage,
        transient=transient,
        topic=topic,
        partition=partition,
        offset=offset,
        at_ms=at_ms,
        key=None if key is None else base64.b64encode(key[:4096]).decode(),
        value=None if value is None else base64.b64encode(value[:MAX_KEPT_BYTES]).decode(),
        truncated=value is not None and len(value) > MAX_KEPT_BYTES,
    )


def encode_dead_letter(letter: DeadLetter) -> bytes:
    return _encoder.encode(letter)


def decode_dead_letter(value: bytes) -> DeadLetter:
    """Raises `msgspec.MsgspecError` when the bytes are no dead letter, or its key or value is no base64."""
    try:
        letter = _decoder.decode(value)
        letter.key_bytes()
        letter.value_bytes()
    except msgspec.MsgspecError:
        raise
    except ValueError as error:  # of UTF-8 and of base64
        raise msgspec.DecodeError(str(error)) from error
    return letter

"""Looks at the frames of an Arrow IPC stream without reading it: whether its buffers are compressed.

Arrow's readers decompress by themselves, and give what a frame says it holds
before they look: a record of some kilobytes can so ask for gigabytes. What
Vitrine writes is not compressed, and what comes in from outside must not be.
The layout is that of the Arrow columnar format ("Encapsulated message format")
and of FlatBuffers tables, of which four fields are read.
"""

from __future__ import annotations

import struct

_CONTINUES = 0xFFFFFFFF
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
"""Fields of a Message."""
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_DATA = 1
"""Field of a DictionaryBatch: its RecordBatch."""
_COMPRESSION = 3
"""Field of a RecordBatch."""


def is_compressed(stream: bytes) -> bool:
    """Whether any batch of `stream` is. Raises `ValueError` where the frames cannot be followed."""
    position = 0
    try:
        while position < len(stream):
            (size,) = struct.unpack_from("<I", stream, position)
            position += 4
            if size == _CONTINUES:
                (size,) = struct.unpack_from("<I", stream, position)
                position += 4
            if size == 0:
                return False
            message = _Table(stream[position : position + size])
            if _batch_is_compressed(message):
                return True
            body = message.number("<q", _BODY_LENGTH)
            if body < 0:
                raise ValueError(f"a body of {body} bytes")
            position += size + body
    except struct.error as error:
        raise ValueError(f"no frame of Arrow: {error}") from error
    return False


class _Table:
    """A FlatBuffers table in `data`; without `at`, its root."""

    def __init__(self, data: bytes, at: int | None = None) -> None:
        self._data = data
        self._at = struct.unpack_from("<I", data)[0] if at is None else at
        self._fields = self._at - struct.unpack_from("<i", data, self._at)[0]
        if self._fields < 0:
            raise ValueError("a table before its beginning")

    def place(self, field: int) -> int:
        """Where the field is; 0: it is not there."""
        if 4 + 2 * field >= struct.unpack_from("<H", self._data, self._fields)[0]:
            return 0
        offset: int = struct.unpack_from("<H", self._data, self._fields + 4 + 2 * field)[0]
        return offset and self._at + offset

    def number(self, kind: str, field: int) -> int:
        place = self.place(field)
        return struct.unpack_from(kind, self._data, place)[0] if place else 0

    def table(self, field: int) -> _Table | None:
        place = self.place(field)
        return _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0]) if place else None


def _batch_is_compressed(message: _Table) -> bool:
    kind, header = message.number("<B", _HEADER_TYPE), message.table(_HEADER)
    if header is not None and kind == _DICTIONARY_BATCH:
        header = header.table(_DATA)
    elif kind != _RECORD_BATCH:
        header = None
    return header is not None and header.place(_COMPRESSION) != 0

"""Bounded work as a Flink worker does it: units decoded, answers written down, a torn one left out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from jobs.pipeline.flink.bounded import Recorded, whole_lines
from jobs.pipeline.stage import Metrics, Record
from tests.support.metrics import CountingMetrics


class Double(msgspec.Struct, frozen=True):
    number: int


class Doubler:
    def open(self, metrics: Metrics) -> None: ...

    def process(self, unit: Double) -> Double:
        return Double(2 * unit.number)

    def close(self) -> None: ...


class Counter:
    def open(self, metrics: Metrics) -> None: ...

    def process(self, batch: Sequence[Record]) -> int:
        return len(batch)

    def close(self) -> None: ...


def recorded(recorder: partial[Recorded], folder: Path, *batches: list[Record]) -> bytes:
    stage = recorder(str(folder))
    stage.open(CountingMetrics())
    for batch in batches:
        assert stage.process(batch) == []
    stage.close()
    (file,) = folder.iterdir()
    return file.read_bytes()


def record(value: bytes) -> Record:
    return Record(None, value, 0, 0, 0)


def test_units_come_as_values_and_answers_are_lines(tmp_path: Path) -> None:
    units = [record(msgspec.json.encode(Double(number))) for number in (1, 2, 3)]
    data = recorded(partial(Recorded, Doubler, Double), tmp_path, units[:2], units[2:])
    decoder = msgspec.json.Decoder(Double)
    assert [decoder.decode(line) for line in whole_lines(data)] == [Double(2), Double(4), Double(6)]
    assert len(whole_lines(data[:-2])) == 2  # its worker died while it wrote the third


def test_work_over_the_log_takes_the_batches_themselves(tmp_path: Path) -> None:
    data = recorded(partial(Recorded, Counter, None), tmp_path, [record(b"a"), record(b"b")], [record(b"c")])
    assert whole_lines(data) == [b"2", b"1"]

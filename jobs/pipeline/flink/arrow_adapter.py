"""Puts a `Stage` into a Flink job: the one adapter between plain Python and PyFlink.

A vectorised (Arrow) table function: Flink hands over a bundle of Kafka
records as columns; the stage's records come back as three arrays in the first
row, are unpacked on the JVM by UNNEST and written by one Kafka sink that takes
topic and key from columns. See docs/adr/0003 for the shape and its speed.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyflink.table import DataTypes, FunctionContext
from pyflink.table.udf import ScalarFunction, udf

from jobs.pipeline.flink.metrics import FlinkMetrics
from jobs.pipeline.overflow import Overflow
from jobs.pipeline.stage import Record, Stage
from messaging.producer import EventProducer

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

_FIELDS = [
    DataTypes.FIELD("topics", DataTypes.ARRAY(DataTypes.STRING())),
    DataTypes.FIELD("keys", DataTypes.ARRAY(DataTypes.BYTES())),
    DataTypes.FIELD("vals", DataTypes.ARRAY(DataTypes.BYTES())),
]
_TRACES = DataTypes.FIELD("traces", DataTypes.ARRAY(DataTypes.BYTES()))


class StageFunction(ScalarFunction):  # type: ignore[misc]
    """Runs one stage inside a Flink Python worker. `factory` (pickled) makes it there.

    `connect`: makes the producer for what a call cannot return, see
    `jobs.pipeline.overflow`; None for a stage whose calls return little. `traced`: records have a sixth column,
    their trace, and a fourth array comes back, of the traces.
    """

    def __init__(
        self,
        name: str,
        factory: Callable[[], Stage],
        connect: Callable[[], EventProducer] | None = None,
        *,
        traced: bool = False,
    ) -> None:
        self._traced = traced
        self._name = name
        self._factory = factory
        self._connect = connect

    def open(self, function_context: FunctionContext) -> None:
        import pandas as pd  # not above: for the client, which makes the job and no frame, it is most of its start

        started = time.monotonic()
        self._frame_of = pd.DataFrame
        group = function_context.get_metric_group().add_group("vitrine", self._name)
        metrics = FlinkMetrics(group)
        self._stage = self._factory()
        self._stage.open(metrics)
        self._overflow = None if self._connect is None else Overflow(self._connect, metrics)
        # What is loaded by now stays for good: the collector need not walk it beside every few batches.
        gc.collect()
        gc.freeze()
        log.info("event=stage_opened stage=%s took_s=%.2f", self._name, time.monotonic() - started)

    def close(self) -> None:
        stage = getattr(self, "_stage", None)
        if stage is not None:
            stage.close()

    def eval(self, rows: pd.DataFrame) -> pd.DataFrame:
        """`rows`: key, value, partition, offset, timestamp in ms (and trace); a frame of as many rows comes back."""
        columns = [rows.iloc[:, i].tolist() for i in range(rows.shape[1])]
        out = self._stage.process([Record(*row) for row in zip(*columns, strict=True)])
        if self._overflow is not None:
            out = self._overflow.relieve(out)
        empty: list[list[Any]] = [[] for _ in range(len(rows) - 1)]
        arrays = {
            "topics": [[record.topic for record in out], *empty],
            "keys": [[record.key for record in out], *empty],
            "vals": [[record.value for record in out], *empty],
        }
        if self._traced:
            arrays["traces"] = [[record.trace for record in out], *empty]
        return self._frame_of(arrays)


def stage_udf(
    name: str,
    factory: Callable[[], Stage],
    connect: Callable[[], EventProducer] | None = None,
    *,
    traced: bool = False,
) -> Any:
    """The stage as a function for `Table.map`."""
    function = StageFunction(name, factory, connect, traced=traced)
    fields = [*_FIELDS, _TRACES] if traced else _FIELDS
    return udf(function, result_type=DataTypes.ROW(fields), func_type="pandas", name=name)

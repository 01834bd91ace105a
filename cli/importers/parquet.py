"""Rows of a Parquet file as any other catalogue's: plain values, a batch in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cli.importers.columns import NAMES, meanings, plain
from cli.importers.plain import plain_value
from cli.importers.vectors import COLUMN, written
from schemas.errors import OperatorError

BATCH_ROWS = 512


def parquet_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each row stands, and its columns; columns of bytes are left out. Raises `OperatorError`."""
    import pyarrow as pa  # 0.2 s that other commands and catalogues need not wait for
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(file)
        names = source.schema_arrow.names
        if "product_id" not in meanings(names):
            accepted = ", ".join(NAMES["product_id"])
            raise OperatorError(f"{file} has no column for the product id; found {names}, accepted: {accepted}")
        number = 0
        for batch in source.iter_batches(batch_size=BATCH_ROWS):
            columns = {name: _values(name, batch.column(place)) for place, name in enumerate(names)}
            for row in zip(*columns.values(), strict=True):
                number += 1
                yield f"row {number}", dict(zip(columns, row, strict=True))
    except (pa.ArrowException, OSError) as error:
        raise OperatorError(f"{file} cannot be read as Parquet ({error}); write it anew") from error


def parquet_length(file: Path) -> int:
    """Rows, from the file's end alone. Raises `OperatorError`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise OperatorError(f"{file} cannot be read as Parquet ({error}); write it anew") from error


def _values(name: str, column: Any) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if plain(name) == COLUMN and hasattr(kind, "value_type") and kind.value_type in (pa.float16(), pa.float32()):
        return [None if value is None else _vector(value) for value in column.to_pylist()]
    return [plain_value(value) for value in column.to_pylist()]


def _vector(value: list[Any]) -> list[Any]:
    return value if None in value else written(np.array(value, np.float32))

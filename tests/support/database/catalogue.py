"""What becomes of events in the catalogue, and the recorded changes that they are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from jobs.pipeline.core import apply
from jobs.pipeline.stage import Record
from schemas.events.event import ProductEvent
from schemas.events.record import ProductRecord
from tests.support.database.server import HERE

MAPPING = str(HERE / "mapping.toml")
FORMS = ("with", "without")


class Product(NamedTuple):
    """What a shopper would see of it."""

    attributes: dict[str, Any]
    images: dict[str, str | None]


def applied(
    events: Iterable[ProductEvent], records: dict[str, ProductRecord] | None = None
) -> dict[str, ProductRecord]:
    """The catalogue's records after these events, by product."""
    records = {} if records is None else dict(records)
    for number, event in enumerate(events, 1 + max((record.sequence for record in records.values()), default=0)):
        records[event.product_id] = apply(records.get(event.product_id), event, number).record
    return records


def shown(records: dict[str, ProductRecord], but: Iterable[str] = ()) -> dict[str, Product]:
    """The products that shoppers may find, without the attributes named in `but`."""
    return {
        name: Product(
            {field: value for field, value in record.attributes.items() if field not in but},
            {image.url: image.version for image in record.images if image.attached},
        )
        for name, record in records.items()
        if record.listed
    }


def recorded(form: str) -> list[Record]:
    """What Debezium told, "with" or "without" its schema, as it lies in the topic's only partition."""
    lines = (HERE / f"changes-{form}-schema.jsonl").read_text().splitlines()
    return [
        Record(_bytes(line["key"]), _bytes(line["value"]), 0, offset, 0)
        for offset, line in enumerate(map(json.loads, lines))
    ]


def _bytes(value: Any) -> bytes | None:
    return None if value is None else json.dumps(value).encode()

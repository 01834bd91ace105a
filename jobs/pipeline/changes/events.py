"""What a change in the shop's database means for its products. Knows no Flink, Kafka or clock.

A row is a whole product, so a change of it is the whole product again
(`product_added`, or `product_removed` where it is not shown): the same change
twice, or a later one without an earlier, gives the same product. A row of the
pictures' own table is one picture, attached or taken away. The version is the
moment at which the database took the change (docs/adr/0056).
"""

from __future__ import annotations

from schemas.database.envelope import Change
from schemas.database.mapping import DatabaseMapping
from schemas.database.rows import UNAVAILABLE, MappedRow, Row, image_of, mapped, product_id
from schemas.database.values import version_of
from schemas.errors import RejectedError
from schemas.events.event import ImageRef, ProductAdded, ProductEvent, ProductRemoved, ProductUpdated


def events_of(change: Change, mapping: DatabaseMapping) -> list[ProductEvent]:
    """In the order in which they are to lie in the log; none where nothing that is mapped has changed.

    Raises `RejectedError`: `unmapped_table`, `truncated`, `no_before`, `no_change_event`, and what `mapped` raises.
    """
    if change.operation == "m":
        return []
    product = change.is_of(mapping.product.table)
    if not product and not (mapping.images.table and change.is_of(mapping.images.table)):
        raise RejectedError(
            "unmapped_table",
            f"a change of {change.schema}.{change.table}, which the mapping does not name: leave that table out of the "
            "topic (Debezium's table.include.list), or mend the mapping",
        )
    if change.operation == "t":
        raise RejectedError(
            "truncated", f"{change.table} was emptied, and nothing says of which rows: remove what is gone by events"
        )
    return _of_product(change, mapping) if product else _of_image(change, mapping)


def _of_product(change: Change, mapping: DatabaseMapping) -> list[ProductEvent]:
    # What a snapshot reads has the time of reading, which is later than that of changes that follow it.
    version = None if change.operation == "r" else change.at_us
    column = mapping.product.id
    if change.operation == "d":
        row = _row(change.before, "before")
        if named := mapping.product.version:
            version = version_of(row.get(named))
        # 0, too, may stand for an id that was not sent.
        gone = product_id({column: row.get(column) or None}, column)
        return [ProductRemoved(product_id=gone, version=version)]
    row, before = _filled(_row(change.after, "after"), change.before), change.before or {}
    after = mapped(row, mapping)
    events: list[ProductEvent] = []
    if before.get(column) and (former := product_id(before, column)) != after.product_id:
        events.append(ProductRemoved(product_id=former, version=version))
    elif change.operation == "u" and _is_the_same(row, before, mapping):
        return []
    return events + _told(after, version)


def _told(row: MappedRow, version: int | None) -> list[ProductEvent]:
    """The product as the row has it; where long values were not sent, they stay as they were."""
    event = row.event(version)
    if row.whole or isinstance(event, ProductRemoved):
        return [event]
    listed = ProductAdded(product_id=event.product_id, version=event.version, images=event.images)
    return [listed, ProductUpdated(product_id=event.product_id, version=event.version, product=row.attributes)]


def _of_image(change: Change, mapping: DatabaseMapping) -> list[ProductEvent]:
    """Without a version: another row's change, taken earlier and told later, is none that came out of order."""
    before = None if change.operation in ("c", "r") else _picture(_row(change.before, "before"), mapping)
    after = None if change.operation == "d" else _picture(_row(change.after, "after"), mapping)
    if before is not None and after is not None:
        if before == after:
            return []
        if before[0] == after[0]:
            gone = [before[1].url] if before[1].url != after[1].url else []
            return [ProductUpdated(product_id=after[0], images_added=[after[1]], images_removed=gone)]
    events: list[ProductEvent] = []
    if before is not None:
        events.append(ProductUpdated(product_id=before[0], images_removed=[before[1].url]))
    if after is not None:
        events.append(ProductUpdated(product_id=after[0], images_added=[after[1]]))
    return events


def _picture(row: Row, mapping: DatabaseMapping) -> tuple[str, ImageRef]:
    """The product that it belongs to, and what it is."""
    return product_id(row, mapping.images.product), image_of(row, mapping.images)


def _row(row: Row | None, side: str) -> Row:
    if row is not None:
        return row
    if side == "before":
        raise RejectedError(
            "no_before", "the change does not say what was before; the table needs REPLICA IDENTITY FULL"
        )
    raise RejectedError("no_change_event", "the change has no row after it")


def _filled(after: Row, before: Row | None) -> Row:
    """Long values that were not sent, from what was before, where that is known."""
    if before is None or not any(value is UNAVAILABLE for value in after.values()):
        return after
    known = {name: value for name, value in before.items() if value is not None}
    return {name: known.get(name, value) if value is UNAVAILABLE else value for name, value in after.items()}


def _is_the_same(after: Row, before: Row, mapping: DatabaseMapping) -> bool:
    """Whether nothing that is mapped has changed, for certain: what is empty, or 0, before may not have been sent."""
    columns = mapping.product_columns().keys() - {mapping.product.version}
    return all(before.get(name) and before[name] == after[name] for name in columns)

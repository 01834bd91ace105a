"""A shop's history drawn from a seed, with everything that goes wrong on the way to the log."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.whole.talking import added

Event = dict[str, Any]

_KINDS = {"price": 5, "attributes": 3, "image_added": 4, "image_changed": 3, "image_removed": 3, "images_replaced": 2,
          "removed": 3, "relisted": 4}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """An event on its way to the log; `partition` where a foreign producer put it, None: where it belongs."""

    event: Event
    partition: int | None = None


class History:
    """`events` of `products` products that share the pictures at `urls`, in the order of a shop that makes no errors.

    Each has its product's next version. `sent` is what then reaches the log.
    """

    def __init__(self, name: str, products: int, urls: Sequence[str], events: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._urls = urls
        self.kinds: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()
        ids = [f"{name}-{number}" for number in range(products)]
        first = [self._added(product) for product in ids]
        self._ids = ids
        self.events = first + self.more(events - products)

    def more(self, events: int) -> list[Event]:
        """How the history goes on; not part of `events`."""
        return [self._next(self._random.choice(self._ids)) for _ in range(events)]

    def sent(self, partitions: int) -> Iterator[Sent]:
        """Some events late, some twice, some without their version, some in the wrong partition."""
        chance = self._random
        late = sorted(
            range(len(self.events)), key=lambda place: place + (chance.random() < 0.15) * chance.randrange(60)
        )
        waiting: list[Event] = []
        for place in late:
            event = self.events[place]
            if chance.random() < 0.1:
                event = {key: value for key, value in event.items() if key != "version"}
                self.kinds["without_version"] += 1
            yield self._placed(event, partitions)
            if chance.random() < 0.1:
                waiting.append(event)
            if waiting and chance.random() < 0.2:
                self.kinds["doubled"] += 1
                yield self._placed(waiting.pop(chance.randrange(len(waiting))), partitions)

    def _placed(self, event: Event, partitions: int) -> Sent:
        if self._random.random() > 0.05:
            return Sent(event)
        self.kinds["foreign_partition"] += 1
        return Sent(event, self._random.randrange(partitions))

    def _next(self, product: str) -> Event:
        kind = self._random.choices(list(_KINDS), list(_KINDS.values()))[0]
        self.kinds[kind] += 1
        if kind == "images_replaced":
            return self._added(product)
        type_of = {"removed": "product_removed", "relisted": "product_added"}
        event = {"type": type_of.get(kind, "product_updated"), "product_id": product}
        return self._versioned(event | self._change(kind))

    def _change(self, kind: str) -> Event:
        chance = self._random
        url = chance.choice(self._urls)
        match kind:
            case "price":
                return {"product": {"price": chance.randrange(1000), "sales": chance.choice([None, 1, 50])}}
            case "attributes":
                return {"product": {"title": chance.choice(["Stuhl", "椅子", ""]), "oak": chance.random() < 0.5}}
            case "image_added":
                return {"images_added": [{"url": url}]}
            case "image_changed":
                return {"images_added": [{"url": url, "version": str(chance.randrange(3))}]}
            case "image_removed":
                return {"images_removed": chance.sample(self._urls, 10)}
            case _:
                return {}

    def _added(self, product: str) -> Event:
        urls = self._random.sample(self._urls, self._random.randrange(4))
        return self._versioned(added(product, *urls, title=product, price=self._random.randrange(1000)))

    def _versioned(self, event: Event) -> Event:
        product = event["product_id"]
        self._versions[product] += 1
        return {**event, "version": self._versions[product]}

"""Hostile product events drawn from a seed: what a broken, careless or malicious producer may write to the log.

`hostile_events` draws any number of small ones; `NASTY` are the few that are
valid, or nearly, and heavy. All of it is bytes: whether an event is valid is
for the system to say.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.events.attributes import MAX_DEPTH
from schemas.events.event import MAX_EVENT_BYTES, MAX_IMAGES, MAX_PRODUCT_ID_BYTES, MAX_URL_BYTES

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hostile:
    """`kind`: which attack drew it. `key`: of its record; mostly the product's, sometimes not."""

    kind: str
    key: bytes | None
    value: bytes


TEXTS = [
    "", " ", "\x00", "a\x00b", "\n\r\t\x0b\x1b[2J", "\u202eevil\u202c", "\ufeff", "e\u0301" * 20, "🧨" * 30,
    "\U0010ffff",
    "<script>alert(1)</script>", "'; DROP TABLE products; --", "${jndi:ldap://127.0.0.1/a}", "{{7*7}}", "%s%n%x", "NaN",
    "..", "../../../etc/passwd", "/", "//", "a/b/c", "a/status", "%2e%2e%2f", "con", "-1", "null", "true", "\u2028",
    "x" * 511,
]  # fmt: skip
URLS = [
    "javascript:alert(1)", "data:image/png;base64,AAAA", "file:///etc/passwd", "file:///proc/self/environ", "ftp://127.0.0.1/a",
    "gopher://127.0.0.1:9092/_x", "http://127.0.0.1:1/x.jpg", "http://[::1]:1/x.jpg", "http://169.254.169.254/latest/",
    "http://0.0.0.0:1/", "http://0x7f000001:1/", "http://2130706433:1/", "http://user:secret@127.0.0.1:1/", "http://",
    "http:///x", "http://127.0.0.1:99999/", "http://127.0.0.1:-1/", "//127.0.0.1/x", "http://127.0.0.1:1/\r\nX: y",
    "HTTP://127.0.0.1:1/\x00", "http://[::ffff:127.0.0.1]:1/", "http://localhost:1/", "file://host/x", "file:relative",
    "x", " ", "unix:///run/x", "\\\\host\\share", "http://127.0.0.1:1/" + "a" * (MAX_URL_BYTES - 19),
    "http://\u0661\u0662\u0667.0.0.1:1/", "blob:x",
]  # fmt: skip
NUMBERS = [
    0, -0.0, -1, 1, 0.1, 2**31, 2**53 + 1, 2**62, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30, -(10**400), 1e15,
    1e308, -1e308, 5e-324,
]  # fmt: skip
RAW_NUMBERS = [
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "1E+2",
    "1e-500",
    "0" * 20,
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
]
VALUES: list[Any] = [None, True, False, [], {}, [[]], [None], {"": None}, "text", *NUMBERS]


def hostile_events(seed: int, count: int, products: int = 200, known_urls: Sequence[str] = ()) -> Iterator[Hostile]:
    """`count` events over about `products` product ids; those with images show some of `known_urls` as well."""
    return _Attacker(random.Random(seed), products, known_urls).events(count)


class _Attacker:
    def __init__(self, chance: random.Random, products: int, known_urls: Sequence[str]) -> None:
        self._chance = chance
        self._ids = [f"hostile-{number}" for number in range(products)]
        self._ids += [f"hostile-{text}" for text in TEXTS]
        self._urls = [*known_urls, *URLS]
        self._attacks: list[Callable[[], bytes]] = [
            self._confused_types, self._numbers, self._texts, self._deep, self._doubled_keys, self._damaged,
            self._images, self._identities, self._enveloped, self._internal, self._noise, self._large,
        ]  # fmt: skip

    def events(self, count: int) -> Iterator[Hostile]:
        for number in range(count):
            attack = self._attacks[number % len(self._attacks)]
            yield Hostile(attack.__name__.strip("_"), self._key(), attack())

    def _key(self) -> bytes | None:
        return self._chance.choice([None, b"", self._chance.randbytes(8), *(self._id().encode() for _ in range(12))])

    def _id(self) -> str:
        return self._chance.choice(self._ids)

    def _valid(self) -> Event:
        """An event as it should be."""
        chance = self._chance
        images = [{"url": url} for url in chance.sample(self._urls, min(3, len(self._urls)))]
        product = {"title": "t", "category": "a/b", "brand": "b", "colour": "red", "price": chance.randrange(100),
                   "sales": 3, "praise": 0.5, "x": {"y": [1, 2.5, None]}}  # fmt: skip
        kind = chance.randrange(3)
        if kind == 0:
            return {"type": "product_added", "product_id": self._id(), "version": chance.randrange(9),
                    "product": product, "images": images}  # fmt: skip
        if kind == 1:
            return {"type": "product_updated", "product_id": self._id(), "product": product,
                    "images_added": images, "images_removed": [chance.choice(self._urls)]}  # fmt: skip
        return {"type": "product_removed", "product_id": self._id()}

    def _mutated(self, value: Any) -> bytes:
        """A valid event with `value` in some place of it."""
        event = self._valid()
        place: Any = event
        while True:
            name = self._chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            inner = place[name]
            if isinstance(inner, dict | list) and inner and self._chance.random() < 0.7:
                place = inner
                continue
            place[name] = value
            return _json(event)

    def _confused_types(self) -> bytes:
        return self._mutated(self._chance.choice(VALUES))

    def _numbers(self) -> bytes:
        if self._chance.random() < 0.5:
            return self._mutated(self._chance.choice(NUMBERS))
        return self._mutated("@").replace(b'"@"', self._chance.choice(RAW_NUMBERS).encode())

    def _texts(self) -> bytes:
        value = self._mutated(self._chance.choice(TEXTS))
        if self._chance.random() < 0.2:
            return value.replace(
                b'"t"', self._chance.choice([b'"\\ud800"', b'"\\udfff\\ud800"', b'"\xff\xfe"', b'"\\x"'])
            )
        return value

    def _deep(self) -> bytes:
        depth = self._chance.choice([MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 1000, 20_000])
        opened, closed = self._chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
        return self._mutated("@").replace(b'"@"', opened * depth + b"1" + closed * depth)

    def _doubled_keys(self) -> bytes:
        value = _json(self._valid())
        other = _json(self._valid())
        return value[:-1] + b"," + other[1:] if self._chance.random() < 0.7 else value + other

    def _damaged(self) -> bytes:
        value = bytearray(_json(self._valid()))
        for _ in range(self._chance.randrange(1, 4)):
            place = self._chance.randrange(len(value) or 1)
            match self._chance.randrange(4):
                case 0:
                    del value[place:]
                case 1:
                    value[place:place] = self._chance.randbytes(self._chance.randrange(1, 9))
                case 2:
                    del value[place : place + self._chance.randrange(1, 9)]
                case _:
                    value += value[place:]
        return bytes(value)

    def _images(self) -> bytes:
        event: Event = {"type": "product_added", "product_id": self._id()}
        url = self._chance.choice(self._urls)
        match self._chance.randrange(5):
            case 0:
                event["images"] = [{"url": url}] * MAX_IMAGES
            case 1:
                event["images"] = [{"url": url, "version": str(n % 3)} for n in range(100)]
            case 2:
                event["type"], event["images_added"], event["images_removed"] = (
                    "product_updated",
                    [{"url": url}] * 9,
                    [url] * 9,
                )
            case 3:
                event["images"] = [{"url": self._chance.choice(self._urls), "version": self._chance.choice(VALUES)}]
            case _:
                event["images"] = [{"url": url} for url in self._urls]
        return _json(event)

    def _identities(self) -> bytes:
        edge = ["x" * MAX_PRODUCT_ID_BYTES, "x" * (MAX_PRODUCT_ID_BYTES + 1), "é" * (MAX_PRODUCT_ID_BYTES // 2), *TEXTS]
        event = self._valid()
        return _json({**event, "product_id": self._chance.choice(edge)})

    def _enveloped(self) -> bytes:
        event: Any = self._chance.choice([self._valid(), self._chance.choice(VALUES)])
        envelope = {
            "specversion": self._chance.choice(["1.0", "1.0", "0.3", 1, None]),
            "id": "1",
            "source": "/s",
            "type": "t",
        }
        if self._chance.random() < 0.5:
            return _json({**envelope, "data": event})
        inner = _json(event)
        return _json({**envelope, "data_base64": base64.b64encode(inner).decode()[self._chance.randrange(2) :]})

    def _internal(self) -> bytes:
        """What only Vitrine itself should write: heartbeats and forwarded events."""
        chance = self._chance
        number = chance.choice([0, 1, 99, 2**31 - 1, 2**31, 2**63 - 1, -1, None, "1"])
        if chance.random() < 0.3:
            return _json({"type": "heartbeat", "partition": number})
        inner: Any = chance.choice([self._valid(), self._valid(), {"type": "heartbeat", "partition": 0}, None, []])
        return _json({"type": "forwarded", "origin_partition": chance.choice([0, 1, 99, number]),
                      "origin_sequence": chance.choice([1, 7, 2**62, 2**63 - 1, number]), "event": inner})  # fmt: skip

    def _noise(self) -> bytes:
        return self._chance.choice(
            [b"", b"null", b"[]", b"0", b'""', b"\x00" * 100, b"{" * 1000, b'{"type":', self._chance.randbytes(300),
             '{"type":"product_removed","product_id":"p"}'.encode("utf-16"), b"\xef\xbb\xbf{}", b"\xff" * 50]
        )  # fmt: skip

    def _large(self) -> bytes:
        """Up to 60 kB in one place: a name, a text, a list, many names."""
        event = {**self._valid(), "type": "product_added"}
        match self._chance.randrange(4):
            case 0:
                event["product"] = {"n" * 60_000: 1}
            case 1:
                event["product"] = {"title": "t" * 60_000}
            case 2:
                event["product"] = {"x": list(range(10_000))}
            case _:
                event["product"] = {f"name-{n}": n for n in range(3000)}
        return _json(event)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def heavy_product(product_id: str, images: Sequence[str], attribute_bytes: int = 900_000) -> Event:
    """One valid `product_added` near an event's limit: with its attributes in every delta 120 images are 108 MB."""
    event: Event = {"type": "product_added", "product_id": product_id, "images": [{"url": url} for url in images]}
    room = MAX_EVENT_BYTES - len(_json(event)) - 100
    return {**event, "product": {"price": 1, "manual": "m" * min(attribute_bytes, room)}}


def described_products(
    prefix: str, count: int, images: Sequence[str], description_bytes: int = 30_000
) -> Iterator[Event]:
    """An ordinary import: products with long descriptions that all show the same few images."""
    for number in range(count):
        product = {"title": f"{prefix} {number}", "price": number, "description": "d" * description_bytes}
        yield {"type": "product_added", "product_id": f"{prefix}-{number}", "product": product,
               "images": [{"url": url} for url in images]}  # fmt: skip


def large_refused(count: int) -> Iterator[bytes]:
    """Events of the largest size that are refused: each dead letter keeps half a megabyte of it."""
    for number in range(count):
        head = b'{"type":"product_sold","product_id":"large-%d","x":"' % number
        yield head + b"x" * (MAX_EVENT_BYTES - len(head) - 2) + b'"}'

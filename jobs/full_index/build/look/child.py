"""The child process that looks at pictures and learns a tuning: `python -m jobs.full_index.build.look.child`.

An order on standard input; what was learned in the folder that it names. A picture that kills the process costs the
build its learning and nothing else.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from disk.durable import write_durably
from indexing.look.part import written
from indexing.look.shipped import shipped_prior
from indexing.look.stored import decode_tuning
from indexing.look.worth import LEAST_THINGS, Learned, learn
from jobs.full_index.build.look.pictures import Drawn
from schemas.errors import CorruptError, OperatorError, RejectedError, TransientError
from schemas.features.blocks import blocks_of
from schemas.features.recorded import read_features
from vision.blocks.views import views
from vision.embedder import Embedder, create_embedder
from vision.fetching.fetch import Fetcher
from vision.fetching.policy import FetchPolicy
from vision.pictures.decode import ImageLimits

log = logging.getLogger("jobs.look")

TUNING = "tuning"
ENTRY = "entry.json"
NICENESS = 15
"""The stream's new images come first."""

_FETCHES = 16
_AHEAD = 64
"""Pictures that are fetched before they are looked at."""
_BATCH = 32

Picture = NDArray[np.uint8]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """`products`: whose pictures are looked at. `views`: altered copies of each. `serving`: file of what to beat.

    `photos`: folder of those that shoppers asked with, as features. `gather_s`:
    so long pictures are looked at; what came until then is learned from.
    `folder`: for `TUNING`, `ENTRY`.
    """

    extractor_id: str
    encoder: str
    weights: str
    device: str
    max_bytes: int
    max_pixels: int
    policy: FetchPolicy
    products: list[Drawn]
    views: int
    seed: int
    gather_s: float
    serving: str
    photos: str
    folder: str


def obey(order: Order) -> Learned | None:
    """None: too few pictures could be had. Raises `OperatorError`, `CorruptError`."""
    embedder = create_embedder(order.encoder, order.weights, order.device)
    if embedder.extractor_id != order.extractor_id:
        raise OperatorError(f"{order.encoder} is {embedder.extractor_id} here, the build is of {order.extractor_id}")
    base, things = _looked_at(order, embedder)
    found = len(np.unique(things))
    if found < LEAST_THINGS:
        log.warning("event=look_left_out things=%d least=%d", found, LEAST_THINGS)
        return None
    serving = decode_tuning(Path(order.serving).read_bytes()) if order.serving else None
    categories = [order.products[thing].category for thing in things.tolist()]
    held = np.array([order.products[thing].held_back for thing in things.tolist()])
    return learn(
        *(base, things, order.extractor_id, blocks_of(order.extractor_id), order.seed),
        prior=shipped_prior(order.extractor_id),
        serving=serving,
        categories=categories,
        photos=read_features(Path(order.photos), order.extractor_id),
        held=held,
    )


def _looked_at(order: Order, embedder: Embedder) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(base features, the number of the product that each row shows), its first picture before its views."""
    parts: list[NDArray[np.float32]] = []
    things: list[int] = []
    parent = os.getppid()
    pictures = _with_views(order, _fetched(order, embedder))
    while batch := list(islice(pictures, _BATCH)):
        if os.getppid() != parent:
            raise OperatorError("the build is gone")
        parts.append(embedder.embed([picture for _, picture in batch]))
        things += [thing for thing, _ in batch]
    rows = np.concatenate(parts) if parts else np.empty((0, embedder.dimension), np.float32)
    return rows, np.array(things, np.int64)


def _with_views(order: Order, pictures: Iterator[tuple[int, Picture]]) -> Iterator[tuple[int, Picture]]:
    for number, (thing, picture) in enumerate(pictures):
        yield thing, picture
        for view in views(picture, order.views, order.seed, number):
            yield thing, view


def _fetched(order: Order, embedder: Embedder) -> Iterator[tuple[int, Picture]]:
    """(number of the product, its picture prepared), in order; without those that cannot be had."""
    fetcher = Fetcher(order.policy)
    limits = ImageLimits(order.max_bytes, order.max_pixels)
    until = time.monotonic() + order.gather_s

    def had(url: str) -> Picture | None:
        if time.monotonic() > until:
            return None
        try:
            return embedder.prepare(fetcher.fetch(url), limits)
        except (RejectedError, TransientError) as error:
            log.info("event=picture_left_out url=%s problem=%s", url, error)
            return None

    wanted = [(thing, url) for thing, product in enumerate(order.products) for url in product.urls]
    with ThreadPoolExecutor(_FETCHES, thread_name_prefix="fetch") as pool:
        for begin in range(0, len(wanted), _AHEAD):
            part = wanted[begin : begin + _AHEAD]
            for (thing, _), picture in zip(part, pool.map(had, [url for _, url in part]), strict=True):
                if picture is not None:
                    yield thing, picture


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.nice(NICENESS)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        learned = obey(order)
    except (OperatorError, CorruptError) as error:
        print(error, file=sys.stderr)
        return 2
    if learned is not None:
        data, entry = written(learned)
        write_durably(Path(order.folder) / TUNING, data)
        write_durably(Path(order.folder) / ENTRY, msgspec.json.encode(entry))
    return 0


if __name__ == "__main__":
    sys.exit(main())

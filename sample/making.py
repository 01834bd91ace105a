"""Makes the sample catalogue: draws in parallel, writes whole or not at all, and only once.

A folder has the layout of any catalogue that `vitrine import` reads:
`products.jsonl`, `queries.jsonl` and `images/`. `sample.json` is its stamp;
a folder with the wanted stamp is used as it is, another one is made anew.
"""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import psutil

from sample.camera import SIZE, catalogue_view, photograph, shopper_view
from sample.products import SEED, Product, product
from schemas.errors import OperatorError

VERSION = 2
"""Raised whenever the same arguments give other pictures."""

QUERIES_PER_PRODUCTS = 16
"""Every so many products one is photographed by a shopper."""

DEMO_PRODUCT = 784
"""Its photo is the one to show first; a sample too small for it shows product 0."""

PICTURES_PER_PROCESS = 60
_CHUNK = 20

Progress = Callable[[int, int], None]
"""(pictures done, pictures in all); called from the caller's thread."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampleCatalogue:
    """Where the catalogue lies. `demo_query` is the photo for a first search, `demo_product_id` its answer."""

    folder: Path
    products_file: Path
    queries_file: Path
    images: Path
    demo_query: Path
    demo_product_id: str


class _Stamp(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    seed: str
    size: int
    products: int
    images: int
    demo_query: str
    demo_product_id: str


class _Picture(msgspec.Struct, frozen=True):
    """One picture to draw: product number, view (0, 1, ...; -1 is the shopper's) and file name."""

    number: int
    view: int
    name: str


def make_sample(
    folder: Path, products: int = 2000, images: int = 3000, progress: Progress | None = None
) -> SampleCatalogue:
    """The sample catalogue in `folder`, drawn if it is not there yet (about 30 s on two cores).

    The same arguments give the same bytes. Product n is the same in a sample
    of any size. Raises `OperatorError` when the folder cannot be written or
    holds something else, and for counts that do not fit.
    """
    if not 1 <= products <= images:
        raise OperatorError(f"a sample needs at least one image a product: {products} products, {images} images")
    folder = folder.absolute()
    wanted = _stamp(products, images)
    if _existing(folder) == wanted:
        return _catalogue(folder, wanted)
    partial, former = (folder.with_name(f"{folder.name}.{part}-{os.getpid()}") for part in ("partial", "former"))
    _remove_leftovers(folder)
    try:
        _write(partial, wanted, progress)
        if folder.exists():
            folder.rename(former)
        partial.rename(folder)
    except BrokenProcessPool as error:
        raise OperatorError(
            "a process that draws the sample catalogue was killed, most likely for want of memory; free some and repeat"
        ) from error
    except OSError as error:
        raise OperatorError(
            f"cannot make the sample catalogue in {folder}: {error}; free space or choose another VITRINE_HOME"
        ) from error
    finally:
        for rest in (partial, former):
            shutil.rmtree(rest, ignore_errors=True)
    _log.info("event=sample_made folder=%s products=%d images=%d", folder, products, images)
    return _catalogue(folder, wanted)


def _remove_leftovers(folder: Path) -> None:
    """What processes that were killed meanwhile left beside `folder`."""
    for part in ("partial", "former"):
        for rest in folder.parent.glob(f"{folder.name}.{part}-*"):
            pid = rest.name.rpartition("-")[2]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(rest, ignore_errors=True)


def _stamp(products: int, images: int) -> _Stamp:
    demo = product(DEMO_PRODUCT if products > DEMO_PRODUCT else DEMO_PRODUCT % QUERIES_PER_PRODUCTS % products)
    return _Stamp(
        version=VERSION, seed=SEED, size=SIZE, products=products, images=images,
        demo_query=f"images/{_query_name(demo)}", demo_product_id=demo.product_id,
    )  # fmt: skip


def _existing(folder: Path) -> _Stamp | None:
    """The stamp of what lies in `folder`; None where there is none or an older one."""
    if not folder.exists():
        return None
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "sample.json").exists()):
        raise OperatorError(
            f"{folder} holds something that is no sample catalogue; move it away or choose another folder"
        )
    try:
        return msgspec.json.decode((folder / "sample.json").read_bytes(), type=_Stamp)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _catalogue(folder: Path, stamp: _Stamp) -> SampleCatalogue:
    return SampleCatalogue(
        folder=folder,
        products_file=folder / "products.jsonl",
        queries_file=folder / "queries.jsonl",
        images=folder / "images",
        demo_query=folder / stamp.demo_query,
        demo_product_id=stamp.demo_product_id,
    )


def _query_name(of: Product) -> str:
    return f"{of.product_id}-query.jpg"


def _write(folder: Path, stamp: _Stamp, progress: Progress | None) -> None:
    (folder / "images").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    queries: list[dict[str, Any]] = []
    pictures: list[_Picture] = []
    for number in range(stamp.products):
        this = product(number)
        count = (number + 1) * stamp.images // stamp.products - number * stamp.images // stamp.products
        names = [f"{this.product_id}-{view + 1}.jpg" for view in range(count)]
        pictures += [_Picture(number, view, name) for view, name in enumerate(names)]
        rows.append({"product_id": this.product_id, **this.attributes, "images": [f"images/{name}" for name in names]})
        if number % QUERIES_PER_PRODUCTS == DEMO_PRODUCT % QUERIES_PER_PRODUCTS:
            name = _query_name(this)
            pictures.append(_Picture(number, -1, name))
            category = this.attributes["category"]
            query = {"image": f"images/{name}", "product_id": this.product_id, "category": category}
            queries.insert(0 if this.product_id == stamp.demo_product_id else len(queries), query)
    for done, (name, data) in enumerate(_draw_all(pictures), start=1):
        (folder / "images" / name).write_bytes(data)
        if progress is not None:
            progress(done, len(pictures))
    _write_lines(folder / "products.jsonl", rows)
    _write_lines(folder / "queries.jsonl", queries)
    (folder / "sample.json").write_bytes(msgspec.json.encode(stamp))


def _write_lines(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _draw_all(pictures: list[_Picture]) -> Iterator[tuple[str, bytes]]:
    """File names and JPEG bytes in the order of `pictures`; few pictures are not worth a process."""
    processes = min(cores(), 1 + len(pictures) // PICTURES_PER_PROCESS)
    chunks = [pictures[i : i + _CHUNK] for i in range(0, len(pictures), _CHUNK)]
    if processes == 1:
        yield from chain.from_iterable(map(_draw, chunks))
        return
    # Spawned, not forked: the caller may have threads (gRPC, torch), which a fork would copy half.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from chain.from_iterable(pool.map(_draw, chunks))


def cores() -> int:
    """Cores this process may use: a container's limit, not the machine's count."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _draw(pictures: list[_Picture]) -> list[tuple[str, bytes]]:
    return [(picture.name, _jpeg(picture)) for picture in pictures]


def _jpeg(picture: _Picture) -> bytes:
    this = product(picture.number)
    random = Random(f"{SEED}/view/{picture.number}/{picture.view}")
    view = shopper_view(random) if picture.view < 0 else catalogue_view(random, first=picture.view == 0)
    buffer = io.BytesIO()
    photograph(this.parts, this.finish, view).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()

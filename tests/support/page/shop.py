"""A real blender over two real shards in this process, with an embedded sample catalogue: what the page talks to."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from indexing.look.first import first_look
from indexing.shard.shard import Shard
from sample import SampleCatalogue, make_sample
from schemas.deltas.delta import DeltaBatch, Progress, attributes_json, decode_deltas, encode_deltas
from schemas.features.said import with_said
from schemas.features.stored import feature_bytes
from schemas.full_index.generation import LIVE
from schemas.ids import image_id, sequence, shard_of_product
from schemas.settings import load_settings
from serving.blender.embedding.encoders import Encoders
from serving.blender.embedding.vision_embedder import load_embedder
from serving.blender.http.api import create_app
from serving.blender.http.connection.server import http_server
from serving.blender.http.uploads import Uploads
from serving.blender.metrics import BlenderMetrics
from serving.blender.reports import Reports
from serving.blender.service import BlenderService
from serving.blender.showing.examples import Examples
from serving.blender.showing.pictures import Pictures
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.shoppers.search_log import report_from_memory
from vision.extractor import extractor_id
from vision.fetching.fetch import fetch
from vision.fetching.policy import FetchPolicy

SHARDS = 2
ENCODER = "efficientnet_lite0_blocks"
"""Whose look has parts: the page shows what it can."""
_EMBEDDED_AT_ONCE = 16
_COLUMNS = {"product_id", "images", "price", "sales", "praise"}


class Shop:
    """`with Shop(folder) as shop`: listens on `shop.address`. `searchers` are its shards, to be failed and mended."""

    def __init__(self, home: Path, products: int = 40, images: int = 60, port: int = 0) -> None:
        self.sample: SampleCatalogue = make_sample(home / "sample", products, images)
        self.products: list[dict[str, Any]] = _lines(self.sample.products_file)
        self.queries: list[dict[str, Any]] = _lines(self.sample.queries_file)
        settings = load_settings({}, home=str(home))
        self._look = first_look(extractor_id(ENCODER), settings.layout.looks)
        self._noted: list[NDArray[np.float32]] = []
        self._embedder = load_embedder(settings, ENCODER, "", self._look, lambda _, base: self._noted.append(base))
        self._features: dict[str, bytes] = {}
        self.searchers = [SearcherService(shard, 0, self._look, shards=SHARDS) for shard in range(SHARDS)]
        self._port = port
        metrics = BlenderMetrics()
        policy = FetchPolicy.from_settings(settings)
        app = create_app(
            BlenderService(
                BrokerService(lambda shard, _: LocalBackend(self.searchers[shard]), SHARDS),
                Encoders(self._look.extractor_id, LIVE, lambda _extractor_id, _generation: self._embedder, metrics),
                metrics,
            ),
            Pictures(lambda url: fetch(url, policy)),
            Uploads(settings.query_max_bytes),
            examples=Examples(settings.layout.sample),
            reports=Reports(settings.kafka, read=report_from_memory),
        )
        self._server = http_server(app)

    def __enter__(self) -> Shop:
        listener = socket.create_server(("127.0.0.1", self._port))
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve(sockets=[listener])))
        self._thread.start()
        self.restock()
        while httpx.get(f"{self.address}/readyz", timeout=60).status_code != 200:
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    def restock(self, age_ms: int = 0) -> None:
        """Begins new shards that hold the whole sample, as fresh as `age_ms` ago, and ready."""
        self._features = self._features or self._embedded()
        for searcher in self.searchers:
            searcher.begin(Shard(searcher.extractor_id, searcher.dimension, searcher.look))
            searcher.ready()
        batches = self._batches(age_ms)
        for product in self.products:
            for image in product["images"]:
                self._add(batches, product, (self.sample.folder / image).as_uri(), self._features[image], 1)
        self._apply(batches)

    def heartbeat(self) -> None:
        """What the log's heartbeats do: the shards know every event up to now."""
        self._apply(self._batches())

    def list_product(
        self,
        product: dict[str, Any],
        url: str,
        vector_of: str | None,
        seq: int = 2,
        words: Sequence[str] = (),
        objects: Sequence[str] = (),
    ) -> None:
        """Lists `product` with the picture `url` and the vector of the sample's image `vector_of` (None: awaited).

        words, objects: read and seen in it.
        """
        batches = self._batches()
        feature = None if vector_of is None else with_said(self._features[vector_of], words, objects)
        self._add(batches, product, url, feature, seq)
        self._apply(batches)

    def _embedded(self) -> dict[str, bytes]:
        names = [image for product in self.products for image in product["images"]]
        features: dict[str, bytes] = {}
        for first in range(0, len(names), _EMBEDDED_AT_ONCE):
            some = names[first : first + _EMBEDDED_AT_ONCE]
            inputs = [self._embedder.prepare((self.sample.folder / name).read_bytes()) for name in some]
            self._embedder.embed(inputs)
            features.update(zip(some, feature_bytes(self._noted[-1], self._look.features_id), strict=True))
        return features

    def _add(
        self, batches: list[DeltaBatch], product: dict[str, Any], url: str, vector: bytes | None, seq: int
    ) -> None:
        attributes = {name: value for name, value in product.items() if name not in _COLUMNS}
        batches[shard_of_product(product["product_id"], SHARDS)].add(
            image_id(product["product_id"], url),
            product["product_id"],
            state_seq=sequence(1, seq),
            valid=True,
            image_seq=sequence(1, 1),
            url=url,
            category=product["category"],
            brand=product["brand"],
            price=product["price"],
            sales=product["sales"],
            praise=product["praise"],
            attributes=attributes_json(attributes),
            vector_seq=0 if vector is None else sequence(1, seq),
            vector=vector,
        )

    def _batches(self, age_ms: int = 0) -> list[DeltaBatch]:
        timestamp_ms = time.time_ns() // 1_000_000 - age_ms
        progress = [Progress(0, 1, sequence(1, timestamp_ms), timestamp_ms)]
        return [DeltaBatch(extractor_id=self._look.features_id, progress=progress) for _ in self.searchers]

    def _apply(self, batches: list[DeltaBatch]) -> None:
        for searcher, batch in zip(self.searchers, batches, strict=True):
            assert searcher.index is not None
            searcher.index.apply(decode_deltas(encode_deltas(batch)))


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

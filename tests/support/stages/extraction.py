"""The extraction stage over stores and a site of its own, with a real child process."""

from __future__ import annotations

import io
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Container
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.stage import ExtractionConfig, ExtractionStage
from jobs.pipeline.stage import Out, Record
from schemas.deltas.delta import decode_deltas
from schemas.events.dead_letter import DeadLetter, decode_dead_letter
from schemas.events.extract_request import ExtractRequest, decode_requests, encode_request
from schemas.ids import image_id, image_key
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS, INDEX_DELTAS
from tests.support.metrics import CountingMetrics
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy

ENCODER = "efficientnet_lite0"


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((64, 64)).save(out, "JPEG")
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of 1.6 GB when decoded, of a few hundred bytes, as far as its header goes."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


class Site:
    """`/ok/N`, `/same/N` (equal bytes), `/flaky/N` (500 once), `/slow/N` (until released), `/broken`, `/bomb`, ..."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.release = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path
                site.hits[path] += 1
                if path.startswith("/slow"):
                    site.release.wait(60)
                if path.endswith("/missing") or (path.startswith("/flaky") and site.hits[path] == 1):
                    self.send_error(404 if path.endswith("/missing") else 500)
                    return
                if path == "/inward":
                    self.send_response(302)
                    self.send_header("Location", "http://10.1.2.3/x.jpg")
                    self.end_headers()
                    return
                number = 7 if path.startswith("/same") else int(path.rpartition("/")[2] or 0, 36) % 10_000
                body = {"/broken": b"not a picture", "/bomb": bomb()}.get(path) or picture(number)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"


class World:
    """A stage over a store and a web site of its own; `further`: extractors besides that of ENCODER."""

    def __init__(self, folder: Path, *further: ExtractorSpec, batch: int = 32) -> None:
        self.site = Site()
        self.metrics = CountingMetrics()
        self.config = ExtractionConfig(
            store_folder=str(folder / "features"),
            feature_partitions=1,
            delta_partitions=2,
            extractors=(ExtractorSpec(extractor_id(ENCODER), ENCODER), *further),
            grace_s=0.3,
            retry_s=0.05,
            backoff_s=0.001,
            max_attempts=3,
            policy=FetchPolicy(allowed_networks=("127.0.0.0/8",), allowed_buckets=("shop",), timeout_s=30.0),
            batch=batch,
        )
        self.stage = ExtractionStage(self.config)
        self.stage.open(self.metrics)

    def request(self, path: str, product: str = "p", extractor: str = "") -> ExtractRequest:
        url = path if path.startswith("s3:") else self.site.url(path)
        return ExtractRequest(
            product_id=product,
            image_id=image_id(product, url).hex(),
            image_key=image_key(url).hex(),
            url=url,
            vector_seq=5,
            extractor_id=extractor or self.config.main.extractor_id,
        )

    def process(self, *requests: ExtractRequest) -> list[Out]:
        now_ms = time.time_ns() // 1_000_000
        return self.stage.process([Record(b"0", encode_request(r), 0, i, now_ms) for i, r in enumerate(requests)])

    def until_settled(self, *requests: ExtractRequest) -> list[Out]:
        """Feeds requests that come back until none does."""
        out, held_up = self.until_only(set(), *requests)
        assert not held_up
        return out

    def until_only(self, stuck: Container[str], *requests: ExtractRequest) -> tuple[list[Out], list[ExtractRequest]]:
        """Feeds requests that come back, those for the URLs `stuck` aside; what came, and those as they came back.

        On a loaded machine any image may go round once more.
        """
        out: list[Out] = []
        held_up: list[ExtractRequest] = []
        waiting = list(requests)
        for _ in range(1000):
            records = self.process(*waiting)
            again = [each for r in records if r.topic == EXTRACT_REQUESTS for each in decode_requests(r.value)]
            out += [r for r in records if r.topic != EXTRACT_REQUESTS]
            held_up += [request for request in again if request.url in stuck]
            waiting = [request for request in again if request.url not in stuck]
            if not waiting:
                return out, held_up
        raise AssertionError(f"still going round: {waiting}")


def vectors(out: list[Out]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for record in out:
        if record.topic == INDEX_DELTAS:
            batch = decode_deltas(record.value)
            assert batch.state_seq == [0] * len(batch)
            found.update({i: v for i, v in zip(batch.image_id, batch.vector, strict=True) if v is not None})
    return found


def refusals(out: list[Out]) -> dict[bytes, int]:
    batches = [decode_deltas(record.value) for record in out if record.topic == INDEX_DELTAS]
    return {i: seq for batch in batches for i, seq in zip(batch.image_id, batch.refused_seq, strict=True) if seq}


def letters(out: list[Out]) -> list[DeadLetter]:
    return [decode_dead_letter(record.value) for record in out if record.topic == DEAD_LETTERS]

"""The extraction stage's child process: fetches, decodes and runs the network (`python -m` of this module).

A process of its own, because the network would take the Python worker's
interpreter lock, and because a decoder that a hostile image crashes then
takes nothing else down. Orders come on standard input; when it ends, the
parent is gone, and so is this process. Reports go to what was standard
output, which is turned into standard error for everything else.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from jobs.pipeline.extraction.fetch_queue import CutShort, FetchQueue, Turn
from jobs.pipeline.extraction.large_pictures import LARGE_PIXELS, LargePictures
from jobs.pipeline.extraction.protocol import (
    Broken,
    Configure,
    Embed,
    Embedded,
    Failed,
    Fetch,
    Fetched,
    Forget,
    Held,
    PutOff,
    Ready,
    Report,
    receive_order,
    send,
)
from jobs.pipeline.extraction.rooms import GIVE_UP_AFTER, Outcome
from schemas.errors import OperatorError, RejectedError, TransientError
from schemas.features.said import with_said
from schemas.features.stored import feature_bytes
from schemas.ids import content_hash

if TYPE_CHECKING:
    from jobs.pipeline.extraction.preparing import Prepared

log = logging.getLogger("jobs.extraction")

_Keyed: TypeAlias = "tuple[bytes, Prepared]"
"""An image's key, and what became of its file."""


class ExtractingChild:
    """A thread per fetch, a few that decode, one for the network; the main thread takes the orders.

    It is what the queue of fetches calls back (`jobs.pipeline.extraction.fetch_queue.Callbacks`).
    """

    def __init__(self, configure: Configure, reports: BinaryIO) -> None:
        from vision.extractor import extractor_id, is_efficientnet_lite

        if is_efficientnet_lite(configure.encoder):  # known in milliseconds, the network in seconds
            _check(extractor_id(configure.encoder, configure.weights), configure)

        from jobs.pipeline.extraction.preparing import Preparer
        from vision.embedder import create_embedder
        from vision.fetching.fetch import CONNECTIONS, Fetcher
        from vision.pictures.decode import held_pixels

        self._reports = reports
        self._lock = threading.Lock()
        self._batch = configure.batch
        connections = configure.fetch_threads + CONNECTIONS
        self._fetcher = Fetcher(configure.policy, connections)
        self._embedder = create_embedder(configure.encoder, configure.weights, configure.device, configure.threads)
        _check(self._embedder.extractor_id, configure)
        self._preparer = Preparer(configure, self._embedder)
        self._files: dict[bytes, bytes] = {}
        self._prepared: queue.Queue[_Keyed] = queue.Queue()
        self._held_pixels = held_pixels
        self._large = LargePictures(self._decode)
        self._decoders = ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="decode")
        self._fetches = FetchQueue(self, configure.fetch_threads, configure.fetches_per_host)
        threading.Thread(target=self._embed_forever, name="network", daemon=True).start()
        self._report(Ready(self._embedder.extractor_id))

    def obey(self, order: Fetch | Embed | Forget) -> None:
        match order:
            case Fetch(image_key, url):
                self._fetches.submit(image_key, url)
            case Embed(image_key):
                self._decoders.submit(self._prepare, image_key)
            case Forget(image_key):
                self._file(image_key)

    def _report(self, report: Report) -> None:
        with self._lock:
            try:
                send(self._reports, report)
            except OSError:
                os._exit(0)  # the parent is gone

    def fetch(self, key: bytes, url: str, turn: Turn) -> Outcome:
        started = time.perf_counter()
        try:
            data = self._fetcher.fetch(url, turn)
        except CutShort:
            return Outcome.CUT
        except RejectedError as error:
            self._report(Failed(key, error.reason, error.detail, False))
            return Outcome.ANSWERED
        except TransientError as error:
            self._report(Failed(key, error.reason, error.detail, True))
            return Outcome.FAILED
        except Exception as error:
            log.exception("event=fetch_failed url=%s", url)
            self._report(Failed(key, "fetch_failed", f"{url}: {type(error).__name__}: {error}", True))
            return Outcome.FAILED
        self._files[key] = data
        turn.keep()
        self._report(Fetched(key, content_hash(data), (time.perf_counter() - started) * 1000))
        return Outcome.ANSWERED

    def locate(self, url: str, then: Callable[[str], None]) -> None:
        self._fetcher.locate(url, then)

    def hold(self, key: bytes) -> None:
        self._report(Held(key))

    def put_off(self, key: bytes, wait_s: float) -> None:
        self._report(PutOff(key, wait_s))

    def give_up(self, key: bytes, url: str) -> None:
        detail = f"{url}: its host failed {GIVE_UP_AFTER} times in a row or more; not tried this time"
        self._report(Failed(key, "host_failing", detail, True))

    def _file(self, key: bytes) -> bytes:
        """The fetched bytes, which from now on the caller alone holds; none where nothing was fetched."""
        self._fetches.release(key)
        return self._files.pop(key, b"")

    def _prepare(self, key: bytes) -> None:
        """Decodes beside the network, which works on the images before; large pictures beside the others."""
        with self._failure_reported(key):
            data = self._file(key)
            if self._held_pixels(data) <= LARGE_PIXELS:
                self._decode(key, data)
            elif (wait_s := self._large.submit(key, data)) is not None:
                self._report(PutOff(key, wait_s))
            else:
                self._report(Held(key))

    def _decode(self, key: bytes, data: bytes) -> None:
        with self._failure_reported(key):
            self._prepared.put((key, self._preparer.prepare(key, data)))

    @contextmanager
    def _failure_reported(self, key: bytes) -> Iterator[None]:
        """Whatever goes wrong inside is the image's end, and not the thread's."""
        try:
            yield
        except RejectedError as error:
            self._report(Failed(key, error.reason, error.detail, False))
        except Exception as error:
            log.exception("event=prepare_failed image_key=%s", key.hex())
            self._report(Failed(key, "image_not_prepared", f"{type(error).__name__}: {error}", False))

    def _embed_forever(self) -> None:
        """Takes what is prepared, and waits for no more: where the network is slower, more of it gathers meanwhile."""
        while True:
            images = [self._prepared.get()]
            while len(images) < self._batch:
                try:
                    images.append(self._prepared.get_nowait())
                except queue.Empty:
                    break
            self._embed(images)

    def _embed(self, images: list[_Keyed]) -> None:
        started = time.perf_counter()
        try:
            rows = self._embedder.embed([prepared.pixels for _, prepared in images])
            vectors = feature_bytes(rows, self._embedder.extractor_id)
        except Exception as error:
            log.exception("event=embed_failed images=%d", len(images))
            for key, _ in images:
                self._report(Failed(key, "network_failed", f"{type(error).__name__}: {error}", True))
            return
        share_ms = (time.perf_counter() - started) * 1000 / len(images)
        for (key, (_, words, objects)), vector in zip(images, vectors, strict=True):
            self._report(Embedded(key, with_said(vector, words, objects), share_ms))


def _check(extractor_id: str, configure: Configure) -> None:
    if extractor_id != configure.extractor_id:
        raise OperatorError(
            f"the extraction process runs {extractor_id}, the job was submitted for {configure.extractor_id}: "
            "give both the same encoder and weights, and submit the job again"
        )


def _be_the_first_to_go() -> None:
    """Where memory runs out, the kernel ends this process, which can be replaced, and not the Flink worker."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError as error:
        log.info("event=oom_score_unchanged reason=%r", str(error))


def main() -> int:
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _be_the_first_to_go()
    orders = sys.stdin.buffer
    configure = receive_order(orders)
    if not isinstance(configure, Configure):
        return 0
    os.nice(configure.niceness)
    try:
        worker = ExtractingChild(configure, reports)
    except (OperatorError, OSError) as error:
        send(reports, Broken(str(error)))
        return 2
    while (order := receive_order(orders)) is not None:
        assert not isinstance(order, Configure)
        worker.obey(order)
    os._exit(0)  # threads that still fetch must not keep this process


if __name__ == "__main__":
    sys.exit(main())

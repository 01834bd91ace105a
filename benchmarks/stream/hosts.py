"""How long a healthy host's new image takes while other hosts hang, and how fast images come when none hangs.

    python -m benchmarks.stream.hosts [--hanging 120] [--images 20] [--probes 20]

The extraction stage is fed from a queue in the topic's place, with real child
process, network and store; hosts are real servers on loopback addresses. While
they hang, a healthy host gets a new image every half second: `known_ms` on one
that has answered before, `new_ms` on one that was never asked. Hanging hosts
take the connection and the request and say nothing: each on an address of its
own (`addresses`), or all on one (`names`); each has `--images` images waiting.
Times are from the request in the queue to the feature out of the stage.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.harness.result import write_result
from benchmarks.load.image_hosts import Behaviour, ImageHosts, drip, picture, silence
from benchmarks.load.stage_loop import StageLoop
from benchmarks.stream.extraction import Counters
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy

Figures = dict[str, float]

ENCODER = "efficientnet_lite0"
PAUSE_S = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="hosts", help="of the result; another than hosts keeps the one in the tree")
    parser.add_argument("--hanging", type=int, default=120, help="hosts that hang")
    parser.add_argument("--images", type=int, default=20, help="images waiting on each of them")
    parser.add_argument("--probes", type=int, default=20, help="new images of healthy hosts in each setting")
    parser.add_argument("--rate-images", type=int, default=600, help="images of the rate without hanging hosts")
    parser.add_argument("--settings", nargs="*", choices=list(SETTINGS), default=list(SETTINGS))
    arguments = parser.parse_args()
    figures: dict[str, Figures] = {}
    for setting in arguments.settings:
        measure = SETTINGS[setting]
        hosts = ImageHosts()
        with tempfile.TemporaryDirectory(prefix="vitrine-bench-hosts-") as folder:
            loop = StageLoop(_config(Path(folder)), Counters())
            try:
                first = hosts.add(picture)
                loop.submit(f"http://{first}/warm")
                loop.wait(f"http://{first}/warm")
                figures[setting] = measure(hosts, loop, first, arguments)
            finally:
                loop.stop()
                hosts.close()
        print(setting, figures[setting], flush=True)
    write_result(arguments.name, {key: v for key, v in vars(arguments).items() if key != "name"}, figures)


def alone(hosts: ImageHosts, loop: StageLoop, known: str, arguments: argparse.Namespace) -> Figures:
    return _probe(hosts, loop, known, arguments.probes)


def addresses(hosts: ImageHosts, loop: StageLoop, known: str, arguments: argparse.Namespace) -> Figures:
    return _beside(hosts, loop, known, arguments, silence, lambda number: f"127.0.1.{number + 1}")


def names(hosts: ImageHosts, loop: StageLoop, known: str, arguments: argparse.Namespace) -> Figures:
    return _beside(hosts, loop, known, arguments, silence, lambda number: "127.0.1.1")


def dripping(hosts: ImageHosts, loop: StageLoop, known: str, arguments: argparse.Namespace) -> Figures:
    return _beside(hosts, loop, known, arguments, drip, lambda number: f"127.0.1.{number + 1}")


def backlog(hosts: ImageHosts, loop: StageLoop, known: str, arguments: argparse.Namespace) -> Figures:
    """A healthy host's images beside a thousand of another healthy host."""
    great = hosts.add(picture, "127.0.2.1")
    loop.submit(*(f"http://{great}/{number}" for number in range(1000)))
    return _probe(hosts, loop, known, min(arguments.probes, 8))


def rate(hosts: ImageHosts, loop: StageLoop, known: str, arguments: argparse.Namespace) -> Figures:
    healthy = [hosts.add(picture, f"127.0.2.{number + 1}") for number in range(8)]
    urls = [f"http://{healthy[number % 8]}/{number}" for number in range(arguments.rate_images)]
    started = time.monotonic()
    loop.submit(*urls)
    ended = max(loop.wait(url) for url in urls)
    return {"images_per_s": round(len(urls) / (ended - started), 1), "sent_round": loop.rounds}


SETTINGS: dict[str, Callable[[ImageHosts, StageLoop, str, argparse.Namespace], Figures]] = {
    "alone": alone,
    "hanging_addresses": addresses,
    "hanging_names": names,
    "dripping_addresses": dripping,
    "backlog_of_a_healthy_host": backlog,
    "none_hanging": rate,
}


def _beside(
    hosts: ImageHosts,
    loop: StageLoop,
    known: str,
    arguments: argparse.Namespace,
    behaviour: Behaviour,
    address: Callable[[int], str],
) -> Figures:
    hanging = [hosts.add(behaviour, address(number)) for number in range(arguments.hanging)]
    loop.submit(*(f"http://{host}/{image}" for image in range(arguments.images) for host in hanging))
    return _probe(hosts, loop, known, arguments.probes)


def _probe(hosts: ImageHosts, loop: StageLoop, known: str, probes: int) -> Figures:
    """Times of new images, one at a time, on the known host and on hosts never asked."""
    rounds, took = loop.rounds, {"known": [0.0] * probes, "new": [0.0] * probes}
    began = time.monotonic()
    for number in range(probes):
        for kind, host in (("known", known), ("new", hosts.add(picture, f"127.0.3.{number + 1}"))):
            url, submitted = f"http://{host}/{kind}/{number}", time.monotonic()
            loop.submit(url)
            took[kind][number] = loop.wait(url) - submitted
            time.sleep(PAUSE_S)
    child = psutil.Process(loop.child_pid)
    seconds = time.monotonic() - began
    figures: Figures = {
        f"{kind}_{name}_ms": round(1000 * value)
        for kind, times in took.items()
        for name, value in (("p50", sorted(times)[len(times) // 2]), ("max", max(times)))
    }
    figures["longest_call_ms"] = round(1000 * loop.longest_call_s)
    figures["rounds_per_s"] = round((loop.rounds - rounds) / seconds)
    figures["child_mib"] = round(child.memory_info().rss / 2**20)
    figures["child_threads"] = child.num_threads()
    return figures


def _config(folder: Path) -> ExtractionConfig:
    return ExtractionConfig(
        store_folder=str(folder / "features"),
        feature_partitions=1,
        delta_partitions=2,
        extractors=(ExtractorSpec(extractor_id(ENCODER), ENCODER),),
        policy=FetchPolicy(allowed_networks=("127.0.0.0/8",)),
    )


if __name__ == "__main__":
    main()

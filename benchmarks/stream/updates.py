"""Benchmark `updates`: the greatest sustained rate of JD's mix, end to end, load generator and all on this machine.

1. The index holds --images images, one a product, whose features are in the
   feature store; the shards have trained their inverted lists.
2. Backlog: --events of the mix are produced as fast as the log takes them. Their
   number over the time from the first `send` until every shard reflects the
   last of them is the drain rate; the load generator is part of that time.
3. Sustained: the mix is produced at 90 % of it (or --rate) for --seconds. Where the age of
   the watermark grows, 10 % less is tried next. The rate that holds counts.

New images (1.5 % of the additions) are JPEG files with different bytes, so
each costs an extraction, in the child process that runs at a lower priority
than the rest: its backlog does not delay the events, and is reported.

The network is the default extractor. `--known-only` leaves new images out: what
the rest of the mix, 99.2 % of it, comes to without extraction beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.harness.processes import CpuMeter
from benchmarks.harness.result import write_result
from benchmarks.harness.system import FIRST_PORT, BenchSystem, bench_settings, drawn_weights, temporary_home
from benchmarks.load.drawn import drawn_features
from benchmarks.load.events import LoadGenerator
from benchmarks.load.shop import ADDITIONS, NEW_AMONG_ADDITIONS, draw_pictures, fill_feature_store

LAG_SAMPLE_S = 0.2
HEARTBEAT_MS = 100
"""Five times as often as by default, because the watermark is how the end of a backlog is seen."""
MAX_GROWTH_MS_PER_S = 15.0
"""A watermark whose age grows slower than this keeps up with the rate to 1.5 %."""


def drain(system: BenchSystem, load: LoadGenerator, events: int) -> dict[str, Any]:
    """A backlog, produced and worked off."""
    meter = CpuMeter(system, {"load-generator": load.pid})
    produced = load.run("mix", events)
    applied = system.until_applied(produced.last_append_ms)
    cores = meter.cores()
    return {
        "events": events,
        "kinds": produced.kinds,
        "produced_per_s": round(produced.per_s),
        "drained_per_s": round(events / (applied - produced.began)),
        "pending_images_at_the_end": pending_images(system),
        "cores": cores,
    }


def sustain(system: BenchSystem, load: LoadGenerator, per_s: float, seconds: float) -> dict[str, Any]:
    """Feeds at a steady rate and watches the age of the watermark."""
    meter = CpuMeter(system, {"load-generator": load.pid})
    waiting = pending_images(system)
    load.begin("mix", int(per_s * seconds), per_s)
    began = time.monotonic()
    at, lags = [], []
    while (elapsed := time.monotonic() - began) < seconds:
        lags.append(system.watermark_lag_ms())
        at.append(elapsed)
        time.sleep(LAG_SAMPLE_S)
    cores = meter.cores()
    produced = load.wait()
    # The first fifth is the start from rest.
    settled = len(lags) // 5
    slope = float(np.polyfit(at[settled:], lags[settled:], 1)[0])
    applied = system.until_applied(produced.last_append_ms)
    return {
        "asked_per_s": round(per_s),
        "events_per_s": round(produced.per_s),
        "watermark_age_p50_ms": round(float(np.percentile(lags[settled:], 50))),
        "watermark_age_p99_ms": round(float(np.percentile(lags[settled:], 99))),
        "watermark_age_growth_ms_per_s": round(slope, 1),
        "caught_up_after_s": round(max(0.0, applied - produced.ended), 2),
        "pending_images_at_the_beginning": waiting,
        "pending_images_at_the_end": pending_images(system),
        "holds": slope <= MAX_GROWTH_MS_PER_S and produced.per_s >= 0.98 * per_s,
        "cores": cores,
    }


def extraction_rate(system: BenchSystem, seconds: float = 20.0) -> float | None:
    """Images/s that leave the extraction backlog when nothing else happens; None when none was left."""
    before, began = pending_images(system), time.monotonic()
    if before == 0:
        return None
    now = before
    while now and time.monotonic() - began < seconds:
        time.sleep(LAG_SAMPLE_S)
        now = pending_images(system)
    return round((before - now) / (time.monotonic() - began), 1)


def pending_images(system: BenchSystem) -> int:
    return sum(view.pending for view in system.shards())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream.updates", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=300_000, help="of the backlog")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each paced run")
    parser.add_argument("--tries", type=int, default=5, help="paced runs at most")
    parser.add_argument("--rate", type=float, default=0.0, help="first one tried, events/s; default: 90 % of the drain")
    parser.add_argument("--parallelism", type=int, default=1, help="of the streaming job")
    parser.add_argument("--bundle-time-ms", type=int, default=0, help="default: the system's")
    parser.add_argument("--encoder", default="", help="by name; default: the system's")
    parser.add_argument("--drawn", action="store_true", help="drawn weights, for the encoder of a torchvision network")
    parser.add_argument("--known-only", action="store_true", help="no new images: what extraction costs the rest")
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    parser.add_argument("--name", default="updates", help="name of the result file")
    arguments = parser.parse_args(argv)
    with temporary_home() as home:
        overrides: dict[str, Any] = {"bundle_time_ms": arguments.bundle_time_ms} if arguments.bundle_time_ms else {}
        if arguments.encoder:
            overrides["encoder"] = arguments.encoder
        if arguments.drawn:
            overrides["weights"] = str(drawn_weights(arguments.encoder, home))
        settings = bench_settings(
            home,
            arguments.first_port,
            parallelism=arguments.parallelism,
            heartbeat_interval_ms=HEARTBEAT_MS,
            heartbeat_rest_interval_ms=HEARTBEAT_MS,
            **overrides,
        )
        drawn = drawn_features(settings)
        fill_feature_store(settings, drawn, arguments.images)
        wanted = int(1.2 * ADDITIONS * NEW_AMONG_ADDITIONS * arguments.events * (1 + 0.5 * arguments.tries))
        pictures = [] if arguments.known_only else draw_pictures(home / "pictures", wanted)
        with BenchSystem(settings).running() as system:
            load = LoadGenerator(settings.kafka, arguments.images, new_pictures=pictures)
            with system.progress.step(f"listing {arguments.images} products"):
                listed = load.run("listings", arguments.images)
                applied = system.until_applied(listed.last_append_ms)
                system.until_trained()
            figures: dict[str, Any] = {"first_listing_per_s": round(arguments.images / (applied - listed.began))}
            with system.progress.step(f"a backlog of {arguments.events} events"):
                figures["backlog"] = drain(system, load, arguments.events)
            tried = []
            per_s = arguments.rate or 0.9 * figures["backlog"]["drained_per_s"]
            for _ in range(arguments.tries):
                with system.progress.step(f"{per_s:.0f} events/s for {arguments.seconds:g} s"):
                    tried.append(sustain(system, load, per_s, arguments.seconds))
                if tried[-1]["holds"]:
                    break
                per_s *= 0.9
            if pictures:
                figures["extracted_images_per_s_at_rest"] = extraction_rate(system)
            load.close()
    held = [run["events_per_s"] for run in tried if run["holds"]]
    figures |= {"sustained_events_per_s": held[0] if held else None, "paced_runs": tried}
    parameters = {
        **vars(arguments),
        "extractor": drawn.look.extractor_id,
        "shards": settings.shards,
        "event_partitions": settings.event_partitions,
        "mix": "33 % attribute updates, 53 % additions (1.5 % of them new images), 14 % removals; one image a product",
    }
    write_result(arguments.name, parameters, figures)
    print(f"sustained: {figures['sustained_events_per_s']} events/s; drained: {figures['backlog']['drained_per_s']}/s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

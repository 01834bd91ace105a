"""Build the full index anew from the stores, and publish it (the weekly job).

Runs beside the stream, as bounded jobs on copies of the stores: on a Flink of
its own for that time, or with --cluster on that of `vitrine start`. A build
that was interrupted is simply run again. What it made is checked and then
served, without a query lost; with --no-publish it is only made.
Exit codes: 0 built (and published), 1 it failed or was refused, 2 the set-up
is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from cli.publishing import publish_generation
from cli.runtime.flink.batch_client import BatchClient
from cli.runtime.progress import Progress, Silent
from cli.tables import table
from generations.folder import Generations
from jobs.full_index.build.arguments import add_build_arguments, build_arguments, build_options
from jobs.full_index.build.folder import BuildFolder, latest_built
from jobs.full_index.build.options import build_target
from jobs.full_index.build.progress import read_progress
from schemas.full_index.generation import Generation
from schemas.settings import Settings, load_settings

NAME = "build"

JOB_NAMES = ("vitrine_build_missing", "vitrine_build")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build_arguments(parser)
    parser.add_argument("--no-publish", action="store_true", help="make the generation, and leave what serves")
    parser.add_argument("--cluster", action="store_true", help="on the Flink that vitrine start runs")
    parser.add_argument("--json", action="store_true", help="the generation's manifest as JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    # What no index can have, such as an encoder that does not exist, is refused here, not by a process some time on.
    build_target(settings, build_options(arguments), Generations(settings.layout.generations).serving())
    progress = Silent() if arguments.json else Progress()
    generation = built(settings, build_arguments(arguments), cluster=arguments.cluster, progress=progress)
    print(msgspec.json.encode(generation).decode() if arguments.json else as_text(generation))
    if arguments.no_publish:
        return 0
    report = publish_generation(settings, generation.name, progress)
    print(report.text(), file=sys.stderr if arguments.json else sys.stdout)
    return 0 if report.passed else 1


def built(settings: Settings, arguments: list[str], *, cluster: bool, progress: Progress) -> Generation:
    """Runs the build and reads what it made. Raises what the build's own process said when it failed."""
    folder, client = BuildFolder(settings.layout), BatchClient(settings, NAME, JOB_NAMES)
    if cluster:
        with folder.lock():
            client.cancel_left_over()
    code = client.run(arguments, cluster=cluster, waiting=lambda: _show(folder, progress, client.log_file))
    if code != 0:
        raise client.failure(code)
    return Generations(settings.layout.generations).read(latest_built(settings.layout))


def as_text(generation: Generation) -> str:
    """The generation for a person."""
    size = generation.bytes / 2**20
    lines = [
        f"generation {generation.name}: {generation.searchable} searchable images of {generation.catalogue_valid} "
        f"valid ones, {generation.extractor_id}, {size:.1f} MiB",
        table(
            ("shard", "images", "searchable", "kind", "lists", "nprobe", "recall@10", "digest"),
            [
                (
                    str(number),
                    str(shard.images),
                    str(shard.searchable),
                    shard.kind,
                    str(shard.lists),
                    str(shard.nprobe),
                    f"{shard.recall:.4f}",
                    shard.digest[:12],
                )
                for number, shard in enumerate(generation.shards)
            ],
        ),
        *(f"{part.kind}: " + ("used" if part.used else f"not used: {part.why}") for part in generation.learned),
        "seconds: " + ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in generation.took_s.items()),
    ]
    return "\n\n".join(lines)


def _show(folder: BuildFolder, progress: Progress, log_file: Path) -> None:
    """All units as one bar: extraction alone while it runs, then the mean of catalogue partitions and shards."""
    states = read_progress(folder.work / "progress")
    if not states:
        progress.waiting(f"the build; its log is {log_file}")
        return
    share = sum(state.done for state in states) / len(states)
    phases = sorted({f"{state.unit.partition('-')[0]} {state.phase}" for state in states if state.phase != "done"})
    images = sum(state.images for state in states if state.unit.startswith("shard"))
    progress.bar(share, f"{images} images; {', '.join(phases) or 'sealing'}")

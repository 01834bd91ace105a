"""Compare the live system with the log, heal what differs, try again what failed (the nightly replay).

Runs as bounded jobs on copies of the stores, while the stream runs on: on a
Flink of its own for that time, or with --cluster on that of `vitrine start`.
A replay that was interrupted is simply run again.
Exit codes: 0 the system is as the log says (now), 1 it is not, 2 the set-up
is wrong. The report is replay/report.json in VITRINE_HOME.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.runtime.flink.batch_client import BatchClient
from cli.runtime.progress import Progress
from cli.tables import table
from jobs.full_index.replay.arguments import add_replay_arguments, replay_arguments
from jobs.full_index.replay.position import ReplayFolder
from jobs.full_index.replay.report import ReplayReport, decode_report
from schemas.settings import load_settings

NAME = "replay"

JOB_NAMES = ("vitrine_replay", "vitrine_replay_audit", "vitrine_replay_heal")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_replay_arguments(parser)
    parser.add_argument("--cluster", action="store_true", help="on the Flink that vitrine start runs")
    parser.add_argument("--json", action="store_true", help="the report as JSON instead of tables")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    client, progress = BatchClient(settings, "replay", JOB_NAMES), Progress()
    if arguments.cluster:
        with ReplayFolder(settings.layout.replay).lock():
            client.cancel_left_over()
    report_file = settings.layout.replay / "report.json"
    before = _modified(report_file)
    code = client.run(
        replay_arguments(arguments),
        cluster=arguments.cluster,
        waiting=lambda: progress.waiting(f"the replay; its log is {client.log_file}"),
    )
    if _modified(report_file) == before:
        raise client.failure(code)
    data = report_file.read_bytes()
    print(data.decode() if arguments.json else as_text(decode_report(data)))
    return code


def as_text(report: ReplayReport) -> str:
    """The report for a person."""
    catalogue, features = report.catalogue, report.features
    parts = [
        f"replayed {report.records} records over the {report.base} base in {report.took_s:.1f} s: "
        f"offsets {report.begins} to {report.ends}"
        + ("" if report.settled else "; the stream had not come that far, so what it has yet to do shows as differing"),
        table(
            ("products", "listed", "images", "missing", "unknown", "different", "behind", "moved on"),
            [
                tuple(
                    str(number)
                    for number in (
                        catalogue.products,
                        catalogue.listed,
                        catalogue.valid_images,
                        catalogue.missing,
                        catalogue.unknown,
                        catalogue.different,
                        catalogue.behind,
                        catalogue.moved_on,
                    )
                )
            ],
        ),
        f"compared with generation {report.generation}, of {report.extractor_id}:\n"
        + table(
            ("shard", "verdict", "truth", "digest", "after healing"),
            [
                (f"{s.shard}-{s.replica}", s.verdict, s.truth[:12], s.digest[:12] or "-", s.after[:12] or "-")
                for s in report.shards
            ],
        ),
        f"vectors: {features.missing} missing ({features.retried} given up before), {features.recovered} recovered, "
        f"{features.given_up} given up for good, {features.erased} erased",
    ]
    if report.sample.asked:
        wrong = sum(report.sample.wrong.values())
        parts.append(f"sample: {report.sample.asked} products asked, {wrong} differ, {report.sample.skipped} moved on")
    if report.healed_rows:
        parts.append(f"healed: {report.healed_rows} image states of {report.healed_products} products sent")
    parts += [f"example: {text}" for text in (*catalogue.examples, *report.sample.examples, *features.examples)[:20]]
    parts += [f"problem: {problem}" for problem in report.left_wrong]
    if report.found_nothing and not report.left_wrong:
        parts.append("nothing differs")
    return "\n\n".join(parts)


def _modified(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0

"""Writes docs/benchmarks.md from the results in benchmarks/results: `python -m benchmarks.report`.

The references are those of the design (section 6). A benchmark without a
result has no row; results written while other work ran are named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.result import REPOSITORY, RESULTS

DOCUMENT = REPOSITORY / "docs" / "benchmarks.md"

FULL_LOAD = 8.0
"""Load average above which not all of it can be the benchmark's own: the whole system's is 3 to 6 when saturated."""

Result = Mapping[str, Any]
Row = tuple[str, str, str, str]
"""What; reference; ours; where the time goes."""

HEAD = """# Benchmarks

Written by `python -m benchmarks.report` from the JSON files in `benchmarks/results`, each with machine, commit and
parameters; `make bench-NAME` measures one anew, `make bench` all. What each does is said at the top of its file and in
[benchmarks/README.md](../benchmarks/README.md).

| what | reference | ours | where the time goes |
|---|---|---|---|
"""


def freshness(result: Result) -> list[Row]:
    rows = []
    for name, found in result["figures"].items():
        total, parts = found["event_to_searchable_ms"], found["where_the_time_goes_ms"]
        rows.append(
            (
                f"event to searchable, {name.removeprefix('at_').removesuffix('_per_s')} events/s",
                "JD mean 132 ms, p90 223, p99 816" if "500" in name else "",
                f"mean {total['mean']} ms, p50 {total['p50']}, p90 {total['p90']}, p99 {total['p99']}",
                f"producer to log {parts['producer_to_log']['mean']} ms, Flink (fetch, bundle, stage) "
                f"{parts['log_to_delta_by_flink']['mean']} ms, sink, Kafka, searcher and the probe's poll "
                f"{parts['delta_to_searchable']['mean']} ms (means); cores: {_cores(found)}",
            )
        )
    return rows


def updates(result: Result) -> list[Row]:
    figures = result["figures"]
    backlog, last = figures["backlog"], figures["paced_runs"][-1]
    sustained = figures["sustained_events_per_s"]
    ours = f"{sustained:,} events/s sustained" if sustained else "none of the rates tried held"
    return [
        (
            f"updates, JD's mix on {result['parameters']['images']:,} images"
            + (", known ones alone" if result["parameters"]["known_only"] else ""),
            "JD's whole site: 11,300/s on average",
            f"{ours} (watermark p50 {last['watermark_age_p50_ms']} ms old, p99 {last['watermark_age_p99_ms']}); "
            f"{backlog['drained_per_s']:,}/s from a backlog",
            f"cores while a backlog drains: {_cores(backlog)}; images left to the CNN at the end: "
            f"{last['pending_images_at_the_end']:,}",
        )
    ]


def queries(result: Result) -> list[Row]:
    figures, rows = result["figures"], []
    references = {"vectors": "JD 1,800/s on 26 servers, p99 300 ms", "photos": ""}
    for kind, reference in references.items():
        alone, beside = figures[f"{kind}_alone"], figures[f"{kind}_under_updates"]
        shares = figures[f"{kind}_rate_under_updates_over_alone"]
        for key, found in alone.items():
            rows.append(
                (
                    f"{kind} over HTTP, {key.replace('_', ' ')}",
                    reference,
                    f"{found['queries_per_s']:,}/s, p50 {found['p50_ms']} ms, p99 {found['p99_ms']}; under "
                    f"{beside['updates_per_s']:,} updates/s {beside[key]['queries_per_s']:,}/s "
                    f"({100 * (shares[key] - 1):+.0f} %), p50 {beside[key]['p50_ms']}, p99 {beside[key]['p99_ms']}",
                    f"cores alone: {_cores(found)}",
                )
            )
    rows.append(
        (
            "recall@10 against exact search",
            "0.95 usual",
            f"{figures['recall_at_10']}; after the updates {figures['recall_at_10_after_updates']}",
            "",
        )
    )
    return rows


def shard(result: Result) -> list[Row]:
    figures = result["figures"]
    return [
        (
            "one shard, one thread, against faiss IndexIVFFlat frozen",
            f"faiss {figures['faiss_frozen_queries_per_s']:,.0f}/s",
            f"{figures['shard_queries_per_s']:,.0f}/s at recall@10 {figures['recall_at_10']}",
            "the answer is whole here (product, URL, price, attributes), faiss gives row numbers",
        )
    ]


def delisted(result: Result) -> list[Row]:
    return [
        (
            f"one shard, one thread, 40 % off the shelf, {kind} vectors, recall@10 {recall.removeprefix('recall_')}",
            ", ".join(
                f"{name.replace('_', ' ')} {found[f'{name}_queries_per_s']:,.0f}/s"
                for name in ("faiss_frozen", "hnswlib")
                if f"{name}_queries_per_s" in found
            ),
            f"{found['shard_queries_per_s']:,.0f}/s",
            "the answer is whole here, theirs is row numbers",
        )
        for kind, recalls in result["figures"].items()
        for recall, found in recalls.items()
    ]


def churn(result: Result) -> list[Row]:
    figures = result["figures"]
    first, last = figures["days"][0], figures["days"][-1]
    return [
        (
            f"a week of JD's mix on one shard, {figures['events']:,} events on {first['searchable']:,} images",
            "",
            f"recall@10 {first['recall_at_10']} to {last['recall_at_10']}, "
            f"{100 * (figures['queries_per_s_after_over_before'] - 1):+.0f} % queries/s, "
            f"{first['memory_mib']:.0f} to {last['memory_mib']:.0f} MiB",
            "",
        )
    ]


def scale(result: Result) -> list[Row]:
    return [
        (
            f"one shard of {int(name.removesuffix('_images')):,} images, {found['kind']}",
            "",
            f"query {found['query_us']:.0f} us at recall@10 {found['recall_at_10']}, new price "
            f"{found['price_us']:.0f} us, new picture {found['picture_us']:.0f} us, {found['memory_mib']:.0f} MiB "
            f"({found['memory_over_contents']} of vectors, projections and texts)",
            f"trained in {found['train_s']:.0f} s; from its snapshot to the first answer "
            f"{found['restore_to_first_answer_s']} s",
        )
        for name, found in result["figures"].items()
    ]


def swap(result: Result) -> list[Row]:
    figures, parameters = result["figures"], result["parameters"]
    told = {"quiet": "quiet", "load": "while the new one loads", "both": "both held", "free": "while the old one goes"}
    latencies = "; ".join(
        f"{name} p50 {found['p50_ms']} ms, p99 {found['p99_ms']}, max {found['max_ms']}"
        for phase, name in told.items()
        if (found := figures[phase])["queries"]
    )
    failed = sum(figures[phase].get("failed", 0) for phase in told)
    return [
        (
            f"queries during a swap, {parameters['images']:,} x {parameters['dimension']} in one searcher"
            + (", with real-time priority" if parameters["realtime"] else ""),
            "",
            f"{latencies}; {failed} failed",
            f"files and checksums {figures['files_s']} s, warming and catching up {figures['warm_and_catch_up_s']} s, "
            f"{figures['load_cpu_s']} s of processor time together; {figures['one_index_mib']:,.0f} MiB, at most "
            f"{figures['load_peak_mib']:,.0f} with two",
        )
    ]


def hung(result: Result) -> list[Row]:
    told = {
        "before": "before",
        "noticing": "noticing",
        "stopped": "put aside",
        "resuming": "going on",
        "after": "after",
    }
    rows = []
    for replicas, phases in result["figures"].items():
        rows.append(
            (
                f"queries while a searcher hangs, {replicas.replace('_', ' ')}",
                "",
                "; ".join(
                    f"{name} p50 {found['p50_ms']} ms, p99 {found['p99_ms']}, max {found['max_ms']}"
                    + (f", {found['partial']} of {found['queries']} partial" if found["partial"] else "")
                    for phase, name in told.items()
                    if (found := phases[phase])["queries"]
                )
                + f"; {sum(phases[phase].get('failed', 0) for phase in told)} failed",
                f"ejected after {phases['ejected_after_s']} s, back {phases['back_after_s']} s after it went on",
            )
        )
    return rows


def build(result: Result) -> list[Row]:
    rows = []
    for name, figures in result["figures"].items():
        if not isinstance(figures, dict):
            continue
        phases, ratio = figures["build_phases_s"], figures["build_over_faiss"]
        default = figures.get("faiss_default_s")  # results before it was measured have none
        rows.append(
            (
                f"full index, {int(name.removeprefix('images_')):,} x {result['parameters']['dimension']}",
                f"faiss train + add {figures['faiss_s']:.1f} s, {figures['faiss_memory_mib']:,.0f} MiB"
                + ("" if default is None else f"; with faiss's own sample {default:.1f} s"),
                f"{figures['build_s']:.1f} s ({ratio:.2f} of faiss), {figures['build_memory_mib']:,.0f} MiB "
                f"({figures['build_memory_over_faiss']:.2f}); recall@10 {figures['recall_at_10']} "
                f"with {figures['nprobe']} of {figures['lists']} lists probed",
                "slowest unit of each: "
                + ", ".join(f"{phase.removeprefix('shard_')} {s:.1f} s" for phase, s in phases.items()),
            )
        )
    return rows


def extraction(result: Result) -> list[Row]:
    figures = result["figures"]
    return [
        (
            f"extraction, {result['parameters']['encoder']}",
            f"the network alone {figures['network_alone_images_per_s']} images/s",
            f"{figures['stage_images_per_s']} images/s in the stage",
            f"the network is busy {100 * figures['network_busy_share_in_stage']:.0f} % of the time",
        )
    ]


def hosts(result: Result) -> list[Row]:
    figures, parameters = result["figures"], result["parameters"]
    settings = {
        "alone": "alone",
        "hanging_addresses": f"beside {parameters['hanging']} hosts that hang, {parameters['images']} images each",
        "hanging_names": f"beside {parameters['hanging']} names of one server that hangs",
        "dripping_addresses": f"beside {parameters['hanging']} hosts that send a byte at a time",
    }
    return [
        (
            f"a healthy host's new image, {told}",
            "a minute before ADR 24" if name.startswith("hanging") else "",
            f"p50 {found['known_p50_ms']} ms, max {found['known_max_ms']}; of a host never asked before p50 "
            f"{found['new_p50_ms']}, max {found['new_max_ms']}",
            f"{found['rounds_per_s']:,} requests a second go round; the child has {found['child_threads']} threads",
        )
        for name, told in settings.items()
        if (found := figures.get(name))
    ]


def retrieval(result: Result) -> list[Row]:
    return [
        (
            f"retrieval, {extractor}",
            "",
            ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if "_at_" in name),
            "",
        )
        for extractor, found in result["figures"].items()
        if isinstance(found, dict)
    ]


def chaos(result: Result) -> list[Row]:
    """One row for the whole, one for each part that was hit alone."""
    figures = result["figures"]
    faults = ", ".join(f"{count} {kind}s" for kind, count in figures["faults"].items())
    failed = sum(figures["queries_failed_while_all_ran"].values())
    rows = [
        (
            f"chaos, {figures['rounds']} rounds: {faults}",
            "",
            f"{figures['answers_wrong']} of {figures['answers_judged']:,} answers wrong; "
            f"{figures['digests_different']} of {figures['digests_compared']} digests other than the log's; "
            f"{len(figures['not_recovered'])} rounds not recovered; {failed} queries failed while all parts ran",
            f"{figures['events']:,} events; queries that failed while a part was away: "
            f"{_counts(figures['queries_failed_while_a_part_was_away'])}",
        )
    ]
    for part, by_kind in figures["recovery_s"].items():
        target = by_kind.get("kill", {}).get("target_s")
        told = [
            f"{kind} x {found['times']}: median {found['median']} s, p90 {found['p90']}, max {found['max']}"
            for kind, found in by_kind.items()
            if "median" in found
        ]
        if told:
            asked = "" if target is None else f"killed: {target} s asked for"
            rows.append((f"back and fresh after faults of {part}", asked, "; ".join(told), ""))
    return rows


def soak(result: Result) -> list[Row]:
    figures, parameters = result["figures"], result["parameters"]
    series = figures["series"]
    verdicts: dict[str, int] = {}
    for found in series.values():
        verdicts[found["verdict"]] = verdicts.get(found["verdict"], 0) + 1
    rows = [
        (
            f"soak, {parameters['hours']:g} h of {figures['events_per_s']:g} events/s and queries",
            "flat",
            f"{len(series)} series: {_counts(verdicts)}; rising beyond their bound: "
            f"{', '.join(figures['rises']) or 'none'}",
            f"failures: {_counts(figures['failures'])}",
        )
    ]
    for name in ("freshness_p50_ms", "freshness_p99_ms", "vectors_p99_ms", "photos_p99_ms", "watermark_age_ms"):
        if name in series:
            rows.append((f"soak, {name}", "", _sloped(series[name]), ""))
    memory = {name.partition(" ")[2]: found for name, found in series.items() if name.startswith("memory_mib ")}
    rows += [(f"soak, memory of {name} in MiB", "", _sloped(found), "") for name, found in memory.items()]
    return rows


def _sloped(found: Mapping[str, Any]) -> str:
    return (
        f"mean {found['mean']:,.1f}, {found['slope_per_h']:+,.1f} an hour "
        f"(standard error {found['error_per_h']:,.1f}): {found['verdict']}"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"


def recovery(result: Result) -> list[Row]:
    return [
        (
            f"SIGKILL of {part}, until an answer is fresh",
            f"target {found['target_s']} s" if found["target_s"] else "",
            f"median {found['median_s']} s, at most {found['max_s']} ({len(found['each_s'])} kills)",
            "",
        )
        for part, found in result["figures"].items()
    ]


RENDERERS: dict[str, Callable[[Result], list[Row]]] = {
    "freshness": freshness,
    "updates-known": updates,
    "updates": updates,
    "queries": queries,
    "shard": shard,
    "delisted": delisted,
    "churn": churn,
    "scale": scale,
    "swap": swap,
    "hung": hung,
    "build": build,
    "extraction": extraction,
    "hosts": hosts,
    "retrieval": retrieval,
    "chaos": chaos,
    "soak": soak,
    "recovery": recovery,
}


def document(folder: Path = RESULTS) -> str:
    """The whole text."""
    results = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    lines = []
    for name, render in RENDERERS.items():
        if name in results:
            lines += ["| " + " | ".join(row) + " |\n" for row in render(results[name])]
    runs = ["\n| result | at | commit | machine | load when written |\n|---|---|---|---|---|\n"]
    for name, result in results.items():
        machine = result["machine"]
        runs.append(
            f"| [{name}](../benchmarks/results/{name}.json) | {result['at']} | {result['commit']} "
            f"| {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB | {machine['load_1m']} |\n"
        )
    busy = ", ".join(name for name, result in results.items() if result["machine"]["load_1m"] > FULL_LOAD)
    note = f"\nOther work ran beside {busy} (see the load): what these reach on a machine of their own is more.\n"
    return HEAD + "".join(lines) + (note if busy else "") + "".join(runs)


def _cores(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {cores:.2f}" for name, cores in list(found["cores"].items())[:6])


def main() -> int:
    DOCUMENT.write_text(document())
    print(DOCUMENT.relative_to(REPOSITORY))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

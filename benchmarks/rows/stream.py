"""Rows of what happens to events and images on their way into the index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.rows.row import Result, Row, cores_of


def freshness(result: Result) -> list[Row]:
    rows = []
    for name, found in result["figures"].items():
        rate = name.removeprefix("at_").removesuffix("_per_s")
        if "problem" in found:
            seen = f"not sustained: {found['shown_share']:.0%} of probes shown, {found['events_waiting']:,} events wait"
            rows.append((f"event to searchable, {rate} events/s", "", seen, f"cores: {cores_of(found)}"))
            continue
        total, parts = found["event_to_searchable_ms"], found["where_the_time_goes_ms"]
        rows.append(
            (
                f"event to searchable, {rate} events/s",
                "JD mean 132 ms, p90 223, p99 816" if "500" in name else "",
                f"mean {total['mean']} ms, p50 {total['p50']}, p90 {total['p90']}, p99 {total['p99']}",
                f"producer to log {parts['producer_to_log']['mean']} ms, Flink (fetch, bundle, stage) "
                f"{parts['log_to_delta_by_flink']['mean']} ms, sink, Kafka, searcher and the probe's poll "
                f"{parts['delta_to_searchable']['mean']} ms (means); cores: {cores_of(found)}",
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
            f"cores while a backlog drains: {cores_of(backlog)}; images left to the CNN at the end: "
            f"{last['pending_images_at_the_end']:,}",
        )
    ]


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


def stores(result: Result) -> list[Row]:
    rows = []
    for batch in (10, 100, 1000):
        stage, calls = result["figures"][f"stage_batch_{batch}"], result["figures"][f"calls_batch_{batch}"]
        rows.append(
            (
                f"catalogue stage with its stores on a server, batches of {batch}",
                f"in the home {stage['rocksdb_per_s']:,} events/s",
                f"{stage['server_per_s']:,} events/s, {stage['server_rate_of_rocksdb']:.2f} of it",
                f"a batch's multi-get {calls['server_get_batch_p50_ms']:.2f} ms, write "
                f"{calls['server_write_batch_p50_ms']:.2f} ms (p50); in the home "
                f"{calls['rocksdb_get_batch_p50_ms']:.2f} and {calls['rocksdb_write_batch_p50_ms']:.2f}",
            )
        )
    return rows

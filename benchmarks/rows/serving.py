"""Rows of what queries meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.rows.row import Result, Row, cores_of


def queries(result: Result) -> list[Row]:
    figures, rows = result["figures"], []
    references = {
        "vectors": "JD 1,800/s on 26 servers, p99 300 ms",
        "photos": "p99 500 ms at 500 updates/s",
        "words": "p99 200 ms at 500 updates/s",
        "filtered": "",
        "suggest": "p50 20 ms",
    }
    for kind, reference in references.items():
        if f"{kind}_alone" not in figures:
            continue
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
                    f"cores alone: {cores_of(found)}",
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


def serving(result: Result) -> list[Row]:
    told = {"before": "before", "loss": "2 s from the loss", "dead": "then", "coming": "it starts", "after": "after"}
    figures = result["figures"]
    rows = [
        (
            f"a {victim} of two is killed, at half of full load ({figures['queries_per_s']} queries/s)",
            "no failure, p99 back in 2 s",
            f"{phases['failed']} of {sum(phases[name]['queries'] for name in told)} failed; "
            + "; ".join(
                f"{name} p50 {phases[phase]['p50_ms']} ms, p99 {phases[phase]['p99_ms']}"
                for phase, name in told.items()
            ),
            f"serves again {phases['back_after_s']} s after its start, on the cores of all others",
        )
        for victim in ("searcher", "broker", "blender")
        for phases in (figures[victim],)
    ]
    drained = figures["drained"]
    rows.append(
        (
            "a blender of two is told to stop",
            "no failure",
            f"{drained['failed']} of {drained['queries']} failed; p50 {drained['p50_ms']} ms, p99 {drained['p99_ms']}",
            "it says so at /readyz for 4 s and answers on",
        )
    )
    return rows


def serving_soak(result: Result) -> list[Row]:
    figures = result["figures"]
    soak = figures["soak"]
    faults = ", ".join(f"{count} {name}" for name, count in soak["faults"].items())
    load = f"at half of full load ({figures['queries_per_s']} queries/s)"
    return [
        (
            f"a fault a minute for {soak['minutes']} minutes, {load}",
            "99.9 % answered",
            f"{100 * soak['answered_whole']:.3f} % of {soak['queries']:,} answered whole, "
            f"{100 * soak['within_a_second']:.3f} % within a second; "
            f"{soak['failed']} failed, {soak['partial']} lack a shard; "
            f"p50 {soak['p50_ms']} ms, p99 {soak['p99_ms']}",
            f"faults: {faults}",
        )
    ]


def retrieval(result: Result) -> list[Row]:
    rows: list[Row] = []
    for extractor, found in result["figures"].items():
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if "_at_" in name)
        if told:
            rows.append((f"retrieval, {extractor}", "", told, ""))
        for catalogue, steps in found.get("learned", {}).items():
            time = f"{steps['ms_a_picture']:.0f} ms of one core a picture"
            rows.append((f"retrieval, {extractor}, learned from {catalogue}", "", _steps(steps), time))
    return rows


def _steps(steps: Mapping[str, Any]) -> str:
    """First answers by step, with their standard errors, and by five."""
    told = {
        "untuned": "untuned",
        "prior_alone": "prior alone",
        "tuned": "tuned",
        "tuned_query_mean": "with the questions' mean",
        "tuned_query_mean_category": "and category",
    }
    return "; ".join(
        f"{name} {steps[step]['at_1']:.3f} ± {steps[step]['at_1_error']:.3f} @1, {steps[step]['at_5']:.3f} @5"
        for step, name in told.items()
        if step in steps
    )


def scenes(result: Result) -> list[Row]:
    figures = result["figures"]
    rows: list[Row] = []
    for behind in (each for each in ("drawn", "photographs") if each in figures):
        found = figures[behind]
        part = found["of_alone"]
        rows.append(
            (
                f"the item in the photo, among others, {behind} behind: first answers as a part of "
                f"{found['product_at_1']['alone']:.3f} alone",
                ">= 0.9 by the box found",
                f"whole scene {part['whole']:.2f}, true box {part['true_box']:.2f}, box found {part['found_box']:.2f}, "
                f"by default {part['best_box']:.2f}",
                f"item found {found['item_found']:.2f}; {found['find_ms']:.0f} ms of one core to look for items",
            )
        )
    for name, found in figures.get("alone", {}).items():
        rows.append(
            (
                f"questions of {name}, one thing alone: first answers by default",
                f"{found['whole_at_1']:.3f} searched whole",
                f"{found['default_at_1']:.3f}",
                f"{found['not_searched_whole']:.3f} of them searched by a box",
            )
        )
    return rows


def robust(result: Result) -> list[Row]:
    rows: list[Row] = []
    for extractor_id, ways in result["figures"].items():
        for how, by_catalogue in ways.items():
            for name, found in by_catalogue.items():
                clean, *bad = found.items()
                parts = ", ".join(f"{alteration} {each['of_clean']:.2f}" for alteration, each in bad)
                rows.append(
                    (
                        f"bad photos, {name}, `{extractor_id}`, {how}: first answers as a part of "
                        f"{clean[1]['at_1']:.3f} of the photos as they are",
                        ">= 0.6",
                        parts,
                        "put right first (ADR 53)",
                    )
                )
    return rows


def colours(result: Result) -> list[Row]:
    figures = result["figures"]
    found = figures["others"]
    return [
        (
            "colours told by a picture's features, apparel, the half that nothing was chosen by",
            "",
            f"the shop's is among {found['names_a_picture']:.1f} told for {found['named']:.2f} of the pictures; "
            f"{found['of_one_colour']:.2f} are said to be of one, which is the shop's for {found['main_right']:.2f} ± "
            f"{found['main_right_error']:.2f} of them",
            f"{figures['us_a_picture']:.0f} us of one core a picture",
        )
    ]


def printed(result: Result) -> list[Row]:
    rows: list[Row] = []
    for side, found in result["figures"].items():
        read = ", ".join(f"{share:.2f} of {float(height):.0%}" for height, share in found["read"].items())
        rows.append(
            (
                f"words printed on pictures of apparel, read at {side} pixels, by their height",
                "",
                f"{read} of the picture's; of clothes as they are, some printed, "
                + ", ".join(f"{share:.2f} of {name}" for name, share in found["unprinted"].items()),
                f"{found['ms']:.0f} ms of one core a picture",
            )
        )
    return rows


def seen(result: Result) -> list[Row]:
    figures = result["figures"]
    rows: list[Row] = []
    for name, half in (("the half that chose the score", "chosen_by"), ("the other half", "others")):
        found = figures[half]
        rows.append(
            (
                f"a person is seen from a score of {figures['chosen']} on, {name}",
                "",
                f"in {found['seen']:.3f} of {found['worn']} pictures of what somebody wears, and in "
                f"{found['wrong']:.3f} of {found['bare']} of what nobody does",
                f"{figures['ms']:.0f} ms of one core a picture",
            )
        )
    return rows


def start(result: Result) -> list[Row]:
    runs = result["figures"]["runs"]
    quickest = min(runs, key=lambda run: float(run["start_processor_s"]))
    seconds = ", ".join(f"{run['start_s']:.0f}" for run in runs)
    processor = ", ".join(f"{run['start_processor_s']:.0f}" for run in runs)
    parts = list(quickest["start_processor_s_by_process"].items())[:8]
    return [
        (
            f"a start of the whole system, {len(runs)} runs",
            "",
            f"{seconds} s; processor {processor} s",
            "processor seconds of the least: " + ", ".join(f"{name} {each:.1f}" for name, each in parts),
        ),
        (
            "the system at rest",
            "",
            f"{quickest['idle_cores']:.2f} cores",
            f"cores: {cores_of(quickest)}",
        ),
    ]

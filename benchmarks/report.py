"""Writes docs/benchmarks.md from the results in benchmarks/results: `python -m benchmarks.report`.

The references are those of the design (section 6). A benchmark without a
result has no row; results written while other work ran are named.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness.result import REPOSITORY, RESULTS
from benchmarks.rows.asking import doubles, filters, meaning, ranking, words
from benchmarks.rows.index import build, churn, delisted, scale, shard
from benchmarks.rows.row import Result, Row
from benchmarks.rows.serving import (
    colours,
    hung,
    printed,
    queries,
    retrieval,
    robust,
    scenes,
    seen,
    serving,
    serving_soak,
    start,
    swap,
)
from benchmarks.rows.stream import chaos, extraction, freshness, hosts, recovery, soak, stores, updates

DOCUMENT = REPOSITORY / "docs" / "benchmarks.md"

FULL_LOAD = 8.0
"""Load average above which not all of it can be the benchmark's own: the whole system's is 3 to 6 when saturated."""

HEAD = """# Benchmarks

Written by `python -m benchmarks.report` from the JSON files in `benchmarks/results`, each with machine, commit and
parameters; `make bench-NAME` measures one anew, `make bench` all. What each does is said at the top of its file and in
[benchmarks/README.md](../benchmarks/README.md).

| what | reference | ours | where the time goes |
|---|---|---|---|
"""


RENDERERS: dict[str, Callable[[Result], list[Row]]] = {
    "freshness": freshness,
    "updates-known": updates,
    "updates": updates,
    "queries": queries,
    "queries-asked": queries,
    "shard": shard,
    "delisted": delisted,
    "churn": churn,
    "scale": scale,
    "filters": filters,
    "words": words,
    "meaning": meaning,
    "ranking": ranking,
    "doubles": doubles,
    "swap": swap,
    "hung": hung,
    "serving": serving,
    "serving-soak": serving_soak,
    "build": build,
    "extraction": extraction,
    "hosts": hosts,
    "stores": stores,
    "retrieval": retrieval,
    "retrieval-blocks": retrieval,
    "scenes": scenes,
    "scenes-detector": scenes,
    "robust": robust,
    "colours": colours,
    "printed": printed,
    "seen": seen,
    "chaos": chaos,
    "soak": soak,
    "start": start,
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


def main() -> int:
    DOCUMENT.write_text(document())
    print(DOCUMENT.relative_to(REPOSITORY))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

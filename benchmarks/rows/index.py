"""Rows of one shard, and of the full index."""

from __future__ import annotations

from benchmarks.rows.row import Result, Row


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

"""Rows of filters, words, meaning and ranking."""

from __future__ import annotations

from benchmarks.rows.row import Result, Row


def filters(result: Result) -> list[Row]:
    figures = result["figures"]
    rows = []
    for kind in ("synthetic", "real"):
        if kind not in figures:
            continue
        found = figures[kind]["filters"]
        least = min(found.values(), key=lambda each: each["filtered_over_unfiltered"])
        for name, each in found.items():
            if name.startswith("three_conditions") and "real" in figures and kind == "synthetic":
                continue
            rows.append(
                (
                    f"filter `{name}` on {kind} vectors ({100 * each['passing_share']:.3g} % pass)",
                    "recall@10 0.99, half of the unfiltered queries/s",
                    f"recall@10 {each['recall_at_10']:.3f}, {each['filtered_over_unfiltered']:.2f} of the unfiltered "
                    f"{each['unfiltered_queries_per_s']:,.0f} queries/s; beside 1,000 updates/s "
                    f"{each['filtered_over_unfiltered_beside_writer']:.2f}",
                    each["plan"] + (" (the costliest)" if each is least else ""),
                )
            )
    facets, updates = figures["synthetic"]["facets"], figures["updates"]
    rows.append(
        (
            "three facets beside a filtered query, one thread",
            "",
            f"{facets['three_facets_50%_queries_per_s']:,.0f} queries/s where half of the products match "
            f"({facets['without_facets_50%_queries_per_s']:,.0f} without), "
            f"{facets['three_facets_1%_queries_per_s']:,.0f} where a hundredth does",
            "a pass over the rows that match, a count by value",
        )
    )
    rows.append(
        (
            "deltas with ten filtered attributes, one shard",
            f"{updates['ten_attributes_without_attributes_deltas_per_s']:,.0f}/s without filters",
            f"{updates['ten_attributes_with_attributes_deltas_per_s']:,.0f}/s where all ten change, "
            f"{updates['prices_with_attributes_deltas_per_s']:,.0f}/s where the price does",
            "reading the attributes, ten cells, the words",
        )
    )
    return rows


def words(result: Result) -> list[Row]:
    figures = result["figures"]
    rows = []
    for name, found in figures["queries"].items():
        theirs = found.get("tantivy")
        rows.append(
            (
                f"words, {name.replace('_', ' ')}, {result['parameters']['products']:,} products, one thread",
                f"tantivy {theirs['queries_per_s']:,.0f}/s, p99 {theirs['p99_ms']:.2f} ms" if theirs else "",
                f"{found['shard']['queries_per_s']:,.0f}/s, p50 {found['shard']['p50_ms']:.2f} ms, "
                f"p99 {found['shard']['p99_ms']:.2f} ms",
                "",
            )
        )
    for name, found in figures.get("suggestions", {}).items():
        rows.append(
            (
                f"suggestions, {name.replace('_', ' ')} typed, {result['parameters']['products']:,} products",
                "20 ms",
                f"p50 {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms",
                "words, brands, categories and titles; one thread",
            )
        )
    ours, theirs = figures["changes"]["shard"], figures["changes"].get("tantivy")
    rows.append(
        (
            "changed titles, one shard",
            f"tantivy {theirs['titles_changed_per_s']:,.0f}/s, found after {theirs['found_after_p50_ms']:.0f} ms, p99 "
            f"{theirs['found_after_p99_ms']:.0f}, with a commit every 50 ms"
            if theirs
            else "",
            f"{ours['titles_changed_per_s']:,.0f}/s, {100 * ours['found_at_once_share']:.0f} % found at once; "
            f"prices {ours['prices_changed_per_s']:,.0f}/s; restored in {figures['restored_s']:.1f} s",
            "",
        )
    )
    return rows


def meaning(result: Result) -> list[Row]:
    found = result["figures"]["with_known_looks"]
    rows = [
        (
            f"words for a look, {voice}",
            f"by keyword alone precision@10 {_with_error(ways['words'])}",
            f"by meaning alone {_with_error(ways['meaning'])}, meaning where words lack "
            f"{_with_error(ways['where_words_lack_linear'])}; in any order {_with_error(ways['any_order'])}",
            "",
        )
        for voice, ways in found["apparel_words"].items()
    ]
    rows.append(
        (
            "words for a kind, photographs from homes",
            f"in any order precision@10 {found['clothing']['any_order_precision']:.2f}",
            ", ".join(f"{voice} {_with_error(found['clothing'][voice])}" for voice in ("labels", "other words")),
            "",
        )
    )
    return rows


def ranking(result: Result) -> list[Row]:
    figures = result["figures"]
    rows = []
    for name, how in (("log_as_declared", "the declared order"), ("log_by_relevance", "the order of relevance")):
        ndcg = figures[name]["ndcg_at_10"]
        rows.append(
            (
                f"order learned from clicks, {result['parameters']['answers']:,} answers logged in {how}",
                f"best possible NDCG@10 1; declared weights {ndcg['declared']:.3f}, relevance {ndcg['relevance']:.3f}",
                f"{ndcg['learned']:.3f}; from clicks as they are {ndcg['learned_from_clicks_as_they_are']:.3f}, "
                f"applied to all candidates {ndcg['learned_for_all_candidates']:.3f}",
                f"{figures[name]['training_s']:.1f} s of one core to learn",
            )
        )
    chance, cost = figures["random_clicks"], figures["cost"]
    rows.append(
        (
            "order learned from random clicks",
            "none is used",
            f"{chance['used']} of {chance['shops']} shops",
            f"a page of 400 candidates takes {cost['page_learned_ms']:.1f} ms learned, "
            f"{cost['page_declared_ms']:.1f} declared, {cost['page_by_relevance_ms']:.1f} by relevance",
        )
    )
    return rows


def doubles(result: Result) -> list[Row]:
    figures, rows = result["figures"], []
    for space, found in figures["told_apart"].items():
        used = found["used"]
        told = []
        for catalogue in (name for name in found if name != "used"):
            at = found[catalogue][used]
            kinds = ", ".join(f"{kind.replace('_', ' ')} {share:.2f}" for kind, share in at["recall_by_kind"].items())
            wrong = f"false merges {100 * at['false_merges']:.2f} %"
            told.append(f"{catalogue} recall {at['recall']:.3f}, {wrong} ({kinds})")
        asked = "recall 0.95, false merges 0.1 %"
        rows.append((f"copies told from other pictures, {space}, alike from {used} on", asked, "; ".join(told), ""))
    for limit, cost in figures["cost"].items():
        rows.append(
            (
                f"doubles merged, a page of {limit.removeprefix('limit_')}",
                f"not merged: searcher {cost['searcher_ms']:.2f} ms, blender {cost['blender_ms']:.2f} ms, "
                f"{cost['bytes_a_shard'] / 1024:.0f} KiB a shard",
                f"searcher {cost['searcher_ms_merged']:.2f} ms, blender {cost['blender_ms_merged']:.2f} ms, "
                f"{cost['bytes_a_shard_merged'] / 1024:.0f} KiB a shard",
                "processor time of one thread, of 768 numbers a vector",
            )
        )
    return rows


def _with_error(figures: Result) -> str:
    return f"{figures['precision_at_10']:.3f} ± {figures['precision_at_10_error']:.3f}"

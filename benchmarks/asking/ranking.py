"""Benchmark `ranking`: what an order learned from clicks is worth, where it is known what shoppers want.

A simulated shop (`benchmarks/load/shoppers.py`): 2,000 products, questions by
photo, ten products shown of 400 candidates in the order that the shop declared,
and clicks by a rule that is known. The order is learned from the records of the
log by the build's own code, and applied by the blender's. NDCG@10 is of fresh
questions and by what pleases, not by clicks: 1 is the best possible order of
the candidates. Beside it: with clicks taken as they are, with the model applied
to all candidates instead of those that fit as well as what was shown, from logs
in the order of relevance, by the number of answers, and of shops whose
shoppers click on anything. And what it costs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.harness.result import rounded, write_result
from benchmarks.load.shoppers import DECLARED, STEEPNESS, Asked, SimulatedShop, order
from indexing.ranking.features import FEATURES, FIT
from indexing.ranking.lessons import Lessons
from indexing.ranking.model import RankModel, encode_model
from indexing.ranking.propensity import Propensity, estimated
from indexing.ranking.training import too_few, train_model
from schemas.query.rank import RankProfile
from search_report.lessons import LessonsOf
from serving.blender.ranking.ranking import Ranked

_DAYS = 10
_ORDERS = (
    *("relevance", "declared", "learned", "learned_from_clicks_as_they_are"),
    *("learned_positions_known", "learned_for_all_candidates"),
)
_RANDOM_POOL = 80
"""Candidates where nobody looks at the order of all of them."""


def logged(shop: SimulatedShop, answers: int, rank: RankProfile | None) -> Lessons:
    """What ten days of so many answers in all teach."""
    lessons = LessonsOf(DECLARED)
    for day in range(_DAYS):
        for search, clicks in shop.day(day, answers // _DAYS, rank):
            lessons.add(search, clicks)
    return lessons.lessons()


def by_model(model: RankModel) -> Callable[[Asked], list[Ranked]]:
    return lambda asked: order(asked, model=model)


def everywhere(model: RankModel) -> RankModel:
    """The same one, applied to every candidate."""
    return replace(model, least=np.zeros(len(FIT)))


def known() -> Propensity:
    """How often a position is looked at, as the shop has it."""
    return Propensity(np.arange(1, 31, dtype=np.float64) ** -STEEPNESS)


def as_clicked() -> Propensity:
    """Clicks as they are."""
    return Propensity(np.ones(30))


def worth(seed: int, answers: int, questions: int) -> dict[str, Any]:
    """NDCG@10 of every order, learned from a log in the declared order and from one in that of relevance."""
    figures: dict[str, Any] = {}
    for name, rank in (("log_as_declared", DECLARED["popular"]), ("log_by_relevance", None)):
        shop = SimulatedShop(seed)
        given = logged(shop, answers, rank)
        began = time.process_time()
        learned = train_model(given, seed)
        took_s = time.process_time() - began
        biased = train_model(given, seed, as_clicked())
        told = train_model(given, seed, known())
        ndcg = shop.mean_ndcg(
            questions,
            order,
            lambda asked: order(asked, DECLARED["popular"]),
            *(by_model(model) for model in (learned.model, biased.model, told.model, everywhere(learned.model))),
        )
        positions = np.arange(1, 11)
        figures[name] = {
            "ndcg_at_10": dict(zip(_ORDERS, ndcg, strict=True)),
            "used": learned.used,
            "held_back": learned.held,
            "by_chance": learned.by_chance,
            "looked_at_error": float(np.abs(estimated(given, seed).of(positions) - positions**-STEEPNESS).max()),
            "answers_clicked_share": float(given.clicked.mean()),
            "training_s": took_s,
            "model_bytes": len(encode_model(learned.model)),
        }
    return figures


def by_answers(seed: int, counts: Sequence[int], questions: int) -> dict[str, Any]:
    """NDCG@10 of what is learned from so many answers, and whether it would be used."""
    figures: dict[str, Any] = {}
    for count in counts:
        shop = SimulatedShop(seed)
        given = logged(shop, count, DECLARED["popular"])
        if problem := too_few(given):
            figures[str(count)] = {"left_out": problem}
            continue
        learned = train_model(given, seed)
        figures[str(count)] = {
            "ndcg_at_10": shop.mean_ndcg(questions, by_model(learned.model))[0],
            "used": learned.used,
            "why": learned.why,
        }
    return figures


def random_clicks(seed: int, shops: int, answers: int) -> dict[str, Any]:
    """Of how many shops whose shoppers click on anything an order would be used."""
    beyond = []
    used = 0
    for number in range(shops):
        shop = SimulatedShop(seed + number, products=400, taste=0.0, pool=_RANDOM_POOL)
        learned = train_model(logged(shop, answers, DECLARED["popular"]), seed)
        used += learned.used
        beyond.append(learned.held["beyond_declared"])
    return {"shops": shops, "used": used, "beyond_declared_mean": float(np.mean(beyond)),
            "beyond_declared_most": float(np.max(beyond))}  # fmt: skip


def cost(model: RankModel, seed: int, questions: int) -> dict[str, float]:
    """Milliseconds of processor time for 400 candidates: the model alone, and a page in each order; best of five."""
    shop = SimulatedShop(seed)
    asked = [shop.question() for _ in range(questions)]
    rows = np.random.default_rng(seed).random((400, len(FEATURES))).astype(np.float32)

    def ms(work: Callable[[Asked], object]) -> float:
        took = []
        for _ in range(5):
            began = time.thread_time()
            for each in asked:
                work(each)
            took.append(time.thread_time() - began)
        return min(took) * 1000 / len(asked)

    return {
        "model_400_rows_ms": ms(lambda _: model.raw(rows)),
        "page_by_relevance_ms": ms(order),
        "page_declared_ms": ms(lambda each: order(each, DECLARED["popular"])),
        "page_learned_ms": ms(by_model(model)),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking.ranking", description=__doc__)
    parser.add_argument("--answers", type=int, default=8000, help="that are learned from and compared by")
    parser.add_argument("--questions", type=int, default=300, help="fresh ones that an order is judged by")
    parser.add_argument("--counts", type=int, nargs="*", default=[500, 1000, 2000, 4000])
    parser.add_argument("--random-shops", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="ranking", help="name of the result file")
    arguments = parser.parse_args(argv)
    seed, questions = arguments.seed, arguments.questions
    model = train_model(logged(SimulatedShop(seed), 2000, DECLARED["popular"]), seed).model
    figures = {
        **worth(seed, arguments.answers, questions),
        "by_answers": by_answers(seed, arguments.counts, questions),
        "random_clicks": random_clicks(seed, arguments.random_shops, 2500),
        "cost": cost(model, seed, 50),
    }
    write_result(arguments.name, vars(arguments), rounded(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

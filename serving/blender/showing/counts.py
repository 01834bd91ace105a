"""What was counted, as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from schemas.query.facets import FacetCounts
from schemas.query.question import Question
from serving.blender.showing.answers import FacetAnswer, FacetBucket, FacetValue


def facet_answers(question: Question, counts: Sequence[FacetCounts]) -> dict[str, FacetAnswer]:
    """By field, each with as many values as the question wants."""
    limits = {facet.wanted.field: facet for facet in question.facets}
    answers = {}
    for each in counts:
        facet = limits[each.field]
        bounds = [None, *facet.wanted.ranges, None]
        answers[each.field] = FacetAnswer(
            products=each.products,
            values=[
                FacetValue(value, number)
                for value, number in list(zip(each.values, each.counts, strict=True))[: facet.limit]
            ],
            buckets=[
                FacetBucket(low, high, number)
                for (low, high), number in zip(pairwise(bounds), each.bucket_counts, strict=False)
            ],
            low=each.low,
            high=each.high,
        )
    return answers

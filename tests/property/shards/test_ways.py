"""A shard that was streamed, one loaded from its snapshot and one that got the deltas in another order say the same."""

from __future__ import annotations

import math
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch, decode_deltas, encode_deltas
from schemas.found import Hit
from schemas.query.facets import FacetCounts
from tests.support.index.shard_model import (
    DIMENSION,
    EXTRACTOR,
    FACETS,
    INDEXED,
    NO_VECTORS,
    ORDERS,
    QUERIES,
    TREES,
    VECTORS,
    WORDS,
    Delta,
    attributes_of,
    loaded,
)


def life_of_a_shop(chance: random.Random) -> list[Delta]:
    """Deltas as the pipeline makes them: all images of a product have its attributes and its figures."""
    image_seqs: dict[tuple[str, str], int] = {}
    deltas = []
    for sequence in range(1, 60):
        product = f"q{chance.randrange(12)}"
        urls = [f"http://shop/{place}.jpg" for place in range(1 + int(product[1:]) % 3)]
        if chance.random() < 0.1:
            deltas += [Delta(product, url, sequence, erased=True) for url in urls if (product, url) in image_seqs]
            for url in urls:
                image_seqs.pop((product, url), None)
            continue
        sale = chance.random() < 0.8
        price, attributes = chance.choice([math.nan, 1.5, 20.0]), attributes_of(chance)
        for url in urls:
            if (product, url) not in image_seqs or chance.random() < 0.3:
                image_seqs[product, url] = sequence
                vector = chance.choice(VECTORS).tobytes()
                deltas.append(Delta(product, url, vector_seq=sequence, vector=vector))
            deltas.append(Delta(product, url, sequence, sale, image_seqs[product, url], price, attributes))
    return deltas


def answers_of(shard: Shard) -> list[Any]:
    """Everything that a shard says, scores to the last bit."""
    chance = random.Random(5)
    said: list[Any] = [[shard.suggest(text, 20) for text in ("r", "the bo", "sh", "a")]]
    for tree in (None, *TREES):
        vectors = QUERIES if tree is TREES[0] else QUERIES[:1]
        questions = [
            ShardQuestion(vectors, chance.choice([2, 50]), nprobe=3, tree=tree, facets=FACETS),
            ShardQuestion(NO_VECTORS, 1, tree=tree, listing=True, order_by=chance.choice(ORDERS), list_limit=50),
        ]
        for words in chance.sample([*WORDS, "shoesrings "], 3):
            any_word, limit, order = chance.random() < 0.5, chance.choice([1, 3, 50]), chance.choice(["", "", "price"])
            questions.append(
                ShardQuestion(
                    NO_VECTORS,
                    1,
                    tree=tree,
                    words=words,
                    any_word=any_word,
                    list_limit=limit,
                    order_by=order,
                    facets=FACETS,
                )
            )
        for question in questions:
            answer = shard.answer(question)
            facets = [sorted_counts(each) for each in answer.facets]
            found = [list(map(shown, hits)) for hits in answer.found]
            said.append((question, found, list(map(shown, answer.listed)), facets, answer.matches, answer.corrected))
    return said


def shown(hit: Hit) -> tuple[Any, ...]:
    return hit.product_id, hit.url, hit.score, repr(hit.key), repr(hit.price), hit.sales, hit.attributes, hit.state_seq


def sorted_counts(counts: FacetCounts) -> tuple[Any, ...]:
    values = sorted(zip(counts.values, counts.counts, strict=True))
    return counts.field, values, counts.bucket_counts, counts.low, counts.high, counts.products


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_shard_answers_alike_streamed_loaded_and_in_another_order(seed: int) -> None:
    chance = random.Random(seed)
    deltas = life_of_a_shop(chance)
    streamed, other = Shard(EXTRACTOR, DIMENSION), Shard(EXTRACTOR, DIMENSION)
    streamed.open_attributes(INDEXED)
    other.open_attributes(INDEXED)
    again = [*deltas, *chance.sample(deltas, len(deltas) // 2)]
    chance.shuffle(again)
    for shard, order in ((streamed, deltas), (other, again)):
        while order:
            batch = DeltaBatch(EXTRACTOR)
            some, order = order[:7], order[7:]
            for delta in some:
                delta.add_to(batch)
            shard.apply(decode_deltas(encode_deltas(batch)))
    expected = answers_of(streamed)
    restored = loaded(streamed)
    restored.open_attributes(INDEXED)
    streamed.scrub()
    for shard in (restored, other, streamed):
        for one, same in zip(answers_of(shard), expected, strict=True):
            assert one[1:] == same[1:], one[0]

"""An index made in one go: of all texts after a restart, or of what is alive in another one.

Both lay the postings of all words one behind the other, sort or filter them as
one array, and cut them up by word at the end.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexing.words.documents import GAP, NO_DOCUMENT, Documents
from indexing.words.tokens import MAX_WORDS, words_of
from indexing.words.vocabulary import FREQUENCY_BITS, MAX_DOCUMENTS, MAX_FREQUENCY, Vocabulary

Texts = Sequence[tuple[int, str]]
"""(weight, text) of each field of a product."""


class WordState(NamedTuple):
    """What writer and readers share; another takes its place as a whole when it is compacted."""

    vocabulary: Vocabulary
    documents: Documents


def fingerprint(texts: Texts) -> int:
    """64 bits that differ when texts differ; of this process only."""
    return hash(tuple(texts))


def fields_of(texts: Texts) -> list[tuple[int, list[str]]]:
    """(weight, words) of each field that has words, up to `MAX_WORDS` in all."""
    room, fields = MAX_WORDS, []
    for weight, text in texts:
        if weight < 1:
            raise ValueError(f"weight {weight}: a field counts at least once, or is left out")
        words = words_of(text, room)
        if words:
            fields.append((weight, words))
            room -= len(words)
    return fields


class _Flat(NamedTuple):
    """Texts one behind the other. products, fingerprints, sizes: of each; stream, weights: a cell each, 0 for a gap."""

    products: NDArray[np.int32]
    fingerprints: NDArray[np.int64]
    sizes: NDArray[np.int32]
    stream: NDArray[np.int32]
    weights: NDArray[np.int32]
    words: list[str]


def _laid_flat(items: Iterable[tuple[int, Texts]]) -> _Flat:
    ids: defaultdict[str, int] = defaultdict(count().__next__)
    number_of = ids.__getitem__
    products, fingerprints, sizes = array("i"), array("q"), array("i")
    stream, weights = array("i"), array("i")
    for product, texts in items:
        before = len(stream)
        for weight, words in fields_of(texts):
            stream.extend(map(number_of, words))
            stream.append(GAP)
            weights.extend([weight] * len(words))
            weights.append(0)
        products.append(product)
        fingerprints.append(fingerprint(texts))
        sizes.append(len(stream) - before)
    return _Flat(
        np.frombuffer(products, np.int32),
        np.frombuffer(fingerprints, np.int64),
        np.frombuffer(sizes, np.int32),
        np.frombuffer(stream, np.int32),
        np.frombuffer(weights, np.int32),
        list(ids),
    )


def built(items: Iterable[tuple[int, Texts]], language: str) -> WordState:
    """The state of an index to which these products' texts were put.

    Raises `ValueError` for a product twice, for one below 0, and for too many.
    """
    flat = _laid_flat(items)
    documents = len(flat.products)
    if documents >= MAX_DOCUMENTS:
        raise ValueError(f"{documents} products; one shard takes {MAX_DOCUMENTS - 1}: use more shards")
    if int(flat.products.min(initial=0)) < 0:
        raise ValueError(f"product {int(flat.products.min())}: products are numbered from 0")
    present = np.full(int(flat.products.max(initial=-1)) + 1, NO_DOCUMENT, np.int32)
    present[flat.products] = np.arange(documents, dtype=np.int32)
    if int((present != NO_DOCUMENT).sum()) != documents:
        raise ValueError("a product twice: give each product's texts once")
    fingerprints = np.zeros(len(present), np.int64)
    fingerprints[flat.products] = flat.fingerprints
    starts = np.zeros(documents + 1, np.int64)
    np.cumsum(flat.sizes, out=starts[1:])
    owner = np.repeat(np.arange(documents, dtype=np.int64), flat.sizes)
    lengths = np.bincount(owner, weights=flat.weights, minlength=documents).astype(np.int32)
    numbers, postings = _sorted_postings(flat.stream, owner, flat.weights)
    counts = np.bincount(numbers, minlength=len(flat.words))
    return WordState(
        Vocabulary(language, flat.words, _cut(postings, counts), counts.tolist()),
        Documents(
            present,
            fingerprints,
            flat.products.copy(),
            lengths,
            starts,
            flat.stream.copy(),
            int(lengths.sum(dtype=np.int64)),
        ),
    )


def _sorted_postings(
    words: NDArray[np.int32], owner: NDArray[np.int64], weight: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """(word ids, postings), by word and then document, of a stream with each cell's document and weight."""
    real = words != GAP
    keys = words[real].astype(np.int64) << 32 | owner[real]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if not len(keys):
        return keys, keys.astype(np.uint32)
    firsts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    frequencies = np.minimum(np.add.reduceat(weight[real][order].astype(np.int64), firsts), MAX_FREQUENCY)
    keys = keys[firsts]
    return keys >> 32, ((keys & 0xFFFFFFFF) << FREQUENCY_BITS | frequencies).astype(np.uint32)


def _cut(postings: NDArray[np.uint32], counts: NDArray[np.int64]) -> list[array[int]]:
    """The postings of each word, as arrays that grow."""
    memory, ends = postings.tobytes(), (np.cumsum(counts) * 4).tolist()
    return [array("I", memory[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def compacted(state: WordState) -> WordState:
    """The same without dead documents, in the same order, numbered anew. Writer thread only."""
    vocabulary, documents = state
    present = documents.present()
    living = np.sort(present[present != NO_DOCUMENT])
    renumbered = np.full(documents.count, NO_DOCUMENT, np.int64)
    renumbered[living] = np.arange(len(living))
    known = vocabulary.living_words()
    word_ids = np.full((known[-1][0] if known else 0) + 2, GAP, np.int32)  # the last cell is for the gap, -1
    word_ids[[number for number, _ in known]] = np.arange(len(known), dtype=np.int32)
    starts, stream = documents.words_in_order()
    sizes = starts[living + 1] - starts[living]
    new_starts = np.zeros(len(living) + 1, np.int64)
    np.cumsum(sizes, out=new_starts[1:])
    places = np.repeat(starts[living] - new_starts[:-1], sizes) + np.arange(new_starts[-1])
    parts = [vocabulary.postings(number) for number, _ in known]
    postings = np.frombuffer(b"".join(parts), np.uint32)
    owners = renumbered[postings >> FREQUENCY_BITS]
    kept = owners != NO_DOCUMENT
    of_word = np.repeat(np.arange(len(known)), np.array([len(part) // 4 for part in parts], np.int64))[kept]
    fresh = (owners[kept] << FREQUENCY_BITS | postings[kept] & MAX_FREQUENCY).astype(np.uint32)
    counts = np.bincount(of_word, minlength=len(known))
    moved = present.copy()
    moved[present != NO_DOCUMENT] = renumbered[present[present != NO_DOCUMENT]]
    return WordState(
        Vocabulary(vocabulary.language, [word for _, word in known], _cut(fresh, counts), counts.tolist()),
        Documents(
            moved,
            documents.fingerprints(),
            documents.doc_product[living],
            documents.doc_length[living],
            new_starts,
            word_ids[stream[places]],
            documents.total_length,
        ),
    )

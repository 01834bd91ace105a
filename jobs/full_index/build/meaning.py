"""A last step of a build: what words look like, learned from the titles and the pictures that were just built.

Bounded, whatever the catalogue's size: so many pictures, so many different
texts. Nothing here fails a build: what cannot be learned is left out, and the log says why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from generations.folder import write_learned
from indexing.meaning import part
from indexing.meaning.fitting import Known
from indexing.meaning.lessons import distinct, lessons
from indexing.meaning.phrases import phrases
from indexing.meaning.training import LEAST_GROUPS, MOST_PICTURES, train_map
from indexing.snapshot.sample import Pictures, sample_pictures
from schemas.errors import OperatorError
from schemas.features.ids import is_external
from schemas.full_index.generation import Generation
from vision.extractor import extractor_id
from vision.text.encoder import TextEncoder, create_text_encoder

log = logging.getLogger(__name__)

MOST_TEXTS = 4_000
"""Different texts that are encoded at most: half a minute of one core."""
PHASE = "meaning"

LoadTexts = Callable[[], TextEncoder]
LoadKnown = Callable[[Generation, TextEncoder], Known | None]


def known_of(generation: Generation, texts: TextEncoder) -> Known | None:
    """What is known of the look of words beforehand, where the generation's extractor can be loaded here.

    Of a shop's own vectors nothing is: their map is learned from titles alone.
    """
    if is_external(generation.encoder):
        return None
    try:
        if extractor_id(generation.encoder, generation.weights) != generation.extractor_id:
            return None  # of another encoder, or tuned: directions of base features are none of a tuning's space
        from vision.embedder import create_embedder  # torch: seconds, for builds that come this far
        from vision.known_looks import known_looks

        embedder = create_embedder(generation.encoder, generation.weights, "cpu", threads=1)
        found = known_looks(embedder, generation.encoder, generation.weights)
    except OperatorError as error:
        log.warning("event=known_looks_left_out problem=%s", error)
        return None
    return Known(texts.encode(found.names), found.directions)


def with_meaning(
    folder: Path, generation: Generation, load: LoadTexts = create_text_encoder, known: LoadKnown = known_of
) -> Generation:
    """`generation`, whose shards' files lie in `folder`, with the map learned from them, used or not; never raises.

    As it is where there are too few products, before anything is loaded, and where learning fails.
    """
    began = time.monotonic()
    try:
        found = _learned(folder, generation, load, known)
    except Exception as error:  # an index without a map is whole
        log.warning("event=meaning_left_out generation=%s problem=%r", generation.name, str(error), exc_info=True)
        return generation
    took_s = {**generation.took_s, PHASE: round(time.monotonic() - began, 3)}
    return msgspec.structs.replace(found, took_s=took_s)


def _learned(folder: Path, generation: Generation, load: LoadTexts, known: LoadKnown) -> Generation:
    seed = int(generation.settings.get("seed", 0))
    random = np.random.default_rng(seed)
    pictures = _pictures(folder, generation, random)
    products = len(np.unique(pictures.products))
    if products < LEAST_GROUPS:
        log.info("event=meaning_left_out generation=%s products=%d least=%d", generation.name, products, LEAST_GROUPS)
        return generation
    said = [phrases(_attributes(each)) for each in pictures.attributes]
    chosen = _chosen(said, pictures.products, random)
    texts, numbers = distinct([said[picture] for picture in chosen])
    if not texts:
        log.info("event=meaning_left_out generation=%s problem=%r", generation.name, "no product has a text")
        return generation
    encoder = load()
    given = lessons(encoder.encode(texts), pictures.vectors[chosen], numbers, pictures.products[chosen].view(np.int64))
    learned = train_map(given, encoder.text_encoder_id, generation.extractor_id, seed, known(generation, encoder))
    data, entry = part.written(learned)
    write_learned(folder, entry, data)
    log.info("event=meaning_learned generation=%s texts=%d pictures=%d used=%s why=%r held=%s", generation.name,
             len(texts), len(chosen), entry.used, entry.why, entry.held)  # fmt: skip
    return msgspec.structs.replace(generation, learned=[*generation.learned, entry])


def _pictures(folder: Path, generation: Generation, random: np.random.Generator) -> Pictures:
    """Drawn evenly over the shards."""
    whole = max(1, generation.searchable)
    parts = [
        sample_pictures(folder / f"shard-{number}", -(-MOST_PICTURES * shard.searchable // whole), random)
        for number, shard in enumerate(generation.shards)
    ]
    return Pictures(
        np.concatenate([each.vectors for each in parts]),
        np.concatenate([each.products for each in parts]),
        [attributes for each in parts for attributes in each.attributes],
    )


def _attributes(data: bytes) -> dict[str, object]:
    found = msgspec.json.decode(data) if data else {}
    return found if isinstance(found, dict) else {}


def _chosen(said: list[list[str]], products: NDArray[np.uint64], random: np.random.Generator) -> NDArray[np.intp]:
    """Pictures in their order: of products at random, as long as there is room for their texts."""
    _, number = np.unique(products, return_inverse=True)
    order = random.permutation(int(number.max(initial=-1)) + 1)
    texts: set[str] = set()
    chosen: list[int] = []
    for picture in np.argsort(order[number], kind="stable").tolist():
        new = {text for text in said[picture] if text} - texts
        if len(texts) + len(new) <= MOST_TEXTS:
            texts |= new
            chosen.append(picture)
    return np.sort(np.array(chosen, np.intp))

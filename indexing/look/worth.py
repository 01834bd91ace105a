"""What a tuning is worth: whether views of pictures that it was not learned from find their picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexing.category.training import train_head
from indexing.look.prior import Prior
from indexing.look.training import KEPT, prior_alone, train_tuning, with_query_log
from indexing.look.tuning import Rows, Tuning
from schemas.features.blocks import Block

LEAST_THINGS = 50
HELD_BACK = 5
"""One in so many things is not learned from."""
MOST_ASKED = 1_000


@dataclass(frozen=True, slots=True)
class Learned:
    """A tuning from four fifths of the things, and what it found of the rest, which no tuning is ever learned from.

    `held`: recall@1 of views of things held back, of what would serve instead
    and of untuned features, and the standard error of the first difference; of
    categories, how often they are told. Where what would serve instead is
    better, `tuning` has its directions, `why` says so, and `used` whether the
    categories are worth it all the same.
    """

    tuning: Tuning
    used: bool
    why: str
    held: dict[str, float]
    by_chance: dict[str, float]
    settings: dict[str, float]


def learn(
    base: Rows,
    things: NDArray[np.int64],
    extractor_id: str,
    blocks: Sequence[Block],
    seed: int,
    prior: Prior | None = None,
    serving: Tuning | None = None,
    categories: Sequence[str] = (),
    photos: Rows | None = None,
    held: NDArray[np.bool_] | None = None,
) -> Learned:
    """base (n, numbers), things (n,): views by thing, the first row of each is the picture itself. categories: of each
    row, "" for none; learned as well where they can be told, whatever the rest is worth. photos (m, numbers): those
    that shoppers asked with, whose mean is theirs. held (n,): of which rows nothing is learned, so that what is
    measured is what serves; the same things each time, or what serves would know them (None: drawn).

    `serving`: what is to be beaten; None: the prior alone, or nothing. Raises `ValueError` for fewer than
    `LEAST_THINGS` things, as `train_tuning` does, and where `serving` is of another extractor.
    """
    numbers = np.unique(things)
    if len(numbers) < LEAST_THINGS:
        raise ValueError(f"pictures of {len(numbers)} things; {LEAST_THINGS} are needed to learn what tells them apart")
    if serving is not None and serving.extractor_id != extractor_id:
        raise ValueError(f"{serving.extractor_id} serves, the views are of {extractor_id}: they cannot be compared")
    random = np.random.default_rng(seed)
    if held is None:
        held = np.isin(things, random.permutation(numbers)[: max(1, len(numbers) // HELD_BACK)])
    if held.all() or not held.any():
        raise ValueError("all things are held back, or none: more are needed to measure what is learned")
    tried = train_tuning(base[~held], things[~held], extractor_id, blocks, prior)
    items, asked, wanted = _asked(base, things, held, random)
    rival = serving if serving is not None or prior is None else prior_alone(prior)
    # Without categories, which know the things held back.
    compared = rival if rival is None else rival.with_head(None)
    found = {
        "recall_at_1": _hits(tried.queries(asked), tried.items(items), wanted),
        "recall_at_1_untuned": _hits(asked, items, wanted),
    }
    found["recall_at_1_serving"] = (
        found["recall_at_1_untuned"]
        if compared is None
        else _hits(compared.queries(asked), compared.items(items), wanted)
    )
    beyond = found["recall_at_1"].astype(np.float64) - found["recall_at_1_serving"]
    error = float(beyond.std() / np.sqrt(len(beyond)))
    better = float(beyond.mean()) >= -error
    figures = {name: float(hits.mean()) for name, hits in found.items()}
    why = "" if better else (
        f"recall@1 {figures['recall_at_1']:.3f} of views held back beside {figures['recall_at_1_serving']:.3f} "
        "of what serves instead"
    )  # fmt: skip
    learned = Learned(
        tried if better or compared is None else compared,
        better,
        why,
        {**figures, "beyond_error": error, "views": len(asked), "among": len(items)},
        {"recall_at_1": 1.0 / len(items)},
        {
            "things": len(numbers),
            "views": len(base) - len(numbers),
            "seed": seed,
            "prior": 0 if prior is None else prior.scatters[0].pictures,
            **{f"numbers_{block.name}": KEPT[block.name].numbers for block in blocks},
        },
    )
    if photos is not None and len(photos) and learned.used:
        learned = replace(
            learned,
            tuning=with_query_log(learned.tuning, photos),
            settings=learned.settings | {"photos": len(photos)},
        )
    return _with_categories(learned, base, things, blocks, categories, rival)


def _with_categories(
    learned: Learned,
    base: Rows,
    things: NDArray[np.int64],
    blocks: Sequence[Block],
    categories: Sequence[str],
    rival: Tuning | None,
) -> Learned:
    """With a head of categories, where one is right often enough about things held back; it may be all there is new."""
    try:
        found = train_head(base, categories, things, learned.tuning.extractor_id, blocks, int(learned.settings["seed"]))
    except ValueError:  # too few categories, or none
        return learned
    new = found.used and (learned.used or rival is not None)
    return replace(
        learned,
        tuning=learned.tuning.with_head(found.head if found.used else None),
        used=learned.used or new,
        held=learned.held | {f"category_{name}": value for name, value in found.held.items()},
        by_chance=learned.by_chance | {f"category_{name}": value for name, value in found.by_chance.items()},
        settings=learned.settings | {"categories": found.settings["categories"]},
    )


def _asked(
    base: Rows, things: NDArray[np.int64], held: NDArray[np.bool_], random: np.random.Generator
) -> tuple[Rows, Rows, NDArray[np.intp]]:
    """(all pictures, views of things held back, of each the row of its picture)."""
    numbers, first = np.unique(things, return_index=True)
    views = np.flatnonzero(held & ~np.isin(np.arange(len(things)), first))
    views = np.sort(random.permutation(views)[:MOST_ASKED])
    return base[first], base[views], np.searchsorted(numbers, things[views])


def _hits(queries: Rows, items: Rows, wanted: NDArray[np.intp]) -> NDArray[np.bool_]:
    scores = queries @ items.T
    own = scores[np.arange(len(queries)), wanted]
    scores[np.arange(len(queries)), wanted] = -np.inf
    hits: NDArray[np.bool_] = own > scores.max(axis=1)
    return hits

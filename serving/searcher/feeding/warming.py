"""The first queries of a new index are recorded ones: they bring into memory what shoppers' queries will touch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.look.looks import Look, Tuned
from indexing.shard.shard import Shard
from indexing.training.train import omp_threads
from schemas.errors import CorruptError
from schemas.features.recorded import read_features, read_vectors, recorded_file

log = logging.getLogger(__name__)

WARM_QUERIES = 500
WARM_LIMIT_S = 10.0
"""An index that is not warm by then has mapped files on a slow disk: it serves, and gets warm by serving."""
_IMAGES = 100
_AT_ONCE = 8


def recorded(queries: Path, photos: Path, look: Look) -> NDArray[np.float32]:
    """Vectors to search with, (n, dimension): what was asked of this extractor, in the folder `queries`, else what
    photos of `photos` come to by a new tuning. Raises `FileNotFoundError`, `CorruptError`.
    """
    try:
        return read_vectors(recorded_file(queries, look.extractor_id))
    except FileNotFoundError:
        if not isinstance(look, Tuned) or not len(features := read_features(photos, look.features_id)):
            raise
        return look.tuning.queries(features)


def warm(shard: Shard, queries: Callable[[], NDArray[np.float32]], labels: str) -> int:
    """Searches with the vectors that `queries` gives and returns how many; 0 where there are none.

    A file that cannot be used is a line in the log: recorded queries make an
    index faster, none is right or wrong without them.
    """
    began = time.monotonic()
    done = 0
    try:
        vectors = queries()[:WARM_QUERIES]
        # One thread: another index answers meanwhile.
        with omp_threads(1):
            while done < len(vectors) and time.monotonic() - began < WARM_LIMIT_S:
                done += len(shard.search(vectors[done : done + _AT_ONCE], _IMAGES))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, CorruptError) as error:
        log.warning("event=not_warmed %s problem=%s", labels, error)
        return done
    log.info("event=warmed %s queries=%d seconds=%.2f", labels, done, time.monotonic() - began)
    return done

"""The first queries of a new index are recorded ones: they bring into memory what shoppers' queries will touch."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from indexing.shard.shard import Shard
from indexing.training.train import omp_threads

log = logging.getLogger(__name__)

WARM_QUERIES = 500
WARM_LIMIT_S = 10.0
"""An index that is not warm by then has mapped files on a slow disk: it serves, and gets warm by serving."""
_IMAGES = 100
_AT_ONCE = 8


def warm(shard: Shard, queries: Path, labels: str) -> int:
    """Searches with the vectors in `queries` (float32, n x dimension, .npy) and returns how many; 0 without the file.

    A file that cannot be used is a line in the log: recorded queries make an
    index faster, none is right or wrong without them.
    """
    began = time.monotonic()
    done = 0
    try:
        vectors = np.load(queries, allow_pickle=False)[:WARM_QUERIES]
        # One thread: another index answers meanwhile.
        with omp_threads(1):
            while done < len(vectors) and time.monotonic() - began < WARM_LIMIT_S:
                done += len(shard.search(vectors[done : done + _AT_ONCE], _IMAGES))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, EOFError) as error:
        log.warning("event=not_warmed %s file=%s problem=%s", labels, queries, error)
        return done
    log.info("event=warmed %s queries=%d seconds=%.2f", labels, done, time.monotonic() - began)
    return done

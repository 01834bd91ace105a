"""Prepares the first looks of all priors that are shipped: `python -m indexing.look`, once, by `make setup`."""

from __future__ import annotations

import os
import sys

# On a busy machine two threads of BLAS wait for each other by turning round: minutes instead of seconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from indexing.look.first import first_look, prepared
from indexing.look.shipped import shipped


def main() -> int:
    for extractor_id in shipped():
        look = first_look(extractor_id, prepared())
        print(f"{look.extractor_id}: in {prepared()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m sample [folder]`: makes the sample catalogue and says where it lies."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from sample.making import make_sample
from schemas.errors import OperatorError
from schemas.settings import load_settings


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m sample", description="Draw the sample catalogue.")
    parser.add_argument("folder", type=Path, nargs="?", help="where to (default: VITRINE_HOME/sample)")
    parser.add_argument("--products", type=int, default=2000, help="how many products (default: 2000)")
    parser.add_argument("--images", type=int, default=3000, help="how many images of them (default: 3000)")
    options = parser.parse_args(arguments)
    try:
        folder = options.folder or load_settings().layout.sample
        with tqdm(desc="drawing the sample catalogue", unit=" pictures", disable=None) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            sample = make_sample(folder, options.products, options.images, show)
    except OperatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(sample.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does the encoder find the right thing? Exact products and labels on two real catalogues.

    python -m benchmarks.retrieval [--encoder NAME ...] [--bfloat16]

Of an encoder of base features (NAME_blocks) what is learned from the catalogues, step by step (`tuned.py`).

- apparel: studio photographs; the query is another view (back, side) of a product. Is that very
  product first (@1), or among the first five (@5)?
- clothing: photographs that people took at home; is the first answer the same kind of garment?

Exact search: this measures the vectors, not an index. Skips, saying so, where the data is absent.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.result import rounded, write_result
from benchmarks.harness.system import COMPOSITE
from benchmarks.retrieval import tuned
from benchmarks.retrieval.catalogue import Catalogue, shared_data
from benchmarks.retrieval.features import drawn_sample, seen
from benchmarks.retrieval.tuned import prior_of
from indexing.look.shipped import shipped_prior
from schemas.features.blocks import Block, blocks_of
from vision.embedder import Embedder, create_embedder
from vision.environment import MALLOC_ENV

BLOCKS = "efficientnet_lite0_blocks"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--encoder", nargs="+", default=[COMPOSITE, BLOCKS], help="encoders by name, default: the composite and ours"
    )
    parser.add_argument("--weights", default="", help="weights file of a torchvision encoder")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network, 0: PyTorch's default")
    parser.add_argument("--bfloat16", action="store_true", help="allow bfloat16 where the processor multiplies it")
    parser.add_argument("--name", default="retrieval", help="of the result")
    arguments = parser.parse_args()
    data = shared_data()
    if not (data / "apparel").is_dir() or not (data / "clothing").is_dir():
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    if any(name not in os.environ for name in MALLOC_ENV):
        os.execve(
            sys.executable, [sys.executable, "-m", "benchmarks.retrieval", *sys.argv[1:]], os.environ | MALLOC_ENV
        )
    figures = {}
    for number, name in enumerate(arguments.encoder):
        embedder = create_embedder(name, arguments.weights, threads=arguments.threads, bfloat16=arguments.bfloat16)
        blocks = blocks_of(name)
        figures[embedder.extractor_id] = learned(embedder, data, blocks) if blocks else measure(embedder, data)
        # After each, because they take minutes.
        write_result(arguments.name, vars(arguments) | {"encoder": arguments.encoder[: number + 1]}, figures)
    return 0


def measure(embedder: Embedder, data: Path) -> dict[str, Any]:
    """Shares of queries answered rightly, and the speed of the network alone."""
    started = time.perf_counter()
    apparel = Catalogue(data / "apparel", "product_id")
    clothing = Catalogue(data / "clothing", "category")
    seconds = 0.0
    for catalogue in (apparel, clothing):
        seconds += catalogue.embed(embedder)
    images = len(apparel.files) + len(clothing.files)
    return {
        "apparel_product_at_1": round(apparel.found(1), 4),
        "apparel_product_at_5": round(apparel.found(5), 4),
        "clothing_label_at_1": round(clothing.found(1), 4),
        "images": images,
        "network_images_per_s": round(images / seconds, 1),
        "images_per_s": round(images / (time.perf_counter() - started), 1),
    }


def learned(embedder: Embedder, data: Path, blocks: tuple[Block, ...]) -> dict[str, Any]:
    """By catalogue. What is known beforehand of apparel is the shipped prior, of clothing what apparel teaches, of the
    sample, which is in the shipped prior, both real catalogues: never anything of the catalogue itself."""
    extractor_id = embedder.extractor_id
    apparel = seen(data / "apparel", "product_id", embedder)
    clothing = seen(data / "clothing", "category", embedder)
    sample = seen(drawn_sample(), "product_id", embedder)
    of_apparel = prior_of([apparel], extractor_id, blocks)
    of_both = prior_of([apparel, clothing], extractor_id, blocks)
    figures = {
        "apparel": tuned.figures(apparel, blocks, extractor_id, shipped_prior(extractor_id)),
        "clothing": tuned.figures(clothing, blocks, extractor_id, of_apparel),
        "sample": tuned.figures(sample, blocks, extractor_id, of_both),
    }
    return {"learned": rounded(figures)}


if __name__ == "__main__":
    sys.exit(main())

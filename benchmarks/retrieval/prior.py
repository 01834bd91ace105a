"""Makes the prior that Vitrine ships, and says what its small form costs.

    python -m benchmarks.retrieval.prior [--write]

From the sample catalogue, which Vitrine draws, and from `clothing`, whose photographs are in the public domain (CC0).
Judged by `apparel`, of which nothing is in it. `--write`: puts it where it is shipped from.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.harness.result import REPOSITORY, rounded
from benchmarks.retrieval.catalogue import shared_data
from benchmarks.retrieval.features import drawn_sample, seen
from benchmarks.retrieval.tuned import prior_of, scores, share
from indexing.look.prior import decode_prior, encode_prior
from indexing.look.shipped import FOLDER, file_name
from indexing.look.training import prior_alone
from schemas.features.blocks import blocks_of
from vision.embedder import create_embedder

ENCODER = "efficientnet_lite0_blocks"
RANK = 48
RANKS = (24, 48, 96)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep it in indexing/look")
    arguments = parser.parse_args()
    data = shared_data()
    if not (data / "apparel").is_dir() or not (data / "clothing").is_dir():
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    embedder = create_embedder(ENCODER, threads=1)
    sources = [
        seen(drawn_sample(), "product_id", embedder),
        seen(data / "clothing", "category", embedder),
    ]
    judge = seen(data / "apparel", "product_id", embedder)
    whole = prior_of(sources, embedder.extractor_id, blocks_of(ENCODER))
    print("whole", rounded(share(judge, scores(prior_alone(whole), judge))))
    for rank in RANKS:
        coded = encode_prior(whole.extractor_id, whole.blocks, whole.scatters, rank)
        found = share(judge, scores(prior_alone(decode_prior(coded)), judge))
        print(f"rank {rank}, {len(coded):,} bytes", rounded(found))
    if arguments.write:
        file = REPOSITORY / "indexing" / "look" / FOLDER / file_name(whole.extractor_id)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(encode_prior(whole.extractor_id, whole.blocks, whole.scatters, RANK))
        print(file.relative_to(REPOSITORY))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Index kinds: what a shard's lists hold, and which kind fits how many vectors."""

from __future__ import annotations

from enum import StrEnum

EXACT_BELOW = 20_000
"""Vectors of a shard under which exact search takes a few milliseconds, and needs no training."""

PROJECTED_FROM = 256
"""Numbers of a vector from which on a scan of 128 of them is worth the second look at the best."""


class IndexKind(StrEnum):
    """The names that manifests, settings and `vitrine plan` use.

    exact: every vector is compared; recall 1. ivf_flat: vectors in inverted
    lists around trained centroids, `nprobe` of them compared; what is compared
    is compared exactly, recall is the share of neighbours in the probed lists.
    ivf_pca, ivf_sq8, ivf_pq: the lists hold codes (the 128 numbers in which
    vectors have most of their energy, a byte each; a byte for each number of
    the vector; 64 bytes), the best by
    code are compared again by their stored vectors.
    """

    EXACT = "exact"
    IVF_FLAT = "ivf_flat"
    IVF_PCA = "ivf_pca"
    IVF_SQ8 = "ivf_sq8"
    IVF_PQ = "ivf_pq"

    @property
    def coded(self) -> bool:
        """The lists hold codes beside the vectors."""
        return self is IndexKind.IVF_PCA or self.mapped

    @property
    def mapped(self) -> bool:
        """Codes stand for the vectors in memory, too: those of files stay on disk."""
        return self in (IndexKind.IVF_SQ8, IndexKind.IVF_PQ)


def default_kind(vectors: int, dimension: int) -> IndexKind:
    """exact for a shard of few vectors; from `EXACT_BELOW` on ivf_pca, or ivf_flat where vectors are short."""
    if vectors < EXACT_BELOW:
        return IndexKind.EXACT
    return IndexKind.IVF_PCA if dimension >= PROJECTED_FROM else IndexKind.IVF_FLAT

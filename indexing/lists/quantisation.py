"""Codes that a scan decodes while it goes over them: 8-bit scalar quantisation and product quantisation."""

from __future__ import annotations

from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.kinds import IndexKind
from schemas.errors import OperatorError

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

PQ_BYTES = 64
_PQ_BITS = 8
_WORD = 4
_PQ_SAMPLE = 1 << 16


def quantised_bytes(kind: IndexKind, dimension: int) -> int:
    """Bytes of one code. Raises `OperatorError` for a dimension that the kind cannot take."""
    if dimension % _WORD:
        raise OperatorError(f"{kind.value} takes dimensions that are multiples of {_WORD}, not {dimension}")
    if kind is IndexKind.IVF_SQ8:
        return dimension
    # The largest number of equal parts; 64 for every dimension that is a multiple of it.
    return max(parts for parts in range(_WORD, PQ_BYTES + 1, _WORD) if dimension % parts == 0)


class Quantiser:
    """A `Codec` of a kind that faiss decodes; a code's bits lie in float32 words, whose values mean nothing."""

    def __init__(self, kind: IndexKind, dimension: int, parameters: NDArray[np.float32]) -> None:
        """parameters: what `parameters` of a trained one was. Raises `ValueError` for another number of them."""
        self.kind = kind
        self.dimension = dimension
        self.width = quantised_bytes(kind, dimension) // _WORD
        self._encoder = self._index(_no_centroids(dimension), 1)
        self._set_parameters(self._encoder, parameters)
        self.parameters = parameters

    @classmethod
    def train(cls, kind: IndexKind, sample: NDArray[np.float32], seed: int) -> Quantiser:
        dimension = sample.shape[1]
        if kind is IndexKind.IVF_SQ8:
            quantizer = faiss.ScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit)
            quantizer.train(np.ascontiguousarray(sample))
            return cls(kind, dimension, faiss.vector_to_array(quantizer.trained))
        product = faiss.ProductQuantizer(dimension, quantised_bytes(kind, dimension), _PQ_BITS)
        product.cp.seed = seed
        product.cp.min_points_per_centroid = 1
        # faiss wants a point for each of the 256 centroids of a part: a small shard gives its vectors again.
        times = -(-(1 << _PQ_BITS) // len(sample))
        product.train(np.ascontiguousarray(np.tile(sample, (times, 1))[:_PQ_SAMPLE]))
        return cls(kind, dimension, faiss.vector_to_array(product.centroids))

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.encode`."""
        vectors = np.ascontiguousarray(vectors)
        codes = np.empty((len(vectors), self.width), dtype=np.float32)
        lists = np.zeros(len(vectors), dtype=np.int64)  # codes do not depend on the list
        self._encoder.encode_vectors(
            len(vectors), faiss.swig_ptr(vectors), faiss.swig_ptr(lists), faiss.swig_ptr(codes.view(np.uint8))
        )
        return codes

    def encode_scanned(self, scanned: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.encode_scanned`."""
        return self.encode(scanned)

    def scanned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.scanned`."""
        return vectors

    def make_index(self, quantizer: Any, width: int, lists: int) -> Any:
        """See `Codec.make_index`."""
        if width != self.width:
            raise ValueError(f"lists of {width} words a code, this codec has {self.width}")
        index = self._index(quantizer, lists)
        self._set_parameters(index, self.parameters)
        return index

    def _index(self, quantizer: Any, lists: int) -> Any:
        if self.kind is IndexKind.IVF_SQ8:
            return faiss.IndexIVFScalarQuantizer(
                quantizer,
                self.dimension,
                lists,
                faiss.ScalarQuantizer.QT_8bit,
                faiss.METRIC_INNER_PRODUCT,
                False,
                False,
            )
        index = faiss.IndexIVFPQ(
            quantizer, self.dimension, lists, self.width * _WORD, _PQ_BITS, faiss.METRIC_INNER_PRODUCT, False
        )
        index.by_residual = False
        return index

    def _set_parameters(self, index: Any, parameters: NDArray[np.float32]) -> None:
        target = index.sq.trained if self.kind is IndexKind.IVF_SQ8 else index.pq.centroids
        expected = 2 * self.dimension if self.kind is IndexKind.IVF_SQ8 else self.dimension << _PQ_BITS
        if len(parameters) != expected:
            raise ValueError(f"{len(parameters)} parameters of a {self.kind.value} codec instead of {expected}")
        faiss.copy_array_to_vector(parameters, target)
        index.is_trained = True


def _no_centroids(dimension: int) -> Any:
    return faiss.IndexFlatIP(dimension)

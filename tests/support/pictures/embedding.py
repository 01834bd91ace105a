"""Files to vectors in one go, as the catalogue and the blender do it in steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.embedder import Embedder
from vision.pictures.decode import ImageLimits


def embed_files(embedder: Embedder, files: Sequence[bytes], limits: ImageLimits) -> NDArray[np.float32]:
    """`prepare` and `embed` in the calling thread, (n, dimension). Raises for the first file that is refused."""
    return embedder.embed([embedder.prepare(data, limits) for data in files])

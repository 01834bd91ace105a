"""A fixed random projection: long composite vectors to fewer numbers that keep their angles.

Johnson and Lindenstrauss by random signs (Achlioptas 2003), made orthonormal.
Unlike PCA it needs no data, so every catalogue and every machine has the same
one; the signs come from SHAKE-128 and not from a library's random generator,
whose stream may change with its version.
"""

from __future__ import annotations

from hashlib import shake_128

import numpy as np
from numpy.typing import NDArray

_SEED = b"vitrine projection 1"


def sign_projection(inputs: int, outputs: int) -> NDArray[np.float32]:
    """Matrix (inputs, outputs) with orthonormal columns; `inputs` >= `outputs`.

    A QR decomposition with a positive diagonal is unique: the result depends on no library's conventions.
    """
    bits = np.unpackbits(np.frombuffer(shake_128(_SEED).digest(inputs * outputs // 8 + 1), np.uint8))
    signs = 1.0 - 2.0 * bits[: inputs * outputs].reshape(inputs, outputs)
    basis, triangle = np.linalg.qr(signs)
    return np.asarray(basis * np.sign(np.diag(triangle)), np.float32)

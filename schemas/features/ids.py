"""Extractor ids: of what encoder, weights and preprocessing features are, and what is searched of them.

    efficientnet_lite0-57934424-p1-1280                       features, searched as they are
    efficientnet_lite0_blocks-57934424-p1-3284                base features, as stored and sent
    efficientnet_lite0_blocks-57934424-p1-3284-t0a1b2c3d-704  what one tuning makes of them, as searched
    external:clip:512                                         vectors that the shop brings

Vectors under different ids must not be compared. What is learned anew at every full index has another id each time,
so that whoever asks with one tuning is never answered from an index of another; store and stream never see it.
"""

from __future__ import annotations

import re

_OWN = re.compile(
    r"(?P<features>(?P<encoder>[a-z0-9_]+)-(?P<weights>[0-9a-f]{8})-p(?P<preprocessing>\d+)-(?P<length>[1-9]\d*))"
    r"(?:-t(?P<tuning>[0-9a-f]{8})-(?P<searched>[1-9]\d*))?"
)
_EXTERNAL = "external:"
_EXTERNAL_ID = re.compile(r"external:(?P<name>[A-Za-z0-9_-]{1,64}):(?P<dimension>[1-9]\d{0,3})")
_TUNING_DIGITS = 8


def dimension_of(extractor_id: str) -> int:
    """Length of the vectors under this id. Raises `ValueError` when it is no extractor id."""
    if (own := _OWN.fullmatch(extractor_id)) is not None:
        return int(own["searched"] or own["length"])
    if (external := _EXTERNAL_ID.fullmatch(extractor_id)) is not None:
        return int(external["dimension"])
    raise ValueError(f"{extractor_id!r} is no extractor id (encoder-weights-pN-dimension, or external:NAME:DIMENSION)")


def is_external(encoder: str) -> bool:
    """Whether an encoder, or an extractor id, stands for vectors that the shop brings: no picture can be embedded."""
    return encoder.startswith(_EXTERNAL)


def external_dimension(encoder: str) -> int | None:
    """Of `external:NAME:DIMENSION`; None for another spelling."""
    match = _EXTERNAL_ID.fullmatch(encoder)
    return None if match is None else int(match["dimension"])


def features_of(extractor_id: str) -> str:
    """The id under which store and stream have what is searched under `extractor_id`: its own, if nothing tunes it."""
    own = _OWN.fullmatch(extractor_id)
    return extractor_id if own is None else own["features"]


def encoder_of(extractor_id: str) -> str:
    """The encoder's name; an external one is its own."""
    own = _OWN.fullmatch(extractor_id)
    return extractor_id if own is None else own["encoder"]


def tuned_id(extractor_id: str, checksum: str, dimension: int) -> str:
    """Of what the tuning with that checksum (hex) makes of base features under `extractor_id`."""
    return f"{extractor_id}-t{checksum[:_TUNING_DIGITS]}-{dimension}"

"""The encoder of a home, as it is written down there: what goes on where nobody names one, whatever the default is.

`vitrine start` writes what it starts with; whoever reads the settings of the home sees it.
"""

from __future__ import annotations

import msgspec

from schemas.errors import OperatorError
from schemas.layout import Layout

BEFORE = "efficientnet_lite0_composite"
"""Of homes from before this was written down, unless something named another."""


class HomeEncoder(msgspec.Struct, frozen=True):
    """`weights`: its file, as in the settings; empty: its own."""

    encoder: str
    weights: str = ""


def encode_home_encoder(found: HomeEncoder) -> bytes:
    return msgspec.json.encode(found)


def read_home_encoder(layout: Layout) -> HomeEncoder | None:
    """None of a home that is new. Raises `OperatorError` for a file that does not decode."""
    file = layout.encoder
    try:
        return msgspec.json.decode(file.read_bytes(), type=HomeEncoder)
    except FileNotFoundError:
        old = layout.feature_store.exists() or layout.catalogue_store.exists()
        return HomeEncoder(BEFORE) if old else None
    except (msgspec.MsgspecError, OSError) as error:
        raise OperatorError(
            f"{file} cannot be read ({error}): name the home's encoder in VITRINE_ENCODER and vitrine start, which "
            "writes it anew"
        ) from error

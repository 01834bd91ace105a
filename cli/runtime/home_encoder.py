"""Remembers the encoder of a home, and says where it is another than a new home would have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from disk.durable import write_durably
from schemas.features.of_home import HomeEncoder, encode_home_encoder
from schemas.settings import Settings, chosen


def remember_encoder(settings: Settings) -> None:
    """That the home goes on with what it is started with now, where nobody names one. The home's lock is held."""
    data = encode_home_encoder(HomeEncoder(settings.encoder, settings.weights))
    file = settings.layout.encoder
    if not file.exists() or file.read_bytes() != data:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, data)


def another_encoder(settings: Settings, environment: Mapping[str, str] = os.environ) -> str:
    """A line for who starts a home whose encoder nobody names and a new home would not have; else empty."""
    default = Settings().encoder
    if settings.encoder == default or "encoder" in chosen(Path(settings.home), environment):
        return ""
    return (
        f"encoder {settings.encoder}, which this home was made with; a new one has {default}. To change: "
        f"VITRINE_FURTHER_ENCODERS={default} vitrine start, then vitrine build --encoder {default}"
    )

"""Keeps the networks of the settings' encoders for this machine: `python -m vision.kept`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from devices import CPU
from schemas.errors import OperatorError
from schemas.features.ids import is_external
from schemas.settings import load_settings
from vision.kept.folder import read_manifest
from vision.kept.keep import keep


def main() -> int:
    logging.basicConfig(level=logging.WARNING)
    settings = load_settings()
    try:
        for encoder in (settings.encoder, *settings.further_encoders):
            weights = settings.weights if encoder == settings.encoder else ""
            if not is_external(encoder):
                folder = keep(encoder, weights, settings.device)
                print(f"{encoder}: {_said(folder)}")
    except OperatorError as error:
        print(f"networks: {error}", file=sys.stderr)
        return 1
    return 0


def _said(folder: Path | None) -> str:
    if folder is None:
        return "runs by PyTorch here"
    kept = read_manifest(folder)
    faster = "" if kept is None or kept.device == CPU else f"; faster on {kept.device}, {kept.cards}"
    return f"kept in {folder}{faster}"


if __name__ == "__main__":
    sys.exit(main())

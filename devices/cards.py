"""Which graphics cards this machine has, as NVIDIA's driver says it. Loads nothing: who has none waits for none."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger(__name__)

_CONTROL = "dev/nvidiactl"
_TOLD = "proc/driver/nvidia/gpus"
_MODEL = "Model:"


def has_cards(root: Path = Path("/")) -> bool:
    """Whether there is a driver to ask; in a container, whether it was given one. PyTorch decides if it can use it."""
    return (root / _CONTROL).exists()


def cards(root: Path = Path("/")) -> str:
    """Their models with commas between, in the driver's order; empty where there are none, or it does not say."""
    if not has_cards(root):
        return ""
    found: list[str] = []
    for file in sorted((root / _TOLD).glob("*/information")):
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError as error:
            log.info("event=card_unnamed file=%s reason=%r", file, str(error))
            lines = [f"{_MODEL} {file.parent.name}"]
        found += [line.removeprefix(_MODEL).strip() for line in lines if line.startswith(_MODEL)]
    return ", ".join(found)

"""Where kept networks lie, and what each is of. Loads neither PyTorch nor OpenVINO."""

from __future__ import annotations

import importlib.metadata
import os
from functools import cache
from hashlib import blake2b
from pathlib import Path

import msgspec

from devices import CPU
from devices.cards import cards

_VISION = Path(__file__).resolve().parents[1]
_MANIFEST = "kept.json"
NETWORK = "network.xml"
HEAD = "head.npz"
_TELLING = ("model name", "flags", "Features", "CPU implementer", "CPU part")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a kept network is of; it is of use where all of it is so. `threads`: PyTorch's own number of them.

    `cards`: the machine's (`devices.cards`). `device`: the faster one, as PyTorch names it; `cpu`: this very network.
    """

    extractor_id: str
    processor: str
    openvino: str
    code: str
    threads: int
    cards: str = ""
    device: str = CPU


def kept_folder(extractor_id: str) -> Path:
    """Where that extractor's network is kept; the variable VITRINE_NETWORKS names another place for all of them."""
    folder = os.environ.get("VITRINE_NETWORKS") or _VISION.parent / ".cache" / "networks"
    return Path(folder) / extractor_id


def here(extractor_id: str, threads: int, device: str = CPU) -> Kept:
    """What would be kept on this machine, by this code."""
    return Kept(
        extractor_id=extractor_id,
        processor=_processor(),
        openvino=importlib.metadata.version("openvino"),
        code=_code(),
        threads=threads,
        cards=cards(),
        device=device,
    )


def write_manifest(folder: Path, kept: Kept) -> None:
    (folder / _MANIFEST).write_bytes(msgspec.json.encode(kept))


def read_manifest(folder: Path) -> Kept | None:
    """None where nothing is kept, or what is kept is of another machine or other code."""
    try:
        found = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Kept)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return found if found == here(folder.name, found.threads, found.device) else None


@cache
def _code() -> str:
    """BLAKE2b of this package's code, hex."""
    digest = blake2b(digest_size=16)
    for file in sorted(_VISION.rglob("*.py")):
        digest.update(str(file.relative_to(_VISION)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    """What this processor is and can, as Linux says it; nothing where it says nothing."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        return ""
    return blake2b("\n".join(line for line in first.splitlines() if line.startswith(_TELLING)).encode()).hexdigest()[
        :32
    ]

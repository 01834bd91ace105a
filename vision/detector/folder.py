"""Where the converted detector lies, and whether it is whole. Loads nothing."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

import msgspec

from schemas.errors import OperatorError
from vision.detector.source import PACKAGE

NETWORK, NUMBERS = "network.xml", "network.bin"
_MANIFEST = "detector.json"
_HOW = "run make detector, which takes npm"


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What was converted, and the BLAKE2b-256 of each file that came of it, by name."""

    package: str
    files: dict[str, str]


def detector_folder() -> Path:
    """Beside the checkout's other downloads; the variable VITRINE_DETECTOR names another place."""
    folder = os.environ.get("VITRINE_DETECTOR") or Path(__file__).resolve().parents[2] / ".cache" / "detector"
    return Path(folder)


def is_installed() -> bool:
    """Whether there is one."""
    return (detector_folder() / _MANIFEST).is_file()


def check_installed() -> None:
    """Raises `OperatorError` where there is none."""
    if not is_installed():
        raise OperatorError(
            f"there is no detector in {detector_folder()}: {_HOW}, or unset picture_objects and query_detector"
        )


def write_manifest(folder: Path) -> None:
    """Of the converted files in this folder; without it they are not there."""
    files = {name: _digest(folder / name) for name in (NETWORK, NUMBERS)}
    (folder / _MANIFEST).write_bytes(msgspec.json.encode(Converted(package=PACKAGE, files=files)))


def checked_network() -> Path:
    """The network's file. Raises `OperatorError` where it, or the one beside it, is not what was converted."""
    folder = detector_folder()
    check_installed()
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Converted)
        wrong = [name for name in (NETWORK, NUMBERS) if _digest(folder / name) != manifest.files.get(name)]
    except (OSError, msgspec.MsgspecError) as error:
        raise OperatorError(f"the detector in {folder} cannot be read ({error}): remove it, and {_HOW}") from error
    if wrong or manifest.package != PACKAGE:
        what = ", ".join(wrong) or manifest.package
        raise OperatorError(f"the detector in {folder} is not the one that is known ({what}): remove it, and {_HOW}")
    return folder / NETWORK


def _digest(file: Path) -> str:
    return blake2b(file.read_bytes(), digest_size=32).hexdigest()

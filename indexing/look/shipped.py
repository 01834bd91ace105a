"""Priors that come with Vitrine: of how things differ in other shops' pictures (docs/adr/0042)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from indexing.look.prior import Prior, decode_prior
from schemas.errors import CorruptError

FOLDER = "priors"
_SUFFIX = ".prior"


def shipped_prior(extractor_id: str) -> Prior | None:
    """The one of this extractor, None where none is shipped. Raises `CorruptError` for a file that was altered."""
    file = files("indexing.look").joinpath(FOLDER, file_name(extractor_id))
    if not file.is_file():
        return None
    prior = decode_prior(file.read_bytes())
    if prior.extractor_id != extractor_id:
        raise CorruptError(f"the prior of {extractor_id} says it is of {prior.extractor_id}: install Vitrine anew")
    return prior


def shipped() -> list[str]:
    """Extractors that priors are shipped for."""
    found = (Path(file.name) for file in files("indexing.look").joinpath(FOLDER).iterdir())
    return sorted(file.stem for file in found if file.suffix == _SUFFIX)


def file_name(extractor_id: str) -> str:
    """In which file the prior of an extractor is."""
    return f"{extractor_id}{_SUFFIX}"

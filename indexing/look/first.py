"""The look of an index that nothing was learned for yet: by the prior that is shipped for its extractor, if one is."""

from __future__ import annotations

import logging
import os
from hashlib import blake2b
from pathlib import Path

from disk.durable import write_durably
from disk.locks import locked
from indexing.look.looks import Look, Tuned, untuned
from indexing.look.prior import Prior
from indexing.look.shipped import shipped_prior
from indexing.look.stored import decode_tuning, encode_tuning
from indexing.look.training import FIRST, prior_alone
from indexing.look.tuning import Tuning
from schemas.errors import CorruptError
from schemas.features.ids import tuned_id

log = logging.getLogger(__name__)


_SETUP = Path(__file__).resolve().parents[2] / ".cache" / "looks"


def prepared() -> Path:
    """Where setup puts what shipped priors come to, for all homes; the variable VITRINE_LOOKS names another place."""
    return Path(os.environ.get("VITRINE_LOOKS") or _SETUP)


def first_look(extractor_id: str, kept: Path) -> Look:
    """Of features under `extractor_id`. `kept`: a folder for what a prior comes to, which takes seconds to compute,
    and is looked for in `prepared` as well.

    Its id names the prior and what is made of it, not the result's bytes, which another machine's rounding may change
    in the last bits.
    Raises `CorruptError` for a prior that was altered.
    """
    prior = shipped_prior(extractor_id)
    if prior is None:
        return untuned(extractor_id)
    checksum = blake2b(f"{prior.checksum} {FIRST}".encode(), digest_size=16).hexdigest()
    name = f"{extractor_id}-{checksum[:16]}"
    tuning = _kept(kept / name) or _kept(prepared() / name) or _made(prior, kept / name)
    return Tuned(tuning, tuned_id(extractor_id, checksum, tuning.dimension))


def _kept(file: Path) -> Tuning | None:
    try:
        return decode_tuning(file.read_bytes())
    except (FileNotFoundError, CorruptError):
        return None


def _made(prior: Prior, file: Path) -> Tuning:
    """Computed by one process, for which the others of a new home wait: all of them start at once."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file.with_name(f".{file.name}.lock")):
            tuning = _kept(file)
            if tuning is None:
                tuning = prior_alone(prior)
                write_durably(file, encode_tuning(tuning))
            return tuning
    except OSError as error:
        log.warning("event=look_not_kept file=%s next=computed_at_every_start problem=%s", file, error)
        return prior_alone(prior)

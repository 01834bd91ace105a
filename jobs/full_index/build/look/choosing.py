"""By which tuning a full index is made: one learned from the catalogue now, where it is worth its while, else another.

Else the one that serves goes on, and before there is any the prior that is shipped. Nothing here fails a build.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from generations.folder import Generations
from indexing.look.first import first_look
from indexing.look.looks import Look, Tuned, untuned
from indexing.look.part import KIND, entry_in, read
from indexing.look.stored import decode_tuning, encode_tuning
from indexing.look.worth import LEAST_THINGS
from jobs.full_index.build.cut import Cut
from jobs.full_index.build.look.child import ENTRY, TUNING, Order
from jobs.full_index.build.look.pictures import draw_pictures
from jobs.pipeline.extraction.extractors import ExtractorSpec
from schemas.errors import OperatorError
from schemas.features.blocks import blocks_of
from schemas.features.ids import features_of, tuned_id
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart, checksum_of
from schemas.settings import Settings
from vision.fetching.policy import FetchPolicy

log = logging.getLogger(__name__)

VIEWS = 4
GATHER_S = 900.0
LEARN_S = 600.0
"""What learning itself may take beyond that, before it is ended: it takes some 20 s."""


@dataclass(frozen=True, slots=True)
class ChosenLook:
    """`extractor_id`: of the vectors that it makes. `file`: the tuning; `entry`: what the generation says of it.

    Travels to the Flink workers by pickle.
    """

    extractor_id: str
    file: Path
    entry: LearnedPart

    def load(self) -> Look:
        """Raises `CorruptError`."""
        return Tuned(decode_tuning(self.file.read_bytes()), self.extractor_id)


def look_by(chosen: ChosenLook | None, extractor_id: str) -> Look:
    """Of a build of that extractor's features; None: they are searched as they are."""
    return untuned(extractor_id) if chosen is None else chosen.load()


def choose_look(
    settings: Settings, extractor: ExtractorSpec, serving: Generation | None, cut: Cut, seed: int, folder: Path
) -> ChosenLook | None:
    """None for features that are searched as they are. `folder`: a new one, for the tuning.

    Raises `CorruptError` where what serves was altered.
    """
    if not blocks_of(extractor.extractor_id):
        return None
    folder.mkdir(parents=True)
    known = _known(settings, extractor.extractor_id, serving, folder)
    if settings.look_pictures < LEAST_THINGS:
        return known
    try:
        learned = _learned(settings, extractor, known, cut, seed, folder)
    except (OperatorError, OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        log.warning("event=look_not_learned next=%s problem=%r", _next(known), str(error))
        return known
    if learned is None or not learned.entry.used:
        why = "too few pictures could be had" if learned is None else learned.entry.why
        log.warning("event=look_not_learned next=%s problem=%r", _next(known), why)
        return known
    log.info("event=look_learned extractor=%s held=%s", learned.extractor_id, learned.entry.held)
    return learned


def _known(settings: Settings, features: str, serving: Generation | None, folder: Path) -> ChosenLook | None:
    """What there is without learning."""
    file = folder / "known"
    if serving is not None and features_of(serving.extractor_id) == features:
        entry = entry_in(serving)
        if entry is not None:
            data = Generations(settings.layout.generations).learned(serving.name, entry)
            read(data, entry)
            file.write_bytes(data)
            return ChosenLook(serving.extractor_id, file, entry)
    look = first_look(features, settings.layout.looks)
    if not isinstance(look, Tuned):
        return None
    data = encode_tuning(look.tuning)
    file.write_bytes(data)
    entry = LearnedPart(
        kind=KIND,
        inputs={"extractor_id": features},
        size=len(data),
        checksum=checksum_of(data),
        used=True,
        settings={"prior": "shipped"},
    )
    return ChosenLook(look.extractor_id, file, entry)


def _learned(
    settings: Settings, extractor: ExtractorSpec, known: ChosenLook | None, cut: Cut, seed: int, folder: Path
) -> ChosenLook | None:
    """Raises what the child does, and `OperatorError` in its words."""
    products = draw_pictures(cut, settings.look_pictures, seed)
    if len(products) < LEAST_THINGS:
        log.info("event=look_left_out products=%d least=%d", len(products), LEAST_THINGS)
        return None
    order = Order(
        extractor_id=extractor.extractor_id,
        encoder=extractor.encoder,
        weights=extractor.weights,
        device=settings.device,
        max_bytes=settings.image_max_bytes,
        max_pixels=settings.image_max_pixels,
        policy=FetchPolicy.from_settings(settings),
        products=products,
        views=VIEWS,
        seed=seed,
        gather_s=GATHER_S,
        serving="" if known is None else str(known.file),
        photos=str(settings.layout.recorded_photos),
        folder=str(folder),
    )
    command = [sys.executable, "-m", "jobs.full_index.build.look.child"]
    ended = subprocess.run(
        command, input=msgspec.json.encode(order), stderr=subprocess.PIPE, timeout=GATHER_S + LEARN_S, check=False
    )
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise OperatorError(f"learning ended with {ended.returncode}: {said[-1] if said else 'it said nothing'}")
    if not (folder / ENTRY).exists():
        return None
    entry = msgspec.json.decode((folder / ENTRY).read_bytes(), type=LearnedPart)
    tuning = read((folder / TUNING).read_bytes(), entry)
    searched = tuned_id(extractor.extractor_id, entry.checksum, tuning.dimension)
    return ChosenLook(searched, folder / TUNING, entry)


def _next(known: ChosenLook | None) -> str:
    return "features_as_they_are" if known is None else known.extractor_id

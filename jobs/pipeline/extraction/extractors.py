"""The extractors that the streaming job keeps current, from the settings: the main one and further ones beside it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from generations.folder import Generations
from schemas.access.objects import FullIndexes
from schemas.errors import CorruptError, OperatorError
from schemas.features.ids import features_of, is_external
from schemas.settings import Settings
from vision.extractor import extractor_id

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExtractorSpec:
    """One extractor: its id, and what builds it. `weights` as in the settings: a local file, or empty."""

    extractor_id: str
    encoder: str
    weights: str = ""

    @property
    def external(self) -> bool:
        """Whether the shop brings the vectors, and there is nothing to build."""
        return is_external(self.encoder)


def configured(settings: Settings) -> list[ExtractorSpec]:
    """The main extractor first, then the further ones in their order.

    Raises `OperatorError` for an encoder that does not exist, for weights that
    cannot be read, for two entries that are the same extractor, and for two
    external ones: an image has one vector.
    """
    specs = [_spec(settings.encoder, settings.weights)]
    for entry in settings.further_encoders:
        encoder, _, weights = (part.strip() for part in entry.partition("="))
        spec = _spec(encoder, weights)
        if any(spec.extractor_id == other.extractor_id for other in specs):
            raise OperatorError(
                f"VITRINE_FURTHER_ENCODERS names {entry}, which is {spec.extractor_id} like another one; "
                "leave out the encoder of VITRINE_ENCODER and doubled ones"
            )
        specs.append(spec)
    external = [spec.encoder for spec in specs if spec.external]
    if len(external) > 1:
        raise OperatorError(
            f"{' and '.join(external)} are two extractors of vectors of your own, and an image has one vector; leave "
            "one of them out of VITRINE_ENCODER and VITRINE_FURTHER_ENCODERS"
        )
    return specs


def warn_of_foreign_serving(place: FullIndexes, specs: list[ExtractorSpec]) -> None:
    """Logs when the generation that serves is of an extractor that is not among `specs`: no new image reaches it."""
    generations = Generations(place)
    try:
        serving = generations.serving()
    except (CorruptError, OperatorError, OSError) as error:
        log.warning("event=serving_generation_unknown reason=%r", str(error))
        return
    if serving is None or any(spec.extractor_id == features_of(serving.extractor_id) for spec in specs):
        return
    entry = serving.encoder
    if serving.weights:
        entry += f"={Path(serving.weights)}"
    log.warning(
        "event=serving_extractor_not_kept_current generation=%s extractor=%s "
        "next=%r", serving.name, serving.extractor_id,
        f"new images stay out of the search: add {entry} to VITRINE_FURTHER_ENCODERS and start the job again",
    )  # fmt: skip


def _spec(encoder: str, weights: str) -> ExtractorSpec:
    return ExtractorSpec(extractor_id(encoder, weights), encoder, weights)

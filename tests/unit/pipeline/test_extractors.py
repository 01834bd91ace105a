"""Which extractors the settings name, and the warning when the index that serves is of none of them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from generations.folder import Generations, new_name, seal_generation
from jobs.pipeline.extraction.extractors import ExtractorSpec, configured, warn_of_foreign_serving
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.settings import Settings, load_settings
from vision.extractor import extractor_id

MAIN, SECOND = "efficientnet_lite0_composite", "efficientnet_lite0"


def settings(home: Path, *further: str) -> Settings:
    return load_settings({}, home=str(home), encoder=MAIN, further_encoders=list(further))


def test_main_extractor_comes_first(tmp_path: Path) -> None:
    assert configured(settings(tmp_path)) == [ExtractorSpec(extractor_id(MAIN), MAIN)]
    names = [spec.encoder for spec in configured(settings(tmp_path, SECOND))]
    assert names == [MAIN, SECOND]


def test_entry_may_name_weights_of_its_own(tmp_path: Path) -> None:
    weights = tmp_path / "tuned.pth"
    weights.write_bytes(b"other weights")
    _, tuned = configured(settings(tmp_path, f"{MAIN}={weights}"))
    assert tuned == ExtractorSpec(extractor_id(MAIN, str(weights)), MAIN, str(weights))
    assert tuned.extractor_id != extractor_id(MAIN)


@pytest.mark.parametrize("further", [[MAIN], [SECOND, SECOND]])
def test_extractor_named_twice_is_refused(tmp_path: Path, further: list[str]) -> None:
    with pytest.raises(OperatorError, match="VITRINE_FURTHER_ENCODERS"):
        configured(settings(tmp_path, *further))


def test_vectors_of_the_shops_own_may_stand_beside_a_network_but_not_beside_each_other(tmp_path: Path) -> None:
    _, own = configured(settings(tmp_path, "external:clip:512"))
    assert (own.extractor_id, own.external) == ("external:clip:512", True)
    with pytest.raises(OperatorError, match="an image has one vector"):
        configured(settings(tmp_path, "external:clip:512", "external:other:64"))


@pytest.mark.parametrize("entry", ["no such encoder!", "", f"{SECOND}=/absent/weights.pth"])
def test_unusable_entry_is_refused(tmp_path: Path, entry: str) -> None:
    with pytest.raises(OperatorError):
        configured(settings(tmp_path, entry))


def serve(home: Path, encoder: str) -> str:
    generations = Generations(home / "generations")
    name = new_name()
    (generations.folder / name).mkdir(parents=True)
    generation = Generation(
        name=name, created_ms=1, extractor_id=extractor_id(encoder), encoder=encoder, weights="", dimension=8,
        delta_partitions=1, delta_offsets=[0], shards=[], catalogue_valid=0, catalogue_digests=[],
    )  # fmt: skip
    seal_generation(generations.folder / name, generation)
    generations.serve(name)
    return name


def test_serving_extractor_that_nobody_keeps_current_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = serve(tmp_path, SECOND)
    with caplog.at_level(logging.WARNING):
        warn_of_foreign_serving(settings(tmp_path).layout.generations, configured(settings(tmp_path)))
    assert all(word in caplog.text for word in (name, extractor_id(SECOND), "VITRINE_FURTHER_ENCODERS"))


def test_serving_extractor_that_is_kept_current_is_not_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_foreign_serving(settings(tmp_path).layout.generations, configured(settings(tmp_path)))
        serve(tmp_path, SECOND)
        kept = settings(tmp_path, SECOND)
        warn_of_foreign_serving(kept.layout.generations, configured(kept))
    assert caplog.text == ""

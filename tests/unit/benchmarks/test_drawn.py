"""Features that benchmarks draw: a store may hold them, and the look makes of them the clusters that were meant."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.load.drawn import DrawnFeatures, drawn_features
from indexing.look.looks import Tuned, untuned
from indexing.look.tuning import unit
from schemas.features.blocks import spans
from schemas.features.stored import cannot_be, feature_bytes
from schemas.settings import load_settings


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnFeatures:
    return drawn_features(load_settings({}, home=str(tmp_path_factory.mktemp("home"))))


def test_they_are_valid_features_of_the_default_encoder(drawn: DrawnFeatures) -> None:
    features = drawn.features(50)
    assert isinstance(drawn.look, Tuned)
    assert drawn.extractor_id == drawn.look.features_id != drawn.look.extractor_id
    assert not any(cannot_be([row.tobytes() for row in features], drawn.extractor_id))
    assert len({row.tobytes() for row in features}) == 50


def test_the_look_makes_of_them_what_was_drawn(drawn: DrawnFeatures) -> None:
    assert isinstance(drawn.look, Tuned)
    wanted = drawn.vectors(200)
    base = drawn.base(wanted)
    for span in spans([part.block for part in drawn.look.tuning.parts]):
        assert np.linalg.norm(base[:, span], axis=1) == pytest.approx(0.5, abs=1e-5)
    coded = np.array([list(row) for row in feature_bytes(base, drawn.extractor_id)], np.uint8)
    searched = drawn.searched(coded)
    for span in spans(drawn.look.tuning.blocks):
        alike = (unit(searched[:, span]) * unit(wanted[:, span])).sum(axis=1)
        assert alike.min() > 0.999


def test_features_that_are_searched_as_they_are_stay_so() -> None:
    drawn = DrawnFeatures(untuned("efficientnet_lite0-57934424-p1-1280"))
    features = drawn.features(5)
    np.testing.assert_array_equal(features.view("<f4"), drawn.searched(features))

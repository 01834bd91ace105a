"""The prior that comes with Vitrine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexing.look import shipped
from indexing.look.prior import encode_prior
from indexing.look.scatter import scatters
from indexing.look.shipped import file_name, shipped_prior
from indexing.look.training import prior_alone
from schemas.errors import CorruptError
from schemas.features.blocks import blocks_of
from tests.support.pictures.looks import BLOCKS, views_of
from vision.extractor import extractor_id

ENCODER = "efficientnet_lite0_blocks"


def test_prior_of_the_packaged_weights_is_there_and_serves() -> None:
    prior = shipped_prior(extractor_id(ENCODER))
    assert prior is not None and prior.blocks == blocks_of(ENCODER)
    tuning = prior_alone(prior)
    assert tuning.dimension == 704
    rows = np.random.default_rng(1).random((3, 3284), np.float32)
    np.testing.assert_allclose(np.linalg.norm(tuning.items(rows), axis=1), 1.0, atol=1e-5)


def test_other_extractors_have_none() -> None:
    assert shipped_prior("efficientnet_lite0-57934424-p1-1280") is None


def test_file_of_another_extractor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDER", str(tmp_path))
    found = scatters(*views_of(10, 3, seed=1), BLOCKS)
    (tmp_path / file_name("e-2")).write_bytes(encode_prior("e-1", BLOCKS, found, rank=2))
    with pytest.raises(CorruptError, match="says it is of e-1"):
        shipped_prior("e-2")

"""Who does k-means and assignment: the processor unless there is a card, enough to do, and less time taken."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from indexing.build.builder import BuildSettings
from indexing.lists.kinds import IndexKind
from indexing.training import choosing
from indexing.training.choosing import choose_search
from indexing.training.nearest import CentroidSearch
from schemas.errors import OperatorError
from tests.support.index.catalogue import listed, random_vectors
from tests.unit.indexing.test_build import DIMENSION, build

VECTORS = np.random.default_rng(0).standard_normal((600, 48)).astype(np.float32)
needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card that PyTorch can use")
without_card = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")


def test_processor_is_not_compared_with_anything() -> None:
    assert choose_search("cpu", VECTORS, 64) == (CentroidSearch, "cpu")


def test_little_work_is_the_processors_also_beside_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "has_cards", lambda: True)
    assert choose_search("auto", VECTORS, 64) == (CentroidSearch, "cpu")


@without_card
def test_card_that_pytorch_cannot_use_leaves_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "has_cards", lambda: True)
    monkeypatch.setattr(choosing, "_WORTH", 0.0)
    assert choose_search("auto", VECTORS, 64) == (CentroidSearch, "cpu")


@without_card
def test_named_card_that_is_not_there_is_an_operator_error_before_anything_is_trained(tmp_path: Path) -> None:
    settings = BuildSettings(kind=IndexKind.IVF_FLAT, nlist=4, device="cuda:1")
    with pytest.raises(OperatorError, match="set device to auto, cpu"):
        build(tmp_path / "s0", [listed(random_vectors(100, DIMENSION))], settings)
    assert not (tmp_path / "s0").exists()


def test_build_of_the_processor_says_nothing_of_devices(tmp_path: Path) -> None:
    _, manifest = build(
        tmp_path / "s0",
        [listed(random_vectors(300, DIMENSION))],
        BuildSettings(kind=IndexKind.IVF_FLAT, nlist=8, threads=1),
    )
    assert "device" not in manifest.training


@needs_card
def test_card_and_processor_are_timed_and_the_faster_one_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choosing, "_WORTH", 0.0)
    with caplog.at_level(logging.INFO):
        _, chosen = choose_search("auto", VECTORS, 64)
    assert f"event=training_device chosen={chosen}" in caplog.text


@needs_card
def test_build_on_a_card_is_as_good_and_its_manifest_says_where(tmp_path: Path) -> None:
    pictures = [listed(random_vectors(2000, DIMENSION))]
    built = {
        device: build(tmp_path / device, pictures, BuildSettings(kind=IndexKind.IVF_PCA, nlist=16, device=device))[1]
        for device in ("cpu", "cuda")
    }
    assert built["cuda"].training["device"] == "cuda"
    assert built["cuda"].digest == built["cpu"].digest
    assert abs(built["cuda"].training["recall_at_10"] - built["cpu"].training["recall_at_10"]) < 0.02

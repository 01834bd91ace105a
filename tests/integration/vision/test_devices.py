"""One network on several devices: PyTorch's ways against OpenVINO's, to the bits that are stored, and on a card."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from schemas.features.blocks import blocks_of, spans
from schemas.features.stored import feature_bytes
from tests.support.pictures.drawn import encoded, product
from vision.embedder import Embedder, create_embedder
from vision.encoding.encoders import build_backbone, build_head
from vision.encoding.execution import traced
from vision.encoding.measured import Way, faster, fitting, vectors_of
from vision.extractor import describe
from vision.kept.embedding import Vectors
from vision.openvino.traced import OpenVinoBackbone
from vision.pictures.decode import ImageLimits

ENCODER = "efficientnet_lite0_blocks"
FACTS = describe(ENCODER)
CPU = torch.device("cpu")
needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card that PyTorch can use")

MOST_APART = 2e-5
"""Of two numbers of a feature, of which the greatest of a block is some 0.1."""
MOST_ROUNDED_OTHERWISE = 0.005
"""Share of the stored bytes that may be one step apart: numbers that lie at the edge between two steps."""


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    embedder = create_embedder(ENCODER, device="cpu", threads=1)
    prepared = [embedder.prepare(encoded(product(seed), "PNG"), ImageLimits()) for seed in range(12)]
    size = embedder.image_size
    return np.stack([*prepared, np.full((size, size, 3), 255, np.uint8), np.zeros((size, size, 3), np.uint8)])


@pytest.fixture(scope="module")
def by_openvino() -> Vectors:
    """What extraction runs where there is no card."""
    network = build_backbone(ENCODER)
    with torch.inference_mode():
        backbone = OpenVinoBackbone(traced(network, FACTS.image_size), FACTS.image_size)
    return vectors_of(backbone, build_head(ENCODER), CPU)


@pytest.fixture(scope="module")
def by_pytorch() -> Vectors:
    """What a card runs, on the CPU: the same module, head and batches."""
    whole = vectors_of(build_backbone(ENCODER), build_head(ENCODER), CPU)
    return fitting(whole, lambda: whole, most=5)


def steps(rows: NDArray[np.float32]) -> NDArray[np.int16]:
    """The bytes that are stored of each number, without the blocks' scales: (n, numbers)."""
    stored = np.frombuffer(b"".join(feature_bytes(rows, FACTS.extractor_id)), np.int8).reshape(len(rows), -1)
    blocks = blocks_of(ENCODER)
    parts = [stored[:, span.start + 4 * (n + 1) : span.stop + 4 * (n + 1)] for n, span in enumerate(spans(blocks))]
    return np.concatenate(parts, axis=1).astype(np.int16)


def assert_agree(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(ours, theirs, atol=MOST_APART)
    apart = np.abs(steps(ours) - steps(theirs))
    assert apart.max() <= 1
    assert apart.mean() <= MOST_ROUNDED_OTHERWISE


def test_pytorch_and_openvino_agree_to_the_last_step_of_what_is_stored(
    pictures: NDArray[np.uint8], by_openvino: Vectors, by_pytorch: Vectors
) -> None:
    assert_agree(by_pytorch(pictures), by_openvino(pictures))


def test_features_that_are_not_the_same_would_be_told(pictures: NDArray[np.uint8], by_pytorch: Vectors) -> None:
    """TF32, by which a card rounds where nobody forbids it, keeps ten bits of the inputs of convolutions."""
    network = build_backbone(ENCODER)
    with torch.no_grad():
        for weight in network.parameters():
            bits = weight.numpy().view(np.int32)
            bits &= ~np.int32((1 << 13) - 1)
    rounded = vectors_of(network, build_head(ENCODER), CPU)(pictures)
    with pytest.raises(AssertionError):
        assert_agree(rounded, by_pytorch(pictures))


def test_parts_of_a_batch_do_not_change_what_comes_out(pictures: NDArray[np.uint8], by_pytorch: Vectors) -> None:
    whole = by_pytorch(pictures)
    alone = np.concatenate([by_pytorch(pictures[n : n + 1]) for n in range(len(pictures))])
    assert_agree(alone, whole)


def test_faster_device_is_the_one_that_takes_less_time(by_openvino: Vectors) -> None:
    def slowly(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        by_openvino(images)
        return by_openvino(images)

    one, two = Way("cuda", "once", by_openvino), Way("cpu", "twice", slowly)
    assert faster(one, two, FACTS.image_size) is one
    assert faster(two, one, FACTS.image_size) is one


@needs_card
def test_card_and_cpu_agree_to_the_last_step_of_what_is_stored(
    pictures: NDArray[np.uint8], by_openvino: Vectors
) -> None:
    card = create_embedder(ENCODER, device="cuda")
    assert card.extractor_id == FACTS.extractor_id
    assert_agree(card.embed(list(pictures)), by_openvino(pictures))


@needs_card
def test_batch_that_a_card_has_no_room_for_is_computed_in_parts(
    pictures: NDArray[np.uint8], caplog: pytest.LogCaptureFixture
) -> None:
    card: Embedder = create_embedder(ENCODER, device="cuda")
    many = list(pictures) * 40
    expected = card.embed(many)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + (500 << 20)) / total)
    try:
        with caplog.at_level(logging.WARNING):
            assert_agree(card.embed(many), expected)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "event=device_memory_short" in caplog.text


@needs_card
def test_auto_measures_both_and_takes_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        create_embedder(ENCODER, kept=False)
    assert {"device=cuda execution=", "device=cpu execution="} <= {
        line.partition(" ")[0] + " execution=" for line in caplog.messages if line.startswith("device=")
    }

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from schemas.errors import OperatorError, RejectedError
from schemas.features.blocks import blocks_of, spans
from schemas.features.ids import dimension_of
from tests.support.pictures.drawn import encoded, product, scene
from tests.support.pictures.embedding import embed_files
from vision.blocks.head import BlocksHead, logarithm, taps
from vision.embedder import Embedder, create_embedder
from vision.encoding.colour import ColourHistogram
from vision.encoding.efficientnet_lite import (
    BATCH_NORM_EPSILON,
    SCALING,
    EfficientNetLite,
    SameConv,
    Taps,
    block_shapes,
    covariance_of,
    fold_batch_norm,
)
from vision.encoding.projection import sign_projection
from vision.extractor import describe, extractor_id
from vision.pictures.decode import ImageLimits

LIMITS = ImageLimits()
ENCODERS = ["efficientnet_lite0", "efficientnet_lite0_composite", "efficientnet_lite0_blocks"]


@pytest.fixture(scope="module", params=ENCODERS)
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return create_embedder(request.param, device="cpu", threads=1)


def test_embedder_reports_the_id_that_the_job_was_submitted_with(embedder: Embedder) -> None:
    encoder = embedder.extractor_id.partition("-")[0]
    assert embedder.extractor_id == extractor_id(encoder)
    assert embedder.dimension == dimension_of(embedder.extractor_id)


def test_vectors_are_float32_of_unit_length(embedder: Embedder) -> None:
    files = [encoded(product(seed), "JPEG") for seed in range(5)]
    vectors = embed_files(embedder, files, LIMITS)
    assert (vectors.shape, vectors.dtype) == ((5, embedder.dimension), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_vector_does_not_depend_on_its_batch(embedder: Embedder) -> None:
    inputs = [embedder.prepare(encoded(product(seed), "PNG"), LIMITS) for seed in range(7)]
    whole = embedder.embed(inputs)
    for batch in ([0], [3, 1], [6, 5, 4, 3, 2]):
        np.testing.assert_allclose(embedder.embed([inputs[i] for i in batch]), whole[batch], atol=2e-5)


GOLDEN = {
    "efficientnet_lite0": {292: 0.184, 848: 0.1681, 661: 0.1666, 151: 0.159},
    "efficientnet_lite0_composite": {639: 0.1139, 368: 0.1051, 478: -0.1043, 125: 0.0964},
    "efficientnet_lite0_blocks": {292: 0.092, 1880: 0.0492, 2276: -0.0822, 2806: 0.2195},
}


def test_vectors_stay_what_they_are_under_this_preprocessing_version(embedder: Embedder) -> None:
    """When this fails, stored vectors no longer match new ones: raise `extractor.PREPROCESSING_VERSION`."""
    vector = embed_files(embedder, [encoded(product(5), "PNG")], LIMITS)[0]
    expected = GOLDEN[embedder.extractor_id.partition("-")[0]]
    np.testing.assert_allclose(vector[list(expected)], list(expected.values()), atol=2e-3)


def test_empty_batch_gives_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_other_view_finds_its_product(embedder: Embedder) -> None:
    catalogue = embed_files(embedder, [encoded(product(seed), "JPEG", quality=80) for seed in range(12)], LIMITS)
    queries = embed_files(embedder, [encoded(product(seed, turned=12), "WEBP") for seed in range(12)], LIMITS)
    assert ((queries @ catalogue.T).argmax(axis=1) == np.arange(12)).mean() >= 0.9


def test_blank_pictures_have_vectors_too(embedder: Embedder) -> None:
    files = [encoded(Image.new("RGB", (50, 50), colour), "PNG") for colour in ("white", "black")]
    vectors = embed_files(embedder, files, LIMITS)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_threads_prepare_side_by_side(embedder: Embedder) -> None:
    data = encoded(scene(900, 700), "JPEG")
    expected = embedder.prepare(data, LIMITS)
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda _: embedder.prepare(data, LIMITS), range(40)):
            assert np.array_equal(result, expected)


def test_refused_file_raises_what_decoding_raises(embedder: Embedder) -> None:
    with pytest.raises(RejectedError, match="image_format"):
        embed_files(embedder, [b"no picture"], LIMITS)


def test_weights_of_another_network_are_an_operator_error(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    (tmp_path / "rubbish.pth").write_bytes(b"rubbish")
    for name in ("other.pth", "rubbish.pth"):
        with pytest.raises(OperatorError, match=f"{name}.*weights"):
            create_embedder("efficientnet_lite0", str(tmp_path / name), device="cpu")


def test_device_that_is_none_is_an_operator_error() -> None:
    with pytest.raises(OperatorError, match="device"):
        create_embedder("efficientnet_lite0", device="warp")


@pytest.mark.parametrize("name", SCALING)
def test_folded_network_equals_convolution_and_batch_norm_apart(name: str) -> None:
    """Against plain PyTorch layers with TensorFlow's padding, on the first block's shapes of every variant."""
    shape, size = block_shapes(SCALING[name])[1], SCALING[name].image_size // 2
    torch.manual_seed(1)
    weight = torch.randn(shape.inputs * 6, 1, 3, 3)
    norm = torch.nn.BatchNorm2d(shape.inputs * 6, eps=BATCH_NORM_EPSILON).eval()
    for values in (norm.weight, norm.bias, norm.running_mean):
        torch.nn.init.normal_(values)
    torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    folded = SameConv(len(weight), len(weight), 3, 2, groups=len(weight), image_size=size)
    state = {"c.weight": weight, **{f"n.{key}": value for key, value in norm.state_dict().items()}}
    folded.load_state_dict({key.removeprefix("c."): value for key, value in fold_batch_norm(state, "c", "n").items()})
    pixels = torch.randn(2, len(weight), size, size)
    total = max(0, (-(-size // 2) - 1) * 2 + 3 - size)
    padded = torch.nn.functional.pad(pixels, (total // 2, total - total // 2) * 2)
    expected = norm(torch.nn.functional.conv2d(padded, weight, stride=2, groups=len(weight)))
    torch.testing.assert_close(folded(pixels), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SCALING)
def test_network_has_the_published_shapes(name: str) -> None:
    """The count of parameters, batch norm apart, that the paper's table of the lite variants implies."""
    network = EfficientNetLite(SCALING[name], Taps(output=9))
    convolutions = sum(module.weight.numel() for module in network.modules() if isinstance(module, SameConv))
    assert (
        round(convolutions / 1e6, 2)
        == {
            "efficientnet_lite0": 3.33,
            "efficientnet_lite1": 4.08,
            "efficientnet_lite2": 4.75,
        }[name]
    )


@pytest.mark.parametrize("name", SCALING)
def test_network_gives_blocks_of_the_lengths_that_the_id_is_made_of(name: str) -> None:
    scaling = SCALING[name]
    network = EfficientNetLite(scaling, taps(scaling)).eval()
    with torch.inference_mode():
        given = network(torch.zeros(1, 3, scaling.image_size, scaling.image_size))
    row = BlocksHead()(torch.zeros(1, 8, 8, 3, dtype=torch.uint8), given)
    assert row.shape[1] == describe(f"{name}_blocks").dimension
    assert [given[0].shape[1], given[1].shape[1]] == [each.length for each in blocks_of(f"{name}_blocks")[:2]]


def test_base_features_are_taken_from_the_blocks_that_were_measured() -> None:
    assert taps(SCALING["efficientnet_lite0"]) == Taps(depthwise=11, covariance=4)


def test_every_block_counts_the_same_in_a_row() -> None:
    embedder = create_embedder("efficientnet_lite0_blocks", device="cpu", threads=1)
    rows = embed_files(embedder, [encoded(product(seed), "PNG") for seed in range(3)], LIMITS)
    for span in spans(blocks_of("efficientnet_lite0_blocks")):
        np.testing.assert_allclose(np.linalg.norm(rows[:, span], axis=1), 0.5, atol=1e-5)


def test_covariance_is_that_of_channels_over_the_picture() -> None:
    maps = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(1))
    for picture, found in zip(maps, covariance_of(maps), strict=True):
        torch.testing.assert_close(found, torch.cov(picture.flatten(1), correction=0), atol=1e-5, rtol=1e-4)


def test_logarithm_keeps_distances_of_covariances_and_knows_no_contrast() -> None:
    maps = torch.randn(2, 6, 9, 9, generator=torch.Generator().manual_seed(2))
    rows = covariance_of(maps).flatten(1)
    found = logarithm(rows)
    torch.testing.assert_close(logarithm(rows * 16), found, atol=1e-4, rtol=1e-4)
    whole = []
    for matrix in rows.double().reshape(-1, 6, 6):
        values, vectors = torch.linalg.eigh(matrix / (matrix.trace() / 6))
        whole.append(vectors @ torch.diag((values + 0.01).log()) @ vectors.T)
    distance = torch.linalg.matrix_norm(whole[0] - whole[1])
    torch.testing.assert_close(torch.linalg.vector_norm(found[0] - found[1]).double(), distance, atol=1e-3, rtol=1e-3)
    assert torch.isfinite(logarithm(torch.zeros(1, 36))).all()


def test_colour_tells_products_apart_and_ignores_white_around_them() -> None:
    histogram = ColourHistogram()
    red, blue = torch.full((1, 8, 8, 3), 255, dtype=torch.uint8), torch.full((1, 8, 8, 3), 255, dtype=torch.uint8)
    red[:, 2:5, 2:5] = torch.tensor([200, 20, 20])
    blue[:, 2:5, 2:5] = torch.tensor([20, 20, 200])
    small_red = torch.full((1, 8, 8, 3), 255, dtype=torch.uint8)
    small_red[:, 4:6, 4:6] = torch.tensor([200, 20, 20])
    rows = histogram(torch.cat([red, blue, small_red]))
    assert float(rows[0] @ rows[1]) < 0.1
    assert float(rows[0] @ rows[2]) > 0.999


def test_near_colours_still_match() -> None:
    histogram = ColourHistogram()
    pictures = torch.zeros((3, 8, 8, 3), dtype=torch.uint8)
    for row, colour in enumerate([(200, 20, 20), (188, 26, 30), (20, 160, 60)]):
        pictures[row] = torch.tensor(colour)
    rows = histogram(pictures)
    assert float(rows[0] @ rows[1]) > 0.7
    assert float(rows[0] @ rows[2]) < 0.2


def test_projection_is_orthonormal_and_the_same_for_ever() -> None:
    matrix = sign_projection(1904, 768)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(768), atol=1e-5)
    assert round(float(matrix[0, 0]), 5) == 0.02292
    assert round(float(matrix[1903, 767]), 5) == 0.02415

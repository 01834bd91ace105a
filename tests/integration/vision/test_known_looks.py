"""Names whose looks are known before a shop is seen."""

from __future__ import annotations

import numpy as np
import pytest

from vision.embedder import Embedder, create_embedder
from vision.known_looks import KnownLooks, known_looks, spaced

ENCODER = "efficientnet_lite0_composite"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return create_embedder(ENCODER, threads=1)


@pytest.fixture(scope="module")
def looks(embedder: Embedder) -> KnownLooks:
    return known_looks(embedder, ENCODER)


def test_every_name_has_a_direction_of_the_encoders_space(looks: KnownLooks, embedder: Embedder) -> None:
    assert looks.directions.shape == (len(looks.names), embedder.dimension) and looks.directions.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(looks.directions, axis=1), 1.0, atol=1e-5)
    assert {"crimson", "dark slate gray", "jersey", "running shoe"} <= set(looks.names)


def test_like_colours_and_like_kinds_lie_near_each_other(looks: KnownLooks) -> None:
    def cosine(one: str, other: str) -> float:
        return float(looks.directions[looks.names.index(one)] @ looks.directions[looks.names.index(other)])

    assert cosine("crimson", "red") > cosine("crimson", "blue")
    assert cosine("navy", "dark blue") > cosine("navy", "yellow")
    assert cosine("cowboy boot", "clog") > cosine("cowboy boot", "espresso")


@pytest.mark.parametrize(
    ("css", "written"),
    [("darkslategray", "dark slate gray"), ("red", "red"), ("lightgoldenrodyellow", "light goldenrod yellow")],
)
def test_names_are_spaced_as_people_write_them(css: str, written: str) -> None:
    assert spaced(css) == written


def test_kinds_lie_in_the_last_layers_block_of_base_features() -> None:
    encoder = "efficientnet_lite0_blocks"
    embedder = create_embedder(encoder, threads=1)
    found = known_looks(embedder, encoder)
    assert found.directions.shape == (len(found.names), embedder.dimension)
    kind = found.directions[found.names.index("running shoe")]
    assert kind[:1280].any() and not kind[1280:].any()

"""From features to what is searched of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexing.look import first
from indexing.look.__main__ import main as prepare
from indexing.look.first import first_look
from indexing.look.looks import Tuned, Untuned, untuned
from indexing.look.part import KIND, look_of
from indexing.look.stored import decode_tuning, encode_tuning
from schemas.errors import CorruptError
from schemas.features.ids import dimension_of, features_of, tuned_id
from schemas.features.stored import cannot_be, feature_bytes, feature_length, feature_rows
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart, checksum_of
from tests.support.pictures.looks import FEATURES, base_rows, small_look, small_tuning

VECTORS = "efficientnet_lite0-57934424-p1-1280"


def test_ids_say_what_is_stored_and_what_is_searched() -> None:
    searched = tuned_id(FEATURES, "0a1b2c3d4e5f", 704)
    assert searched == f"{FEATURES}-t0a1b2c3d-704"
    assert (features_of(searched), dimension_of(searched)) == (FEATURES, 704)
    assert (features_of(FEATURES), dimension_of(FEATURES)) == (FEATURES, 3284)
    assert features_of("external:clip:512") == "external:clip:512" and dimension_of("external:clip:512") == 512
    with pytest.raises(ValueError, match="is no extractor id"):
        dimension_of(f"{FEATURES}-tXYZ-704")


def test_base_features_are_a_byte_a_number_and_others_float32() -> None:
    rows = base_rows(3, seed=1)
    coded = feature_bytes(rows, FEATURES)
    assert [len(each) for each in coded] == [feature_length(FEATURES, 3284)] * 3 == [3284 + 4 * 4] * 3
    np.testing.assert_allclose(feature_rows(coded, FEATURES), rows, atol=1e-3)
    vectors = np.eye(3, 1280, dtype=np.float32)
    assert feature_bytes(vectors, VECTORS) == [row.tobytes() for row in vectors]
    assert feature_length(VECTORS, 1280) == 5120


def test_features_that_cannot_be_are_told_one_by_one() -> None:
    good, other = feature_bytes(base_rows(2, seed=2), FEATURES)
    not_finite = np.float32("nan").tobytes() + good[4:]
    too_long = b"".join([np.float32(3.0).tobytes(), good[4:]])
    assert cannot_be([good, not_finite, other, too_long], FEATURES) == [False, True, False, True]
    assert cannot_be([good, good[:-4]], FEATURES) == [False, True]
    assert cannot_be([np.eye(1, 4, dtype="<f4").tobytes(), b"\0" * 6], VECTORS) == [False, True]
    assert cannot_be([], FEATURES) == []


def test_tuned_look_makes_vectors_of_features() -> None:
    look = small_look(3)
    features = feature_bytes(base_rows(5, seed=4), FEATURES)
    assert look.features_id == FEATURES and look.changes and look.dimension == 16
    np.testing.assert_array_equal(look.vectors(features), look.tuning.items(feature_rows(features, FEATURES)))
    with pytest.raises(ValueError, match="makes no"):
        Tuned(look.tuning, tuned_id(FEATURES, "0" * 8, 17))


def test_untuned_features_are_searched_as_they_are() -> None:
    look = untuned(VECTORS)
    vectors = np.eye(2, 1280, dtype=np.float32)
    assert not look.changes and (look.extractor_id, look.features_id) == (VECTORS, VECTORS)
    np.testing.assert_array_equal(look.vectors(feature_bytes(vectors, VECTORS)), vectors)
    assert untuned(FEATURES).changes, "a vector's float32 are not the bytes that the store has"
    with pytest.raises(ValueError, match="is of a tuning"):
        untuned(small_look(1).extractor_id)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuned, Path]:
    """The first look, where nothing was prepared, and the folder that it is kept in."""
    folder = tmp_path_factory.mktemp("looks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRINE_LOOKS", str(folder / "nothing"))
        look = first_look(FEATURES, folder)
    assert isinstance(look, Tuned)
    return look, folder


@pytest.fixture
def nothing_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_LOOKS", str(tmp_path / "nothing"))


@pytest.mark.usefixtures("nothing_prepared")
def test_first_look_is_the_shipped_prior_computed_once(
    computed: tuple[Tuned, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    look, folder = computed
    assert look.dimension == 704
    monkeypatch.setattr(first, "prior_alone", lambda _: pytest.fail("it is kept"))
    again = first_look(FEATURES, folder)
    assert isinstance(again, Tuned) and again.extractor_id == look.extractor_id
    assert encode_tuning(again.tuning) == encode_tuning(look.tuning)
    assert isinstance(first_look(VECTORS, folder), Untuned)


def test_first_look_that_setup_prepared_is_every_homes(
    computed: tuple[Tuned, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, folder = computed
    monkeypatch.setenv("VITRINE_LOOKS", str(folder))
    monkeypatch.setattr(first, "prior_alone", lambda _: pytest.fail("it is prepared"))
    assert prepare() == 0
    assert first_look(FEATURES, tmp_path / "home").extractor_id == look.extractor_id
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("nothing_prepared")
def test_first_look_that_was_altered_is_computed_anew(computed: tuple[Tuned, Path], tmp_path: Path) -> None:
    look, folder = computed
    (whole,) = folder.glob("[!.]*")
    file = tmp_path / whole.name
    file.write_bytes(whole.read_bytes()[:100])
    assert first_look(FEATURES, tmp_path).extractor_id == look.extractor_id
    assert decode_tuning(file.read_bytes()).dimension == 704


def generation(extractor_id: str, learned: list[LearnedPart]) -> Generation:
    return Generation(
        name="g20260101T000000-000000", created_ms=0, extractor_id=extractor_id, encoder="e", weights="",
        dimension=dimension_of(extractor_id), delta_partitions=1, delta_offsets=[0], shards=[], catalogue_valid=0,
        catalogue_digests=[], learned=learned,
    )  # fmt: skip


def test_look_of_a_full_index_is_the_one_that_it_was_built_with() -> None:
    look = small_look(5)
    data = encode_tuning(look.tuning)
    entry = LearnedPart(
        kind=KIND, inputs={"extractor_id": FEATURES}, size=len(data), checksum=checksum_of(data), used=True
    )
    found = look_of(generation(look.extractor_id, [entry]), lambda _: data)
    assert isinstance(found, Tuned) and found.extractor_id == look.extractor_id
    with pytest.raises(CorruptError, match="build anew"):
        look_of(generation(tuned_id(FEATURES, "0" * 8, 99), [entry]), lambda _: encode_tuning(small_tuning(6)))
    with pytest.raises(CorruptError, match="it has none"):
        look_of(generation(look.extractor_id, []), lambda _: data)
    assert isinstance(look_of(generation(VECTORS, []), lambda _: data), Untuned)

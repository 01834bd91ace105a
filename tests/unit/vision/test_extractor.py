from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import OperatorError
from schemas.features.blocks import blocks_of
from schemas.features.ids import dimension_of, is_external
from vision.extractor import EFFICIENTNET_LITE, describe, extractor_id

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", EFFICIENTNET_LITE)
def test_id_names_encoder_weights_preprocessing_and_dimension(name: str) -> None:
    published = EFFICIENTNET_LITE[name].file.rpartition("-")[2].removesuffix(".pth")
    assert extractor_id(name) == f"{name}-{published}-p1-1280"


def test_composite_has_an_id_and_a_dimension_of_its_own() -> None:
    assert extractor_id("efficientnet_lite0_composite") == "efficientnet_lite0_composite-57934424-p1-768"


def test_base_features_have_an_id_and_the_length_of_their_blocks() -> None:
    assert extractor_id("efficientnet_lite0_blocks") == "efficientnet_lite0_blocks-57934424-p1-3284"
    assert [block.length for block in blocks_of("efficientnet_lite0_blocks")] == [1280, 672, 820, 512]
    assert describe("efficientnet_lite2_blocks").dimension == 1280 + 720 + 1176 + 512


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "efficientnet_lite0_composite", "resnet50_blocks", "external:a:8"]
)
def test_other_encoders_have_no_blocks(name: str) -> None:
    assert blocks_of(name) == ()


def test_other_weights_give_another_id(tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        ids.add(extractor_id("efficientnet_lite0", str(tmp_path / name)))
    (tmp_path / "copy of a").write_bytes(b"a")
    assert extractor_id("efficientnet_lite0", str(tmp_path / "copy of a")) in ids
    assert len(ids) == 2


def test_dimension_is_read_from_the_id() -> None:
    assert dimension_of(extractor_id("efficientnet_lite2")) == 1280
    assert dimension_of("vgg16-397923af-p3-512") == 512


@pytest.mark.parametrize("text", ["", "efficientnet_lite0", "a-12345678-p1-0", "a-12345678-1280", "a-xyz-p1-5"])
def test_what_is_no_id_has_no_dimension(text: str) -> None:
    with pytest.raises(ValueError, match="no extractor id"):
        dimension_of(text)


def test_external_extractor_is_named_by_itself_and_has_no_network() -> None:
    found = describe("external:My-clip_2:512")
    assert (found.extractor_id, found.dimension, found.weights_file) == ("external:My-clip_2:512", 512, "")
    assert dimension_of(found.extractor_id) == 512
    assert is_external(found.extractor_id)
    assert not is_external(extractor_id("efficientnet_lite0"))


@pytest.mark.parametrize(
    "encoder", ["external:", "external:a", "external:a:1", "external:a:4097", "external:a b:8", "external::8",
                "external:a:08", "external:a:8:9"],
)  # fmt: skip
def test_external_entry_that_cannot_be_one_says_how_it_is_written(encoder: str) -> None:
    with pytest.raises(OperatorError, match="external:NAME:DIMENSION"):
        describe(encoder)


def test_external_extractor_takes_no_weights(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="weights"):
        describe("external:a:8", str(tmp_path / "w.pth"))


def test_missing_weights_file_is_an_operator_error_that_names_it() -> None:
    with pytest.raises(OperatorError, match=r"/no/such\.pth.*weights"):
        describe("efficientnet_lite0", "/no/such.pth")


@pytest.mark.parametrize("name", ["", "../x", "a b", "Resnet50"])
def test_name_that_cannot_be_one_is_an_operator_error(name: str) -> None:
    with pytest.raises(OperatorError, match="encoder"):
        describe(name)


def test_naming_the_extractor_does_not_import_torch() -> None:
    code = (
        "import sys; from vision.extractor import extractor_id; from vision.environment import MALLOC_ENV;"
        "extractor_id('efficientnet_lite0'); assert not {'torch', 'torchvision', 'PIL', 'httpx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)

"""torchvision encoders, on weights drawn at random: what is tested is the wiring, not what they recognise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

from schemas.errors import OperatorError
from tests.support.pictures.drawn import encoded, product
from vision.embedder import create_embedder
from vision.encoding import torchvision_backbone
from vision.extractor import extractor_id, file_hash
from vision.pictures.decode import ImageLimits


def random_weights(encoder: str, file: Path) -> Path:
    torch.manual_seed(7)
    torch.save(models.get_model(encoder, weights=None).state_dict(), file)
    return file


@pytest.mark.parametrize(
    ("encoder", "dimension", "size"),
    [
        ("vgg16", 512, 224),
        ("alexnet", 256, 224),
        ("squeezenet1_1", 512, 224),
        ("resnet50", 2048, 224),
        ("resnet18", 512, 224),
        ("mobilenet_v3_large", 1280, 224),
        ("mobilenet_v2", 1280, 224),
        ("efficientnet_b0", 1280, 224),
        ("densenet121", 1024, 224),
        ("shufflenet_v2_x1_0", 1024, 224),
        ("regnet_y_400mf", 440, 224),
        ("convnext_tiny", 768, 224),
        ("vit_b_16", 768, 224),
        ("swin_t", 768, 224),
        ("googlenet", 1024, 224),
        ("inception_v3", 2048, 299),
    ],
)
def test_classifier_is_taken_off(encoder: str, dimension: int, size: int) -> None:
    facts = torchvision_backbone.describe(encoder)
    assert (facts["dimension"], facts["image_size"]) == (dimension, size)
    assert len(facts["weights_hash"]) == 8


def test_local_weights_give_unit_vectors_under_the_id_of_the_submission(tmp_path: Path) -> None:
    weights = str(random_weights("mobilenet_v3_small", tmp_path / "small.pth"))
    embedder = create_embedder("mobilenet_v3_small", weights, device="cpu", threads=1)
    assert embedder.extractor_id == f"mobilenet_v3_small-{file_hash(weights)}-p1-1024"
    assert embedder.extractor_id == extractor_id("mobilenet_v3_small", weights)
    inputs = [embedder.prepare(encoded(product(seed), "JPEG"), ImageLimits()) for seed in range(5)]
    vectors = embedder.embed(inputs)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(inputs[2:3])[0], vectors[2], atol=1e-4)


def test_features_are_what_torchvision_feeds_its_classifier(tmp_path: Path) -> None:
    backbone = torchvision_backbone.load("resnet18", str(random_weights("resnet18", tmp_path / "r.pth")))
    whole = models.get_model("resnet18", weights=None).eval()
    whole.load_state_dict(torch.load(tmp_path / "r.pth", weights_only=True))
    classifier, whole.fc = whole.fc, torch.nn.Identity()
    pixels = torch.rand(2, 3, 224, 224) * 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = whole((pixels / 255 - mean[:, None, None]) / deviation[:, None, None])
    assert expected.shape[1] == classifier.in_features
    torch.testing.assert_close(backbone(pixels)[0], expected, atol=1e-4, rtol=1e-3)


def test_unknown_encoder_is_an_operator_error() -> None:
    with pytest.raises(OperatorError, match="unknown encoder 'resnet5000'"):
        extractor_id("resnet5000")


def test_process_without_torch_learns_the_same_id_and_stays_without_it() -> None:
    code = (
        "import sys; from vision.extractor import extractor_id; print(extractor_id('resnet18'));"
        "assert 'torch' not in sys.modules"
    )
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert result.stdout.strip() == extractor_id("resnet18") == "resnet18-f37072fd-p1-512"


def test_weights_of_another_network_are_an_operator_error(tmp_path: Path) -> None:
    weights = random_weights("squeezenet1_1", tmp_path / "squeeze.pth")
    with pytest.raises(OperatorError, match=r"squeeze\.pth are not those of resnet18"):
        torchvision_backbone.load("resnet18", str(weights))


def test_unreachable_hub_is_an_operator_error_that_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")  # the discard port: nobody listens
    with pytest.raises(OperatorError, match=r"resnet18-f37072fd\.pth.*setting `weights`"):
        torchvision_backbone.load("resnet18", "")

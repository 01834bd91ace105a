"""Networks that are kept for this machine: the same vectors without PyTorch, and none that are of something else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.drawn import encoded, product
from tests.support.pictures.embedding import embed_files
from vision.embedder import create_embedder
from vision.kept import embedding
from vision.kept.embedding import device_here, kept_vectors
from vision.kept.folder import NETWORK, kept_folder, read_manifest, write_manifest
from vision.kept.keep import keep
from vision.pictures.decode import ImageLimits

ROOT = Path(__file__).resolve().parents[3]
ENCODERS = ["efficientnet_lite0", "efficientnet_lite0_composite", "efficientnet_lite0_blocks"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Where the networks are kept, by encoder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRINE_NETWORKS", str(tmp_path_factory.mktemp("networks")))
        kept = {encoder: keep(encoder, device="cpu") for encoder in ENCODERS}
        if None in kept.values():
            pytest.skip("PyTorch is faster than OpenVINO here: nothing is kept")
        yield {encoder: folder for encoder, folder in kept.items() if folder is not None}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.usefixtures("folders")
def test_kept_network_gives_the_vectors_that_pytorch_gives(encoder: str) -> None:
    files = [encoded(product(seed), "PNG") for seed in range(5)]
    files += [encoded(Image.new("RGB", (50, 50), colour), "PNG") for colour in ("white", "black")]
    kept, measured = (create_embedder(encoder, device="cpu", threads=1, kept=each) for each in (True, False))
    assert kept.extractor_id == measured.extractor_id
    ours, theirs = (embed_files(embedder, files, ImageLimits()) for embedder in (kept, measured))
    assert (ours.shape, ours.dtype) == (theirs.shape, np.float32)
    np.testing.assert_allclose(ours, theirs, atol=5e-5)


def test_process_that_embeds_by_a_kept_network_loads_no_pytorch(folders: dict[str, Path]) -> None:
    code = (
        "import sys; from vision.embedder import create_embedder;"
        f"create_embedder({ENCODERS[1]!r}, device='cpu', threads=1); print('torch' in sys.modules)"
    )
    environment = {**os.environ, "VITRINE_NETWORKS": str(folders[ENCODERS[1]].parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("of_another", ["processor", "openvino", "code", "extractor_id", "cards"])
def test_network_of_another_machine_or_code_is_not_used(
    of_another: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_NETWORKS", str(tmp_path))
    name = folders[ENCODERS[0]].name
    shutil.copytree(folders[ENCODERS[0]], kept_folder(name))
    assert kept_vectors(name, "cpu", 1) is not None
    kept = read_manifest(kept_folder(name))
    assert kept is not None
    write_manifest(kept_folder(name), msgspec.structs.replace(kept, **{of_another: "another"}))
    assert kept_vectors(name, "cpu", 1) is None


def test_damaged_network_is_passed_over(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VITRINE_NETWORKS", str(tmp_path))
    name = folders[ENCODERS[0]].name
    shutil.copytree(folders[ENCODERS[0]], kept_folder(name))
    (kept_folder(name) / NETWORK).write_text("<rubbish>")
    assert kept_vectors(name, "cpu", 1) is None
    assert "kept_network_unusable" in caplog.text


def test_nothing_is_kept_for_cuda(folders: dict[str, Path]) -> None:
    assert kept_vectors(folders[ENCODERS[0]].name, "cuda", 1) is None


def test_device_that_the_setting_leaves_open_is_the_one_that_was_measured_at_set_up(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_NETWORKS", str(tmp_path))
    name = folders[ENCODERS[0]].name
    shutil.copytree(folders[ENCODERS[0]], kept_folder(name))
    kept = read_manifest(kept_folder(name))
    assert kept is not None
    monkeypatch.setattr(embedding, "has_cards", lambda: True)
    assert device_here(name, "auto") == kept.device
    write_manifest(kept_folder(name), msgspec.structs.replace(kept, device="cuda"))
    assert device_here(name, "auto") == "cuda"
    assert [device_here(name, named) for named in ("cpu", "cuda:1")] == ["cpu", "cuda:1"]
    assert device_here("never_measured", "auto") == "auto"
    monkeypatch.setattr(embedding, "has_cards", lambda: False)
    assert device_here("never_measured", "auto") == "cpu"

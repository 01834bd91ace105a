"""The map of meaning as the last step of a build, over shard files of the real builder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from generations.folder import seal_generation
from indexing.meaning import part
from indexing.meaning.fitting import Known
from indexing.meaning.training import LEAST_GROUPS
from indexing.snapshot.sample import sample_pictures
from jobs.full_index.build import meaning
from jobs.full_index.build.meaning import with_meaning
from schemas.checked_json import wrap
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import Generation, decode_generation
from schemas.ids import product_hash
from schemas.settings import Settings
from tests.support.serving.generations import build_generation, generations, settings_in
from tests.support.serving.world import EXTRACTOR
from tests.support.shoppers.meaning import goods, stocked
from vision.text.encoder import TextEncoder


class Words:
    """A text encoder: a direction of its own for every word."""

    text_encoder_id = "words-0"
    dimension = 64

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row += np.random.default_rng(crc32(word.encode())).standard_normal(self.dimension).astype(np.float32)
            row /= np.linalg.norm(row) or 1.0
        return rows


def nothing_known(_generation: Generation, _texts: TextEncoder) -> Known | None:
    return None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def built(settings: Settings, products: int = 1000) -> tuple[Path, Generation]:
    generation = build_generation(settings, stocked(products), [0, 0])
    return generations(settings).folder / generation.name, generation


def sealed(settings: Settings) -> Generation:
    folder, generation = built(settings)
    generation = with_meaning(folder, generation, Words, nothing_known)
    seal_generation(folder, generation)
    return generation


def test_pictures_are_drawn_with_their_products_and_what_is_said_of_them(settings: Settings) -> None:
    folder, generation = built(settings)
    ids = {int.from_bytes(product_hash(product), "little"): product for product in goods()}
    seen = set()
    for number in range(2):
        drawn = sample_pictures(folder / f"shard-{number}", 1000, np.random.default_rng(1))
        for product, attributes in zip(drawn.products.tolist(), drawn.attributes, strict=True):
            seen.add(ids[product])
            assert f'"title":"{goods()[ids[product]]["title"]}"'.encode() in attributes
        assert len(drawn.vectors) == len(drawn.attributes) == generation.shards[number].searchable
        few = sample_pictures(folder / f"shard-{number}", 7, np.random.default_rng(1))
        assert len(few.vectors) == len(few.products) == len(few.attributes) == 7
    assert seen == goods().keys()


def test_build_learns_what_words_look_like_and_the_generation_holds_it(settings: Settings) -> None:
    made = sealed(settings)
    there = generations(settings)
    found = there.verify(made.name)
    assert found == made
    (entry,) = found.learned
    assert (entry.kind, entry.used, entry.why) == (part.KIND, True, "")
    assert entry.inputs == {"text_encoder_id": Words.text_encoder_id, "extractor_id": EXTRACTOR}
    assert entry.held["recall_at_10"] > 2 * entry.by_chance["recall_at_10"]
    assert found.bytes == sum(shard.bytes for shard in found.shards) + entry.size
    assert found.took_s["meaning"] >= 0.0
    assert part.read(there.learned(made.name, entry), entry).extractor_id == EXTRACTOR


def test_same_shards_give_the_same_map(settings: Settings) -> None:
    folder, generation = built(settings)
    first, second = (with_meaning(folder, generation, Words, nothing_known).learned for _ in range(2))
    assert first == second


@pytest.mark.parametrize("change", ["altered", "cut", "missing"])
def test_map_that_is_not_as_it_was_written_is_named(settings: Settings, change: str) -> None:
    made = sealed(settings)
    file = generations(settings).folder / made.name / "learned" / part.KIND
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    if change == "missing":
        file.unlink()
    else:
        file.write_bytes(data if change == "altered" else data[:-1])
    with pytest.raises(CorruptError, match=str(file)):
        generations(settings).verify(made.name)


def test_too_few_products_load_nothing(settings: Settings) -> None:
    folder, generation = built(settings, LEAST_GROUPS - 1)

    def load() -> TextEncoder:
        raise AssertionError("loaded")

    made = with_meaning(folder, generation, load, nothing_known)
    assert made.learned == [] and not (folder / "learned").exists()


def test_what_fails_leaves_the_generation_whole(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    folder, generation = built(settings)

    def load() -> TextEncoder:
        raise OperatorError("Python package is missing")

    assert with_meaning(folder, generation, load, nothing_known) == generation
    assert "meaning_left_out" in caplog.text and "package is missing" in caplog.text
    assert generations(settings).verify(generation.name) == generation


def test_texts_are_bounded_by_whole_pictures(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "MOST_TEXTS", 120)
    asked: list[str] = []

    class Counted(Words):
        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            asked.extend(texts)
            return super().encode(texts)

    folder, generation = built(settings)
    (entry,) = with_meaning(folder, generation, Counted, nothing_known).learned
    assert 0 < len(asked) <= 120
    assert 0 < entry.settings["pictures"] < 240


def test_generation_without_learned_parts_decodes_as_before(settings: Settings) -> None:
    _, generation = built(settings)
    fields = msgspec.to_builtins(generation)
    del fields["learned"]
    assert decode_generation(wrap("generation", msgspec.json.encode(fields))) == generation
    assert generations(settings).verify(generation.name) == generation

"""The first step of a build over base features: pictures fetched, looked at and learned from in a child process."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageDraw

from feature_store.open import catalogue_store
from feature_store.products import ProductStore
from generations.folder import Generations, seal_generation, write_learned
from indexing.look.first import first_look
from indexing.look.looks import Tuned
from indexing.look.part import KIND
from indexing.look.stored import encode_tuning
from jobs.full_index.build.cut import Cut
from jobs.full_index.build.look.choosing import ChosenLook, choose_look, look_by
from jobs.full_index.build.look.pictures import MOST_OF_A_PRODUCT, draw_pictures
from jobs.pipeline.extraction.extractors import ExtractorSpec
from schemas.events.record import ImageEntry, ProductRecord
from schemas.features.ids import features_of
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart, checksum_of
from schemas.ids import kafka_partition, sequence
from schemas.settings import Settings
from tests.support.pictures.looks import FEATURES, small_look
from vision.extractor import extractor_id

PARTITIONS = 2
PRODUCTS = 64
SPEC = ExtractorSpec(FEATURES, "efficientnet_lite0_blocks")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of things that differ in colour, outline and stripes."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(7)
    for number in range(PRODUCTS):
        image = Image.new("RGB", (256, 256), "white")
        draw = ImageDraw.Draw(image)
        corners = [tuple(map(int, corner)) for corner in random.uniform(20, 236, (int(random.integers(4, 9)), 2))]
        draw.polygon(corners, fill=tuple(map(int, random.integers(0, 255, 3))))
        for at in range(20, 236, int(random.integers(12, 60))):
            draw.line([(at, 20), (int(random.integers(20, 236)), 236)], fill="black", width=int(random.integers(2, 9)))
        image.save(folder / f"{number:03d}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def settings(tmp_path: Path, pictures: list[Path]) -> Settings:
    found = Settings(home=str(tmp_path / "home"), look_pictures=2 * PRODUCTS)
    found.layout.home.mkdir()
    found.layout.allowed_folders.write_text(f"{pictures[0].parent}\n")
    return found


def cut_of(folder: Path, products: list[list[str]], *, listed: bool = True) -> Cut:
    """A copy of a catalogue of products with these pictures."""
    store = ProductStore(catalogue_store(folder / "catalogue", PARTITIONS))
    records = []
    for number, urls in enumerate(products):
        at = sequence(0, number)
        records.append(
            ProductRecord(f"p{number}", at, listed, None, {}, [ImageEntry(url, None, at, at) for url in urls])
        )
    for partition in range(PARTITIONS):
        here = [each for each in records if kafka_partition(each.product_id.encode(), PARTITIONS) == partition]
        store.write(partition, here, len(products))
    store.close()
    return Cut(folder / "catalogue", folder / "features", PARTITIONS, 1, [0], [[]], [0, 0])


def served(settings: Settings) -> tuple[Generation, Tuned]:
    """A generation with a tuning, that of nobody's pictures."""
    look = small_look(4)
    data = encode_tuning(look.tuning)
    entry = LearnedPart(
        kind=KIND, inputs={"extractor_id": FEATURES}, size=len(data), checksum=checksum_of(data), used=True
    )
    generation = Generation(
        name="g20260101T000000-000000", created_ms=0, extractor_id=look.extractor_id, encoder=SPEC.encoder, weights="",
        dimension=look.dimension, delta_partitions=1, delta_offsets=[0], shards=[], catalogue_valid=0,
        catalogue_digests=[], learned=[entry],
    )  # fmt: skip
    folder = settings.layout.generations / generation.name
    folder.mkdir(parents=True)
    write_learned(folder, entry, data)
    seal_generation(folder, generation)
    return Generations(settings.layout.generations).read(generation.name), look


def test_tuning_is_learned_from_the_catalogues_own_pictures_and_replaces_a_useless_one(
    tmp_path: Path, settings: Settings, pictures: list[Path]
) -> None:
    cut = cut_of(tmp_path, [[picture.as_uri()] for picture in pictures] + [["file:///nowhere.jpg"]])
    serving, _ = served(settings)
    chosen = choose_look(settings, SPEC, serving, cut, 1, tmp_path / "look")
    assert chosen is not None and chosen.entry.used and chosen.entry.kind == KIND
    assert features_of(chosen.extractor_id) == FEATURES != chosen.extractor_id != serving.extractor_id
    assert chosen.entry.held["recall_at_1"] > chosen.entry.held["recall_at_1_serving"]
    assert chosen.entry.settings["things"] == len(pictures), "what cannot be fetched is left out"
    assert chosen.entry.checksum == checksum_of(chosen.file.read_bytes())
    look = chosen.load()
    assert isinstance(look, Tuned) and look.dimension == 704 and look.extractor_id == chosen.extractor_id


def test_what_serves_goes_on_where_no_picture_can_be_had(tmp_path: Path, settings: Settings) -> None:
    cut = cut_of(tmp_path, [[f"file:///nowhere/{number}.jpg"] for number in range(PRODUCTS)])
    serving, look = served(settings)
    chosen = choose_look(settings, SPEC, serving, cut, 1, tmp_path / "look")
    assert chosen is not None and chosen.extractor_id == look.extractor_id
    assert chosen.entry == serving.learned[0] and chosen.file.read_bytes() == encode_tuning(look.tuning)


def test_shipped_prior_serves_before_anything_was_learned(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    prior = first_look(FEATURES, settings.layout.looks)
    few = choose_look(settings, SPEC, None, cut_of(tmp_path, [["file:///1.jpg"]] * 3), 1, tmp_path / "few")
    broken = ExtractorSpec(FEATURES, SPEC.encoder, str(tmp_path / "no-weights.pth"))
    cut = cut_of(tmp_path / "many", [["file:///1.jpg"]] * PRODUCTS)
    ended = choose_look(settings, broken, None, cut, 1, tmp_path / "ended")
    for chosen in (few, ended):
        assert chosen is not None and chosen.extractor_id == prior.extractor_id
        assert chosen.entry.settings == {"prior": "shipped"}
    assert "too few pictures" in caplog.text and "no-weights.pth" in caplog.text
    off = msgspec.structs.replace(settings, look_pictures=0)
    chosen = choose_look(off, SPEC, None, cut, 1, tmp_path / "off")
    assert chosen is not None and chosen.extractor_id == prior.extractor_id


def test_other_extractors_are_searched_as_they_are(tmp_path: Path, settings: Settings) -> None:
    composite = extractor_id("efficientnet_lite0_composite")
    spec = ExtractorSpec(composite, "efficientnet_lite0_composite")
    assert choose_look(settings, spec, None, cut_of(tmp_path, []), 1, tmp_path / "look") is None
    assert look_by(None, composite).extractor_id == composite


def test_pictures_are_drawn_evenly_and_of_what_is_on_sale_alone(tmp_path: Path) -> None:
    many = [[f"u{number}-{view}" for view in range(6)] for number in range(50)]
    cut = cut_of(tmp_path, many)
    drawn = draw_pictures(cut, 40, seed=3)
    assert sum(len(each.urls) for each in drawn) == 40 and max(len(each.urls) for each in drawn) == MOST_OF_A_PRODUCT
    assert draw_pictures(cut, 40, seed=3) == drawn != draw_pictures(cut, 40, seed=4)
    products = {url.split("-")[0] for each in draw_pictures(cut, 10_000, seed=1) for url in each.urls}
    assert len(products) == 50
    assert draw_pictures(cut_of(tmp_path / "gone", many, listed=False), 40, seed=3) == []


def test_choice_travels_to_the_workers(tmp_path: Path, settings: Settings) -> None:
    import pickle

    chosen = choose_look(settings, SPEC, None, cut_of(tmp_path, []), 1, tmp_path / "look")
    again: ChosenLook = pickle.loads(pickle.dumps(chosen))
    vectors = look_by(again, FEATURES).vectors([b"\0" * (3284 + 16)])
    assert vectors.shape == (1, 704) and np.isfinite(vectors).all()

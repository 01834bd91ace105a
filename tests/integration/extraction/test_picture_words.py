"""Words on pictures, from the file to what finds them: by the real stage, its real process and its real networks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from indexing.look.first import first_look
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.stage import ExtractionStage
from schemas.deltas.check import DeltaCheck
from schemas.deltas.delta import DeltaBatch
from schemas.errors import OperatorError
from schemas.features.record import decode_feature, encode_feature
from schemas.features.said import said_behind
from schemas.features.stored import feature_length
from schemas.ids import image_id
from schemas.query.filters import AnyOf
from schemas.query.indexed import Indexed
from schemas.settings import Settings
from schemas.topics import IMAGE_FEATURES, INDEX_DELTAS
from tests.support.extracting import extracted, requests_for
from tests.support.metrics import CountingMetrics
from tests.support.pictures.printed import printed
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy
from vision.pictures.decode import ImageLimits, decode_image

pytest.importorskip("rapidocr", reason="vitrine[ocr] is not installed")

BLOCKS = "efficientnet_lite0_blocks"
DATA = Path(os.environ.get("VITRINE_SHARED") or Path(__file__).resolve().parents[4] / "shared") / "data" / "clothing"


def spec(encoder: str) -> ExtractorSpec:
    return ExtractorSpec(extractor_id(encoder), encoder)


def test_words_of_a_picture_are_read_once_and_find_its_product(tmp_path: Path) -> None:
    pictures = {"printed": ("SUNRISE", "coffee club"), "plain": (), "copy": ("SUNRISE", "coffee club")}
    urls = {product: (tmp_path / f"{product}.png").as_uri() for product in pictures}
    for product, lines in pictures.items():
        (tmp_path / f"{product}.png").write_bytes(printed(*lines))
    config = ExtractionConfig(
        store_folder=str(tmp_path / "features"),
        feature_partitions=1,
        delta_partitions=1,
        extractors=(spec(BLOCKS),),
        policy=FetchPolicy(allowed_folders=(str(tmp_path),)),
        words=True,
    )
    name = config.main.extractor_id
    wanted = requests_for(urls, name)
    metrics, stage = CountingMetrics(), ExtractionStage(config)
    stage.open(metrics)
    try:
        out = extracted(stage, wanted)
        again = extracted(stage, wanted)
    finally:
        stage.close()
    features = [decode_feature(record.value) for record in out if record.topic == IMAGE_FEATURES]
    words = {record.url: said_behind(record.vector, feature_length(name, 0)).decode() for record in features}
    assert words == {url: " ".join(pictures[product]) for product, url in urls.items()}
    assert sorted(r.value for r in again if r.topic == IMAGE_FEATURES) == sorted(map(encode_feature, features))
    assert (metrics.counts["extracted"], metrics.counts["reused_by_content"]) == (2, 1)
    look = first_look(name, tmp_path / "first-look")
    shard = Shard(look.extractor_id, look.dimension, look)
    shard.open_attributes(Indexed())
    for product, url in urls.items():
        batch = DeltaBatch(name)
        batch.add(image_id(product, url), product, state_seq=5, valid=True, image_seq=5, url=url)
        shard.apply(batch)
    for record in out:
        if record.topic == INDEX_DELTAS:
            taken = DeltaCheck(1, 1).admit(record.value, 0)
            assert not taken.refused
            shard.apply(taken.batch)
    nothing = np.empty((0, look.dimension), np.float32)
    answer = shard.answer(ShardQuestion(nothing, 1, words="coffee ", list_limit=9))
    assert sorted(hit.product_id for hit in answer.listed) == ["copy", "printed"]
    blue = shard.answer(ShardQuestion(nothing, 1, tree=AnyOf("colour", ("blue",)), listing=True, list_limit=9))
    assert sorted(hit.product_id for hit in blue.listed) == ["copy", "plain", "printed"]


def test_words_are_refused_where_there_are_no_base_features() -> None:
    settings = Settings(picture_words=True, encoder="efficientnet_lite0")
    with pytest.raises(OperatorError, match="_blocks"):
        ExtractionConfig.from_settings(settings, [spec("efficientnet_lite0")])
    both = ExtractionConfig.from_settings(settings, [spec("efficientnet_lite0"), spec(BLOCKS)])
    assert [both.configure(each).words for each in both.extractors] == [False, True]


def test_clothes_without_print_have_no_words() -> None:
    from vision.words.reading import WordReader

    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    files = sorted((DATA / "images").glob("pants-train-*.jpg"))[:10]
    reader = WordReader()
    lines = [reader.read(decode_image(file.read_bytes(), ImageLimits())) for file in files]
    assert len(files) == 10 and sum(map(bool, lines)) <= 2, lines

"""Objects in pictures, from the file to what is filtered by them: by the real stage, process and networks."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from indexing.look.first import first_look
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from jobs.pipeline.extraction import preparing
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.preparing import Preparer
from jobs.pipeline.extraction.stage import ExtractionStage
from schemas.deltas.check import DeltaCheck
from schemas.deltas.delta import DeltaBatch
from schemas.errors import OperatorError, RejectedError
from schemas.features.record import decode_feature, encode_feature
from schemas.features.said import objects_said, said_behind
from schemas.features.stored import feature_length
from schemas.ids import image_id
from schemas.query.facets import FacetWanted
from schemas.query.filters import AnyOf
from schemas.query.indexed import Indexed
from schemas.settings import Settings
from schemas.topics import IMAGE_FEATURES, INDEX_DELTAS
from tests.support.extracting import extracted, requests_for
from tests.support.metrics import CountingMetrics
from tests.support.pictures.printed import printed
from vision.detector.folder import is_installed
from vision.embedder import create_embedder
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy

BLOCKS = "efficientnet_lite0_blocks"
DATA = Path(os.environ.get("VITRINE_SHARED") or Path(__file__).resolve().parents[4] / "shared") / "data" / "apparel"
needs_detector = pytest.mark.skipif(not is_installed(), reason="there is no detector (make detector)")


def spec(encoder: str) -> ExtractorSpec:
    return ExtractorSpec(extractor_id(encoder), encoder)


def config(folder: Path) -> ExtractionConfig:
    return ExtractionConfig(
        store_folder=str(folder / "features"),
        feature_partitions=1,
        delta_partitions=1,
        extractors=(spec(BLOCKS),),
        policy=FetchPolicy(allowed_folders=(str(folder),)),
        objects=True,
    )


@needs_detector
def test_objects_of_a_picture_are_told_once_and_filter_and_count_its_product(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    worn = (DATA / "images" / "mh01-black_main.jpg").read_bytes()
    pictures = {"worn": worn, "copy": worn, "drawn": printed("person")}
    urls = {product: (tmp_path / product).as_uri() for product in pictures}
    for product, picture in pictures.items():
        (tmp_path / product).write_bytes(picture)
    configured = config(tmp_path)
    name = configured.main.extractor_id
    metrics, stage = CountingMetrics(), ExtractionStage(configured)
    stage.open(metrics)
    try:
        out = extracted(stage, requests_for(urls, name))
        again = extracted(stage, requests_for(urls, name))
    finally:
        stage.close()
    features = [decode_feature(record.value) for record in out if record.topic == IMAGE_FEATURES]
    told = {each.url: objects_said(said_behind(each.vector, feature_length(name, 0))) for each in features}
    assert told == {urls["worn"]: ("person",), urls["copy"]: ("person",), urls["drawn"]: ()}
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
    facets = (FacetWanted("objects"),)
    answer = shard.answer(
        ShardQuestion(nothing, 1, tree=AnyOf("objects", ("person",)), listing=True, list_limit=9, facets=facets)
    )
    assert sorted(hit.product_id for hit in answer.listed) == ["copy", "worn"]
    assert (answer.facets[0].values, answer.facets[0].counts) == (["person"], [2])


@needs_detector
def test_picture_is_decoded_once_for_all_who_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rapidocr", reason="vitrine[ocr] is not installed")
    real, decoded = preparing.decode_image, []
    monkeypatch.setattr(preparing, "decode_image", lambda *given: decoded.append(1) or real(*given))
    configure = config(tmp_path).configure()
    embedder = create_embedder(BLOCKS, threads=1)
    preparer = Preparer(msgspec.structs.replace(configure, words=True), embedder)
    prepared = preparer.prepare(b"k" * 16, printed("SUNRISE"))
    assert prepared.words == ["SUNRISE"] and prepared.pixels.shape == (embedder.image_size,) * 2 + (3,)
    assert len(decoded) == 1
    with pytest.raises(RejectedError):
        preparer.prepare(b"k" * 16, b"no picture")


def test_objects_are_refused_without_a_detector_or_base_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(picture_objects=True, encoder="efficientnet_lite0")
    monkeypatch.setenv("VITRINE_DETECTOR", str(tmp_path))
    with pytest.raises(OperatorError, match="make detector"):
        ExtractionConfig.from_settings(settings, [spec(BLOCKS)])
    (tmp_path / "detector.json").write_bytes(b"{}")
    with pytest.raises(OperatorError, match="picture_objects needs base features"):
        ExtractionConfig.from_settings(settings, [spec("efficientnet_lite0")])
    both = ExtractionConfig.from_settings(settings, [spec("efficientnet_lite0"), spec(BLOCKS)])
    assert [both.configure(each).objects for each in both.extractors] == [False, True]

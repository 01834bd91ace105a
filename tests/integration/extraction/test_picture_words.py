"""Words on pictures, from the file to the stored feature: read once, by the real process and its real networks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from feature_store.open import feature_store
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.supervisor import ChildSupervisor
from jobs.pipeline.extraction.worker import ExtractionWorker
from schemas.errors import OperatorError
from schemas.features.record import FeatureRecord
from schemas.features.stored import cannot_be, feature_length
from schemas.features.words import words_behind
from schemas.ids import image_key
from schemas.settings import Settings
from tests.support.metrics import CountingMetrics
from tests.support.printed import printed
from vision.decode import ImageLimits
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy

pytest.importorskip("rapidocr", reason="vitrine[ocr] is not installed")

BLOCKS = "efficientnet_lite0_blocks"
DATA = Path(os.environ.get("VITRINE_SHARED") or Path(__file__).resolve().parents[4] / "shared") / "data" / "clothing"


def spec(encoder: str) -> ExtractorSpec:
    return ExtractorSpec(extractor_id(encoder), encoder)


def test_words_of_a_picture_are_stored_with_its_feature_and_read_once(tmp_path: Path) -> None:
    config = ExtractionConfig(
        store_folder=str(tmp_path / "features"),
        feature_partitions=1,
        delta_partitions=1,
        extractors=(spec(BLOCKS),),
        policy=FetchPolicy(allowed_folders=(str(tmp_path),)),
        words=True,
    )
    pictures = {
        "printed": printed("SUNRISE", "coffee club"),
        "plain": printed(),
        "copy": printed("SUNRISE", "coffee club"),
    }
    for name, data in pictures.items():
        (tmp_path / f"{name}.png").write_bytes(data)
    child, metrics = ChildSupervisor(config.configure()), CountingMetrics()
    features = feature_store(Path(config.store_folder), 1).writer()
    worker = ExtractionWorker(child, features, config.main.extractor_id, metrics)
    try:
        urls = {bytes(image_key(url)): url for url in ((tmp_path / f"{name}.png").as_uri() for name in pictures)}
        worker.begin(urls)
        while worker.waits(120.0):
            worker.advance(0.1)
        found = {Path(urls[key]).stem: record for key, record in worker.end().items()}
        stored = features.get_many([image_key(url) for url in urls.values()], config.main.extractor_id)
    finally:
        child.close()
        features.close()
    length = feature_length(config.main.extractor_id, 0)
    words = {}
    for name, record in found.items():
        assert isinstance(record, FeatureRecord) and not cannot_be([record.vector], record.extractor_id)[0]
        words[name] = words_behind(record.vector, length).decode()
    assert words == {"printed": "SUNRISE coffee club", "plain": "", "copy": "SUNRISE coffee club"}
    assert sorted(record.vector for record in stored if record) == sorted(record.vector for record in found.values())  # type: ignore[union-attr]
    assert metrics.counts["extracted"] == 2 and metrics.counts["reused_by_content"] == 1


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
    lines = [reader.read(file.read_bytes(), ImageLimits()) for file in files]
    assert len(files) == 10 and sum(map(bool, lines)) <= 2, lines

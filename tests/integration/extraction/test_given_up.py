"""Which images a replay tries again, from the dead letters of a real Kafka."""

from __future__ import annotations

from jobs.full_index.truth.live_log import given_up
from jobs.pipeline.dead_letters import dead_letter
from jobs.pipeline.extraction.stage import NOT_CONFIGURED, STAGE
from jobs.pipeline.stage import Record
from messaging.producer import EventProducer
from schemas.events.extract_request import ExtractRequest, encode_request
from schemas.ids import image_id, image_key
from schemas.settings import load_settings
from schemas.topics import EXTRACT_REQUESTS

FIRST, SECOND = "first-0-p1-4", "second-0-p1-4"


def test_images_are_given_up_for_one_extractor_and_not_where_the_reason_passes(kafka_broker: str) -> None:
    urls = [f"file:///given-up-{number}.jpg" for number in range(3)]
    letters = [
        (urls[0], FIRST, "image_missing", False),
        (urls[0], SECOND, NOT_CONFIGURED, False),  # a replay asks for extractors that the job runs by now
        (urls[1], FIRST, "connection_failed", True),
        (urls[2], FIRST, "connection_failed", True),
        (urls[2], FIRST, "image_missing", False),  # the latest reason counts
    ]
    with EventProducer(kafka_broker) as producer:
        for offset, (url, extractor_id, reason, transient) in enumerate(letters):
            request = ExtractRequest(
                product_id="p",
                image_id=image_id("p", url).hex(),
                image_key=image_key(url).hex(),
                url=url,
                vector_seq=1,
                extractor_id=extractor_id,
            )
            record = Record(None, encode_request(request), 0, offset, 0)
            out = dead_letter(STAGE, EXTRACT_REQUESTS, record, reason, "", transient)
            producer.send(out.topic, out.key, out.value)
    found = given_up(load_settings({}, kafka_bootstrap=kafka_broker).kafka)
    keys = [image_key(url) for url in urls]
    assert found[FIRST, keys[0]] is False
    assert found[SECOND, keys[0]] is True
    assert found[FIRST, keys[1]] is True
    assert found[FIRST, keys[2]] is False
    assert (SECOND, keys[1]) not in found

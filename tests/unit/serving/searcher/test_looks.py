"""Full indexes of one catalogue by two tunings: held side by side, fed by the same deltas, taken back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from indexing.look.looks import Tuned
from schemas.deltas.delta import DeltaBatch
from schemas.errors import RejectedError
from schemas.features.stored import feature_bytes
from schemas.ids import image_id, sequence
from schemas.search_pb2 import SearchRequest
from schemas.settings import Settings
from tests.support.pictures.looks import FEATURES, base_rows, small_look
from tests.support.serving.found import hits
from tests.support.serving.generations import (
    Searcher,
    build_generation,
    error,
    generations,
    running,
    settings_in,
    wait,
)
from tests.support.serving.world import MemoryTopic, batch

ONE, OTHER = small_look(1), small_look(2, numbers=3)
BASE = base_rows(40, seed=5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, shards=1)


def deltas(first: int, end: int) -> DeltaBatch:
    """Of products with base features, which say as much of progress as any."""
    found = batch(FEATURES)
    for number, feature in enumerate(feature_bytes(BASE[first:end], FEATURES), first):
        product, url = f"p{number}", f"https://shop.example/{number}.jpg"
        at = sequence(1, 1)
        found.add(image_id(product, url), product, state_seq=at, valid=True, image_seq=at, url=url, vector_seq=at,
                  vector=feature)  # fmt: skip
    return found


@pytest.fixture
def topic() -> MemoryTopic:
    topic = MemoryTopic(1)
    topic.send(deltas(0, 20))
    return topic


def asked(look: Tuned, number: int, generation: str = "") -> SearchRequest:
    vector = look.tuning.items(BASE[number : number + 1])
    return SearchRequest(
        vectors=vector.tobytes(), count=1, limit=1, extractor_id=look.extractor_id, generation=generation
    )


def first_of(searcher: Searcher, look: Tuned, number: int, generation: str = "") -> str:
    return hits(searcher.host.search(asked(look, number, generation)))[0].product_id


def answered_by(searcher: Searcher, look: Tuned, number: int) -> str:
    """The generation; "" where what serves is of another tuning."""
    try:
        return searcher.host.search(asked(look, number)).generation
    except RejectedError:
        return ""


def test_two_tunings_follow_the_same_deltas_and_come_to_the_same_digest(settings: Settings, topic: MemoryTopic) -> None:
    one = build_generation(settings, deltas(0, 20), topic.ends(), shards=1, look=ONE)
    other = build_generation(settings, deltas(0, 20), topic.ends(), shards=1, look=OTHER)
    generations(settings).serve(one.name)
    generations(settings).hold_beside([other.name])
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: set(searcher.ready()) == {one.name, other.name})
        topic.send(deltas(20, 40))
        wait(lambda: all(status.delta_offset == 2 for status in searcher.status().values()))
        for number in (3, 17, 25, 39):
            assert first_of(searcher, ONE, number) == f"p{number}"
            assert first_of(searcher, OTHER, number, other.name) == f"p{number}"
        states = searcher.status()
        assert states[one.name].digest == states[other.name].digest
        assert (states[one.name].extractor_id, states[other.name].extractor_id) == (
            ONE.extractor_id,
            OTHER.extractor_id,
        )
        with pytest.raises(RejectedError, match="extractor_mismatch"):
            searcher.host.search(asked(OTHER, 3))
        generations(settings).serve(other.name)
        wait(lambda: answered_by(searcher, OTHER, 3) == other.name)
        generations(settings).roll_back()
        wait(lambda: answered_by(searcher, ONE, 25) == one.name)
        assert first_of(searcher, ONE, 25) == "p25"


def test_restart_without_the_generations_folder_goes_on_by_the_kept_tuning(
    settings: Settings, topic: MemoryTopic
) -> None:
    one = build_generation(settings, deltas(0, 20), topic.ends(), shards=1, look=ONE)
    generations(settings).serve(one.name)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [one.name])
        topic.send(deltas(20, 30))
        wait(lambda: searcher.status()[one.name].delta_offset == 2)
    shutil.rmtree(settings.layout.generations)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [one.name])
        topic.send(deltas(30, 40))
        wait(lambda: searcher.status()[one.name].delta_offset == 3)
        assert [first_of(searcher, ONE, number) for number in (3, 25, 35)] == ["p3", "p25", "p35"]


def test_altered_or_missing_tuning_is_named_and_nothing_is_served_by_it(settings: Settings, topic: MemoryTopic) -> None:
    one = build_generation(settings, deltas(0, 20), topic.ends(), shards=1, look=ONE)
    file = generations(settings).folder / one.name / "learned" / "look"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    generations(settings).serve(one.name)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: "look does not match its checksum" in error(searcher, one.name))
        assert one.name not in searcher.ready()

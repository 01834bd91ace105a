"""Texts that nobody shows any more give their memory back, and every row keeps its own."""

from __future__ import annotations

from indexing.rows.forward import ForwardIndex
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from tests.support.index.shard_model import DIMENSION, EXTRACTOR, URLS, loaded


def test_text_chunks_are_emptied_where_images_share_their_attributes() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    for round_number in range(1, 60):
        batch = DeltaBatch(EXTRACTOR)
        for i in range(100):
            attributes = f"{round_number}/{i}".encode() + b"." * 3000
            for url in URLS:
                if round_number % 7 == 0 and url == URLS[-1]:
                    continue  # such an image keeps what its siblings gave up
                batch.add(
                    image_id(f"p{i}", url), f"p{i}", state_seq=round_number, valid=True, url=url, attributes=attributes
                )
        shard.apply(batch)
        shard._state.forward.reclaim_texts(least_garbage=1 << 19)
        if round_number == 30:
            shard = loaded(shard)
    assert shard._state.forward.texts.allocated < 8 << 20, "one text a product is in use"
    for i in range(100):
        for image in shard.product(f"p{i}"):
            assert image.attributes == f"59/{i}".encode() + b"." * 3000
    assert shard.stats().digest == shard.recompute_digest()


def test_text_chunks_are_emptied_and_every_row_keeps_its_texts() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    reclaim = ForwardIndex.reclaim_texts
    peak = 0
    for round_number in range(1, 60):
        batch = DeltaBatch(EXTRACTOR)
        for i in range(100):
            attributes = f"{round_number}/{i}".encode() + b"." * 3000
            batch.add(
                image_id(f"p{i}", URLS[0]),
                f"p{i}",
                state_seq=round_number,
                valid=True,
                url=URLS[0],
                attributes=attributes,
            )
        shard.apply(batch)
        reclaim(shard._state.forward, least_garbage=1 << 19)
        peak = max(peak, shard._state.forward.texts.allocated)
    assert peak < 8 << 20, "59 rounds write 17 MiB, of which 0.3 MiB are in use"
    for i in range(100):
        (image,) = shard.product(f"p{i}")
        assert image.attributes == f"59/{i}".encode() + b"." * 3000
        assert image.url == URLS[0]
    assert shard.stats().digest == shard.recompute_digest()

"""One contract over every form of `SearchBackend`: in process, over gRPC, behind a broker, and behind both."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np
import pytest

from indexing.look.looks import Untuned
from schemas.errors import RejectedError, TransientError
from schemas.found import Hit, decode_found
from schemas.query.facets import FacetWanted, decode_counts, encode_wanted
from schemas.query.fields import Fields
from schemas.query.filters import encode_filter, parse_filter
from schemas.search_pb2 import DetailsRequest, ProductRequest, SearchRequest, SearchResponse
from serving.backend import SearchBackend
from serving.grpc_api import GrpcBackend, start_server
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.serving.broker_world import broker_over
from tests.support.serving.found import hits, lines
from tests.support.serving.world import (
    DIMENSION,
    EXTRACTOR,
    WATERMARK_MS,
    apply,
    batch,
    direction,
    listed,
    near,
    query,
    ready_searcher,
    removed,
)

TIMEOUT_S = 5.0
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def on_the_wire(backend: SearchBackend) -> AsyncIterator[SearchBackend]:
    server, port = await start_server(backend, "127.0.0.1", 0)
    remote = GrpcBackend(f"127.0.0.1:{port}")
    try:
        yield remote
    finally:
        await remote.close()
        await server.stop(None)
        await backend.close()


@asynccontextmanager
async def form(name: str, searcher: SearcherService) -> AsyncIterator[SearchBackend]:
    """The searcher, reached in the way that `name` says."""
    async with AsyncExitStack() as stack:
        local = LocalBackend(searcher)
        if name == "in process":
            stack.push_async_callback(local.close)
            yield local
        elif name == "grpc":
            yield await stack.enter_async_context(on_the_wire(local))
        elif name == "broker":
            broker = broker_over([[local]])
            stack.push_async_callback(broker.close)
            yield broker
        else:
            remote = await stack.enter_async_context(on_the_wire(local))
            yield await stack.enter_async_context(on_the_wire(broker_over([[remote]])))


every_form = pytest.mark.parametrize("name", ["in process", "grpc", "broker", "broker over grpc"])


def catalogue() -> SearcherService:
    deltas = listed(batch(), "near", [direction(1)], price=10.0, colour="red")
    listed(deltas, "far", [near(direction(1), 2, 0.6)])
    return ready_searcher(deltas=listed(deltas, "waiting", [None]))


@every_form
async def test_search_answers_best_first_with_attributes_watermark_and_pending(name: str) -> None:
    async with form(name, catalogue()) as backend:
        answer = await backend.search(query(direction(1)), TIMEOUT_S)
    found = hits(answer)
    assert [hit.product_id for hit in found] == ["near", "far"]
    best = found[0]
    assert best.score == pytest.approx(1.0, abs=1e-5)
    assert (best.price, best.sales, best.praise) == (10.0, 120, 0.96)
    assert best.url == "https://shop.example/near/0.jpg"
    assert b'"colour":"red"' in best.attributes
    assert answer.watermark_ms == WATERMARK_MS
    assert answer.pending_images == 1
    assert answer.extractor_id == EXTRACTOR
    assert list(answer.missing_shards) == []


@every_form
async def test_each_query_of_a_call_gets_its_own_hits(name: str) -> None:
    deltas = listed(listed(batch(), "a", [direction(1)]), "b", [direction(2)])
    async with form(name, ready_searcher(deltas=deltas)) as backend:
        answer = await backend.search(query(direction(2), direction(1), limit=1), TIMEOUT_S)
    assert [[hit.product_id for hit in line] for line in lines(answer)] == [["b"], ["a"]]


@every_form
async def test_removed_product_is_gone_from_search_and_not_searchable_in_product(name: str) -> None:
    searcher = catalogue()
    async with form(name, searcher) as backend:
        apply(searcher, removed(batch(), "near"))
        answer = await backend.search(query(direction(1)), TIMEOUT_S)
        product = await backend.product(ProductRequest(product_id="near"), TIMEOUT_S)
    assert [hit.product_id for hit in hits(answer)] == ["far"]
    (replica,) = product.replicas
    (image,) = replica.images
    assert (image.valid, image.searchable) == (False, False)


@every_form
async def test_product_gives_every_image_with_its_vector(name: str) -> None:
    deltas = listed(batch(), "p", [direction(1), direction(2), None], price=7.5)
    async with form(name, ready_searcher(deltas=deltas)) as backend:
        (replica,) = (await backend.product(ProductRequest(product_id="p"), TIMEOUT_S)).replicas
    vectors = {image.vector for image in replica.images}
    assert vectors == {direction(1).tobytes(), direction(2).tobytes(), b""}
    assert sum(image.searchable for image in replica.images) == 2
    assert (replica.price, replica.watermark_ms) == (7.5, WATERMARK_MS)


@every_form
async def test_long_attributes_do_not_come_with_hits_and_are_told_when_asked_for(name: str) -> None:
    deltas = listed(batch(), "long", [direction(1)], price=7.5, title="Shoe", story="x" * 100_000)
    listed(deltas, "longer", [direction(2)], price=8.5, title="Boot" * 500, story="y" * 200_000)
    searcher = ready_searcher(deltas=listed(deltas, "gone", [direction(3)]))
    apply(searcher, removed(batch(), "gone"))
    async with form(name, searcher) as backend:
        found = await backend.search(query(direction(1)), TIMEOUT_S)
        wanted = ["long", "gone", "longer", "nobody"]
        answer = await backend.details(DetailsRequest(product_ids=wanted, max_bytes=150_000), TIMEOUT_S)
    best, second = hits(found)
    assert [best.attributes, second.attributes] == [b"", b""]
    assert best.attributes_omitted > 100_000
    assert len(found.SerializeToString()) < 1000
    long, gone, longer, nobody = answer.details
    assert (long.product_id, long.price, long.trimmed) == ("long", 7.5, False)
    assert len(long.attributes) == best.attributes_omitted
    assert (gone.gone, nobody.gone, long.gone) == (True, True, False)
    assert (longer.trimmed, longer.price) == (True, 8.5)
    assert b"Boot" in longer.attributes
    assert len(longer.attributes) < 2000


@every_form
async def test_product_never_heard_of_has_no_images(name: str) -> None:
    async with form(name, catalogue()) as backend:
        (replica,) = (await backend.product(ProductRequest(product_id="nobody"), TIMEOUT_S)).replicas
    assert list(replica.images) == []
    assert math.isnan(replica.price)
    assert replica.error == ""


@every_form
async def test_status_counts_and_digest_are_the_shards(name: str) -> None:
    searcher = catalogue()
    async with form(name, searcher) as backend:
        (status,) = (await backend.status(TIMEOUT_S)).shards
    assert searcher.index is not None
    assert (status.images, status.searchable, status.pending, status.ready) == (3, 2, 1, True)
    assert status.digest == searcher.index.stats().digest
    assert status.extractor_id == EXTRACTOR


@every_form
async def test_vector_of_another_extractor_is_refused(name: str) -> None:
    async with form(name, catalogue()) as backend:
        with pytest.raises(RejectedError) as caught:
            await backend.search(query(direction(1), extractor_id="other-00000000-p1-16"), TIMEOUT_S)
    assert caught.value.reason == "extractor_mismatch"
    assert "other-00000000-p1-16" in caught.value.detail
    assert EXTRACTOR in caught.value.detail


@every_form
async def test_vector_of_another_dimension_is_refused(name: str) -> None:
    async with form(name, catalogue()) as backend:
        request = query(direction(1))
        request.vectors = request.vectors[: 4 * (DIMENSION - 1)]
        with pytest.raises(RejectedError) as caught:
            await backend.search(request, TIMEOUT_S)
    assert caught.value.reason == "invalid_query"


@every_form
async def test_searcher_that_is_not_caught_up_answers_no_query(name: str) -> None:
    searcher = SearcherService(0, 0, Untuned(EXTRACTOR, DIMENSION))
    async with form(name, searcher) as backend:
        with pytest.raises(TransientError) as caught:
            await backend.search(query(direction(1)), TIMEOUT_S)
        (status,) = (await backend.status(TIMEOUT_S)).shards
    assert caught.value.reason == "not_ready"
    assert not status.ready
    assert status.error


def shop() -> SearcherService:
    deltas = batch()
    for number in range(12):
        brand, colour = ("Acme", "Nord", "Strider")[number % 3], ("red", "blue")[number % 2]
        listed(
            deltas, f"p{number}", [near(direction(1), number, 0.5)], price=float(number), brand=brand, colour=colour,
            title=f"{colour} {'boot' if number < 6 else 'sandal'}", category="shoes/boot" if number < 6 else "shoes",
        )  # fmt: skip
    return ready_searcher(deltas=removed(deltas, "p11"))


def narrowed(**filters: object) -> bytes:
    return encode_filter(parse_filter(filters, Fields()))


def in_list(answer: SearchResponse) -> list[Hit]:
    return decode_found(answer.listed, 1)[0]


@every_form
async def test_filter_lets_only_what_passes_through(name: str) -> None:
    asked = query(direction(1), direction(2))
    asked.filter = narrowed(brand="Acme", price={"gte": 3})
    asked.with_vectors = True
    async with form(name, shop()) as backend:
        answer = await backend.search(asked, TIMEOUT_S)
    for found in lines(answer):
        assert {hit.product_id for hit in found} == {"p3", "p6", "p9"}
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
        assert all(len(hit.vector) == 4 * DIMENSION for hit in found)
    assert answer.watermark_ms == WATERMARK_MS


@every_form
async def test_words_and_counts_are_of_what_is_on_sale(name: str) -> None:
    facets = encode_wanted([FacetWanted("brand"), FacetWanted("price", (8.0,))])
    asked = SearchRequest(words="red sandl ", list_limit=2, facets=facets, filter=narrowed(price={"gt": 6}))
    async with form(name, shop()) as backend:
        answer = await backend.search(asked, TIMEOUT_S)
    assert {hit.product_id for hit in in_list(answer)} == {"p8", "p10"}
    assert answer.matches == 2
    assert dict(answer.corrected) == {"sandl": "sandal"}
    brand, price = decode_counts(answer.facets)
    assert dict(zip(brand.values, brand.counts, strict=True)) == {"Strider": 1, "Nord": 1}
    assert (price.bucket_counts, price.low, price.high) == ([0, 2], 8.0, 10.0)
    assert answer.extractor_id == EXTRACTOR


@every_form
async def test_any_of_the_words_is_enough_where_it_is_asked_for(name: str) -> None:
    async with form(name, shop()) as backend:
        every = await backend.search(SearchRequest(words="blue boot ", list_limit=50), TIMEOUT_S)
        either = await backend.search(SearchRequest(words="blue boot ", any_word=True, list_limit=50), TIMEOUT_S)
    assert {hit.product_id for hit in in_list(every)} == {"p1", "p3", "p5"}
    assert [hit.product_id for hit in in_list(either)][:3] == [hit.product_id for hit in in_list(every)]
    assert {hit.product_id for hit in in_list(either)} == {f"p{n}" for n in range(11) if n < 6 or n % 2}


@every_form
@pytest.mark.parametrize(("order", "expected"), [("price", ["p1", "p3"]), ("-price", ["p9", "p7"])])
async def test_list_stands_in_the_order_that_is_asked_for(name: str, order: str, expected: list[str]) -> None:
    asked = SearchRequest(listing=True, order_by=order, list_limit=2, filter=narrowed(colour="blue"))
    async with form(name, shop()) as backend:
        answer = await backend.search(asked, TIMEOUT_S)
    assert [hit.product_id for hit in in_list(answer)] == expected
    assert [hit.key for hit in in_list(answer)] == [
        -hit.price if order[0] == "-" else hit.price for hit in in_list(answer)
    ]
    assert answer.matches == 5


@every_form
async def test_list_comes_with_vectors_of_the_present_pictures(name: str) -> None:
    searcher = shop()
    apply(searcher, listed(batch(), "waits", [None], title="red hat"))
    apply(searcher, listed(batch(), "p2", [None], offset=5, title="red boot"))
    async with form(name, searcher) as backend:
        answer = await backend.search(SearchRequest(words="red ", list_limit=50, with_vectors=True), TIMEOUT_S)
    vectors = {hit.product_id: np.frombuffer(hit.vector, "<f4") for hit in in_list(answer)}
    assert vectors.keys() == {"waits", *(f"p{number}" for number in range(0, 11, 2))}
    assert {product for product, vector in vectors.items() if not vector.any()} == {"waits", "p2"}
    np.testing.assert_array_equal(vectors["p4"], near(direction(1), 4, 0.5))


@every_form
async def test_suggestions_complete_words_of_what_is_on_sale(name: str) -> None:
    searcher = shop()
    async with form(name, searcher) as backend:
        answer = await backend.search(SearchRequest(suggest="blue s", list_limit=5), TIMEOUT_S)
        apply(searcher, removed(batch(), "p10"))
        later = await backend.search(SearchRequest(suggest="blue sa", list_limit=5), TIMEOUT_S)
    words = [(each.text, each.products) for each in answer.suggestions if not each.field]
    assert words[:2] == [("blue shoes", 11), ("blue sandal", 5)]
    assert [(each.text, each.products) for each in later.suggestions if not each.field] == [("blue sandal", 4)]
    titles = {each.text for each in later.suggestions if each.field == "title"}
    assert titles and all(title.lower().startswith("blue sandal") for title in titles)


@every_form
async def test_plan_says_how_each_shard_searched(name: str) -> None:
    asked = query(direction(1))
    asked.explain = True
    asked.filter = narrowed(brand="Nobody")
    async with form(name, shop()) as backend:
        answer = await backend.search(asked, TIMEOUT_S)
    assert hits(answer) == []
    (plan,) = answer.plan
    assert plan.startswith("shard 0: 0 of 12 rows pass")


@every_form
@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (SearchRequest(listing=True, filter=b"\xc1 no filter", list_limit=1), "invalid_filter"),
        (SearchRequest(listing=True, facets=b"\xc1 no facets", list_limit=1), "invalid_question"),
        (SearchRequest(listing=True, facets=encode_wanted([FacetWanted("nope")]), list_limit=1), "invalid_question"),
        (SearchRequest(listing=True, order_by="brand", list_limit=1), "invalid_query"),
        (SearchRequest(words="word " * 33, list_limit=1), "invalid_query"),
    ],
)
async def test_question_that_cannot_be_is_refused(name: str, request_: SearchRequest, reason: str) -> None:
    async with form(name, shop()) as backend:
        with pytest.raises(RejectedError) as caught:
            await backend.search(request_, TIMEOUT_S)
    assert caught.value.reason == reason

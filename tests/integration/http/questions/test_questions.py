"""Questions over real HTTP, two shards: words, filters, facets, orders, pages, and all of them together."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from schemas.deltas.delta import DeltaBatch
from tests.support.serving.goods import FIELDS, PRODUCTS, PROFILES, Shop, ask, matching
from tests.support.serving.http_world import error, ids, over, picture, picture_vector, ready, serving
from tests.support.serving.world import apply, batch, direction, near, removed

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(over(*shop.searchers), fields=FIELDS, profiles=PROFILES) as client:
        await ready(client)
        yield client


async def test_words_find_products_whose_texts_have_them_all(client: httpx.AsyncClient) -> None:
    found = await client.get("/v1/search/text?q=red boot&limit=100")
    assert set(ids(found)) == matching(lambda each: "Red boot" in each["title"])
    assert found.json()["match"] == "all"
    assert found.json()["matches"] == len(ids(found))


async def test_words_that_no_product_has_together_find_those_with_any(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/v1/search/text?q=scarf sandal&limit=100")).json()
    assert answer["match"] == "any"
    assert {each["product_id"] for each in answer["results"]} == matching(
        lambda each: "scarf" in each["title"] or "sandal" in each["title"]
    )
    assert ids(await client.get("/v1/search/text?q=scarf sandal&match=all")) == []


async def test_typo_and_beginning_of_a_word_find_and_are_told(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/search/text?q=sacrf%20&limit=100")
    assert set(ids(answer)) == matching(lambda each: "scarf" in each["title"])
    assert answer.json()["corrected"] == {"sacrf": "scarf"}
    assert set(ids(await client.get("/v1/search/text?q=sand&limit=100"))) == matching(
        lambda each: "sandal" in each["title"]
    )


async def test_last_word_is_whole_where_a_space_follows(client: httpx.AsyncClient) -> None:
    begun = matching(lambda each: any(word.startswith("11") for word in each["title"].split()))
    for said, found in (("11", begun), (" 11", begun), ("11 ", {"p11"}), (" number  11\n", {"p11"})):
        assert set(ids(await ask(client, text=said, limit=100))) == found, said
        assert set(ids(await client.get("/v1/search/text", params={"q": said, "limit": 100}))) == found, said
    assert len(begun) == 11


async def test_changed_title_is_found_at_once_by_its_new_words_alone(client: httpx.AsyncClient, shop: Shop) -> None:
    assert ids(await client.get('/v1/search/text?q="number 7"&match=all')) == ["p7"]
    shop.list("p7", [direction(1)], offset=5, **{**PRODUCTS["p7"], "title": "Umbrella with a handle"})
    assert ids(await client.get("/v1/search/text?q=umbrella")) == ["p7"]
    assert ids(await client.get('/v1/search/text?q="number 7"&match=all')) == []


async def test_product_is_found_by_words_before_its_picture_is_known(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.list("new", [None], title="Telescope", price=5.0)
    assert ids(await client.get("/v1/search/text?q=telescope")) == ["new"]


@pytest.mark.parametrize(
    ("short", "tree", "passes"),
    [
        ("category:shoes", {"category": "shoes"}, lambda each: each["category"].startswith("shoes/")),
        ("category:shoes/boot", {"category": {"is": "shoes/boot"}}, lambda each: each["category"] == "shoes/boot"),
        ("brand:Acme,Nord", {"brand": ["Acme", "Nord"]}, lambda each: each["brand"] in ("Acme", "Nord")),
        ("price:10..20", {"price": {"gte": 10, "lte": 20}}, lambda each: 10 <= each["price"] <= 20),
        ("price:..3.5", {"price": {"lt": 4}}, lambda each: each["price"] < 4),
        ("-colour:red", {"not": {"colour": "red"}}, lambda each: each["colour"] != "red"),
        ("labels:person+outdoor", {"labels": {"all": ["person", "outdoor"]}}, lambda each: len(each["labels"]) == 2),
        (
            "material:wool;weight:3..",
            {"material": "wool", "weight": {"gte": 3}},
            lambda each: each["material"] == "wool" and each["weight"] >= 3,
        ),
        (
            '{"any":[{"brand":"Acme","colour":"blue"},{"sales":{"gt":480}}]}',
            {"any": [{"brand": "Acme", "colour": "blue"}, {"sales": {"gt": 480}}]},
            lambda each: (each["brand"], each["colour"]) == ("Acme", "blue") or each["sales"] > 480,
        ),
        ("brand:Nobody", {"brand": "Nobody"}, lambda each: False),
    ],
)
async def test_filter_lets_through_what_it_says_whatever_else_is_asked(
    client: httpx.AsyncClient, short: str, tree: dict[str, Any], passes: Any
) -> None:
    wanted = matching(passes)
    vector = direction(7).tolist()
    by_vector = await ask(client, vectors=[vector], filter=tree, limit=100)
    assert len(ids(by_vector)) == min(100, len(wanted))
    assert set(ids(by_vector)) <= wanted
    listed = await ask(client, filter=tree, limit=100, facets=["brand"])
    assert set(ids(listed)) <= wanted
    assert listed.json()["matches"] == len(wanted)
    parameters = {"filter": short, "limit": "100"}
    same = await client.post("/v1/search/vector", params=parameters, json={"vector": vector, "limit": 100})
    assert ids(same) == ids(by_vector)
    in_url = await client.post("/v1/search/vector", params=parameters, json={"vector": vector})
    assert ids(in_url) == ids(by_vector)
    assert set(ids(await client.get("/v1/search/text", params={"q": "number", **parameters}))) <= wanted
    similar = await client.get("/v1/products/p1/similar", params=parameters)
    assert set(ids(similar)) == (set(ids(by_vector)) | wanted) - {"p1"} or len(wanted) > 100
    form = await client.post("/v1/search/image", params=parameters, files={"image": ("q", picture(1))})
    assert set(ids(form)) <= wanted


async def test_limit_of_a_vector_stands_in_the_url_or_in_the_body_which_counts_first(client: httpx.AsyncClient) -> None:
    vector = direction(7).tolist()
    for limit, body in ((50, {}), (3, {}), (50, {"limit": 4})):
        answer = await client.post(f"/v1/search/vector?limit={limit}", json={"vector": vector, **body})
        assert len(ids(answer)) == body.get("limit", limit)


async def test_facets_count_products_exactly_and_without_those_removed(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.remove("p3")
    left = {product: fields for product, fields in PRODUCTS.items() if product != "p3"}
    asked = ["brand", {"field": "category", "limit": 50}, {"field": "price", "ranges": [10, 50]}, "labels"]
    for question in ({"vectors": [direction(7).tolist()]}, {"text": "number"}, {"filter": {}}):
        answer = (await ask(client, **question, facets=asked)).json()
        assert answer["matches"] == len(left)
        facets = answer["facets"]
        brands = Counter(fields["brand"] for fields in left.values())
        assert {each["value"]: each["count"] for each in facets["brand"]["values"]} == brands
        categories = Counter(fields["category"] for fields in left.values())
        categories += Counter(fields["category"].split("/")[0] for fields in left.values())
        assert {each["value"]: each["count"] for each in facets["category"]["values"]} == categories
        assert [each["count"] for each in facets["price"]["buckets"]] == [9, 40, 70]
        assert (facets["price"]["low"], facets["price"]["high"]) == (0, 119)
        assert {each["value"]: each["count"] for each in facets["labels"]["values"]} == {"person": 119, "outdoor": 59}


async def test_facets_without_their_own_filter_count_what_else_could_be_chosen(
    client: httpx.AsyncClient, shop: Shop
) -> None:
    shop.remove("p4")
    left = {product: fields for product, fields in PRODUCTS.items() if product != "p4"}
    tree = {"brand": "Acme", "colour": ["red", "blue"], "price": {"lt": 60}}
    asked = [{"field": field, "exclude_own": True} for field in ("brand", "colour", "category")] + ["material"]
    short = {"filter": "brand:Acme;colour:red,blue;price:0..59", "facets": "!brand;!colour;!category;material"}
    word = {"q": "number", **short}
    vector = direction(7).tolist()
    answers = [
        await ask(client, **each, filter=tree, facets=asked) for each in ({"text": "number"}, {"vectors": [vector]}, {})
    ]
    answers += [
        await client.get("/v1/search/text", params=word),
        await client.post("/v1/search/vector", params=short, json={"vector": vector}),
    ]
    cheap = [each for each in left.values() if each["price"] < 60]
    passing = [each for each in cheap if each["brand"] == "Acme" and each["colour"] in ("red", "blue")]
    for answer in map(httpx.Response.json, answers):
        counted = {
            field: {each["value"]: each["count"] for each in facet["values"]}
            for field, facet in answer["facets"].items()
        }
        assert answer["matches"] == len(passing)
        assert counted["brand"] == Counter(each["brand"] for each in cheap if each["colour"] in ("red", "blue"))
        assert counted["colour"] == Counter(each["colour"] for each in cheap if each["brand"] == "Acme")
        assert counted["material"] == Counter(each["material"] for each in passing)
        assert counted["category"]["shoes"] == sum(1 for each in passing if each["category"].startswith("shoes/"))


async def test_pages_neither_repeat_nor_skip_while_the_index_changes(client: httpx.AsyncClient, shop: Shop) -> None:
    seen: list[str] = []
    cursor, page = "", 0
    while True:
        answer = (await ask(client, text="number", limit=10, cursor=cursor)).json()
        seen += [each["product_id"] for each in answer["results"]]
        page += 1
        # New ones come before those that were shown, and shown ones go.
        shop.list(f"fresh{page}", [direction(page)], title="number number number", price=1.0)
        shop.remove(f"p{page}", offset=9)
        if (cursor := answer.get("cursor")) is None:
            break
    assert len(seen) == len(set(seen))
    there_all_along = PRODUCTS.keys() - {f"p{number}" for number in range(1, page + 1)}
    assert there_all_along <= set(seen)


async def test_cursor_of_another_question_is_refused(client: httpx.AsyncClient) -> None:
    cursor = (await ask(client, text="number")).json()["cursor"]
    assert error(await ask(client, text="boot", cursor=cursor)) == (422, "invalid_cursor")
    assert error(await ask(client, text="number", cursor=cursor[:-4])) == (422, "invalid_cursor")


async def test_order_by_a_field_is_over_everything_that_matches(client: httpx.AsyncClient) -> None:
    boots = sorted((each["price"], product) for product, each in PRODUCTS.items() if "boot" in each["title"])
    cheapest = await ask(client, text="boot", sort="price", limit=5)
    assert ids(cheapest) == [product for _, product in boots[:5]]
    dearest = await client.get("/v1/search/text?filter=category:shoes/boot&sort=-price&limit=5")
    assert ids(dearest) == [product for _, product in boots[::-1][:5]]


async def test_profile_lifts_what_sells_and_explain_says_how(client: httpx.AsyncClient) -> None:
    answer = (await ask(client, vectors=[direction(7).tolist()], rank="popular", explain=True, limit=3)).json()
    best = answer["results"][0]["sales"]
    assert best > 490, "of 120 products with sales from 0 to 499, drawn evenly"
    part = answer["results"][0]["explain"]
    assert part["measures"]["sales"]["part"] == pytest.approx(5 * best / (best + 100))
    assert part["score"] == pytest.approx(0.1 * part["relevance"] + part["measures"]["sales"]["part"])
    assert len(answer["explain"]["shards"]) == 2


async def test_photo_and_words_together_find_what_fits_both_first(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.list("alike", [picture_vector(5)], title="Teapot", price=1.0)
    shop.list("named", [direction(44)], title="Kettle", price=1.0)
    shop.list("both", [near(picture_vector(5), 3, 0.1)], title="Kettle", price=1.0)
    photo = base64.b64encode(picture(5)).decode()
    answer = await ask(client, images=[photo], text="kettle", explain=True, limit=3)
    assert ids(answer) == ["both", "alike", "named"] or ids(answer)[0] == "both"
    explained = {each["product_id"]: each["explain"] for each in answer.json()["results"]}
    assert explained["both"]["look"]["rank"] == 2
    assert explained["both"]["words"] is not None
    form = await client.post("/v1/search/hybrid?limit=3", files={"image": ("q", picture(5))}, data={"text": "kettle"})
    assert ids(form) == ids(answer)
    away = await ask(client, products=["alike"], text="kettle", weights={"look": 0, "words": 1}, limit=2)
    assert set(ids(away)) == {"named", "both"}


async def test_examples_are_added_up_and_negative_ones_lead_away(client: httpx.AsyncClient, shop: Shop) -> None:
    one, other = direction(71), direction(72)
    shop.list("one", [one])
    shop.list("other", [other])
    shop.list("between", [(one + other) / np.linalg.norm(one + other)])
    both = await ask(client, vectors=[one.tolist(), other.tolist()], limit=1)
    assert ids(both) == ["between"]
    away = await ask(client, products=["between", {"id": "other", "weight": -0.9}], limit=1)
    assert ids(away) == ["one"]
    nothing = await ask(client, vectors=[one.tolist(), {"vector": one.tolist(), "weight": -1}])
    assert error(nothing) == (422, "invalid_query")


async def test_page_has_at_most_so_many_of_a_brand_and_no_two_alike_with_mmr(
    client: httpx.AsyncClient, shop: Shop
) -> None:
    answer = (await ask(client, vectors=[direction(7).tolist()], diversity={"max_per": {"brand": 2}}, limit=10)).json()
    assert max(Counter(each["brand"] for each in answer["results"]).values()) == 2
    for twin in range(5):
        shop.list(f"twin{twin}", [direction(90)])
    shop.list("different", [near(direction(90), 5, 0.9)])
    plain = await ask(client, vectors=[direction(90).tolist()], limit=3)
    assert "different" not in ids(plain)
    varied = await ask(client, vectors=[direction(90).tolist()], diversity={"mmr": 0.3}, limit=3)
    assert len([product for product in ids(varied) if product.startswith("twin")]) == 1


async def test_batch_answers_each_question_and_names_what_is_wrong_with_one(client: httpx.AsyncClient) -> None:
    queries = [{"text": "red boot"}, {"text": "x", "limit": 0}, {"filter": {"nope": 1}}, {"products": ["unknown"]}]
    answers = (await client.post("/v1/search/batch", json={"queries": queries})).json()["answers"]
    assert {each["product_id"] for each in answers[0]["answer"]["results"]} <= matching(
        lambda each: "Red boot" in each["title"]
    )
    assert [each["error"]["reason"] for each in answers[1:]] == ["invalid_question", "invalid_filter", "not_found"]
    assert error(await client.post("/v1/search/batch", json={"queries": [{}] * 65})) == (422, "invalid_question")


async def test_suggestions_are_words_and_names_of_products_on_sale(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.list("rare", [direction(2)], title="A red scarecrow", brand="Scargill", category="garden/scary")
    suggested = (await client.get("/v1/suggest?q=red scar&limit=20")).json()["suggestions"]
    scarves = matching(lambda each: "scarf" in each["title"])
    assert suggested[:4] == [
        {"text": "red scarf", "products": len(scarves)},
        *({"text": f"red {word}", "products": 1} for word in ("scary", "scargill", "scarecrow")),
    ]
    red = {PRODUCTS[each]["title"] for each in scarves if PRODUCTS[each]["colour"] == "red"}
    assert {each["text"] for each in suggested[4:]} == {"A red scarecrow", *red}
    assert all((each["products"], each["field"]) == (1, "title") for each in suggested[4:])
    values = (await client.get("/v1/suggest?q=sca")).json()["suggestions"]
    assert [each for each in values if each.get("field") in ("brand", "category")] == [
        {"text": "accessories/scarf", "products": len(scarves), "field": "category"},
        {"text": "Scargill", "products": 1, "field": "brand"},
    ]
    apply(shop._of("rare"), removed(DeltaBatch(batch().extractor_id), "rare", 1))
    left = (await client.get("/v1/suggest?q=red scar&limit=20")).json()["suggestions"]
    assert {each["text"] for each in left} == {"red scarf", *red}
    left = (await client.get("/v1/suggest?q=scarg")).json()["suggestions"]
    assert left == []


async def test_least_score_cuts_what_is_below(client: httpx.AsyncClient) -> None:
    everything = (await ask(client, vectors=[direction(7).tolist()], limit=100)).json()["results"]
    least = everything[9]["score"]
    cut = await ask(client, vectors=[direction(7).tolist()], limit=100, min_score=least - 1e-6)
    assert len(ids(cut)) == 10


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, "invalid_question"),
        ({"text": "x" * 2001}, "invalid_question"),
        ({"text": "x", "limit": 101}, "invalid_question"),
        ({"text": "x", "colour": "red"}, "invalid_question"),
        ({"text": "x", "weights": {"look": -1}}, "invalid_question"),
        ({"text": "x", "rank": "nothing"}, "invalid_question"),
        ({"text": "x", "sort": "brand"}, "invalid_question"),
        ({"text": "x", "filter": {"brand": {"gte": 3}}}, "invalid_filter"),
        ({"filter": {"brand": [f"b{number}" for number in range(10_000)]}}, "invalid_filter"),
        ({"text": "x", "facets": ["nothing"]}, "invalid_question"),
        ({"vectors": [[0.0] * 16]}, "invalid_query"),
        ({"vectors": [[1.0, 2.0]]}, "invalid_query"),
        ({"images": ["no base64!"]}, "invalid_question"),
    ],
)
async def test_question_that_cannot_be_is_refused_with_what_to_send(
    client: httpx.AsyncClient, question: dict[str, Any], expected: str
) -> None:
    assert error(await ask(client, **question)) == (422, expected)


async def test_unknown_parameter_is_refused_by_every_route(client: httpx.AsyncClient) -> None:
    for path in ("/v1/search/text?q=x&colour=red", "/v1/products/p1/similar?colour=red"):
        assert error(await client.get(path)) == (422, "invalid_question")
    vector = {"vector": direction(7).tolist()}
    assert error(await client.post("/v1/search/vector?sizes=1", json=vector)) == (422, "invalid_question")

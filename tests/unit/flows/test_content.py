"""Content and readiness through the whole chain: the master's documents in, a channel's listings out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import Misconfigured
from flows.ready import readiness
from flows.render import views
from tests.databases import registry_url, sqlite_url  # noqa: F401 (fixtures)
from tests.unit.flows.showroom import Showroom, goods, product, showroom


@pytest.fixture
def room(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Showroom]:  # noqa: F811
    with showroom(tmp_path / "project", sqlite_url, monkeypatch) as found:
        yield found


@pytest.fixture
def on_each(tmp_path: Path, registry_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Showroom]:  # noqa: F811
    with showroom(tmp_path / "project", registry_url, monkeypatch) as found:
        yield found


def test_a_channel_shows_its_own_words_and_category_and_the_others_the_masters(room: Showroom) -> None:
    own = [{"key": "feed-google", "name": "Copper kettle", "description": None}]
    room.take("products", product(content=own))
    goods(room, "007")
    room.push("feed-google")
    room.push("kiosk-kz", "product")
    shown = room.shown()["007"]
    assert (shown["title"], shown["description"]) == ("Copper kettle", "Медный")
    assert shown["google_product_category"] == "751"
    (kiosk,) = room.kiosk.articles.values()
    assert (kiosk["title"], kiosk["group"]) == ("Чайник", "Чайники")


def test_a_listing_that_is_not_ready_is_never_sent_and_goes_out_once_it_is(room: Showroom) -> None:
    """Required attributes are checked before publishing; what is missing is said, with its remedy."""
    room.take("products", product(description=None))
    goods(room, "007", mpn=None)
    assert room.push("feed-google").counts["stock", "waiting"] == 1
    assert room.push("kiosk-kz", "product").counts["product", "waiting"] == 1
    assert (room.shown(), room.kiosk.calls) == ({}, [])
    (feed,), (kiosk,) = room.reasons("feed-google"), room.reasons("kiosk-kz")
    assert feed.startswith("not ready: product.description is empty and 1 more: fill it where it has authority")
    assert kiosk.startswith("not ready: product.description is empty: fill it")
    room.take("products", product())
    room.push("kiosk-kz", "product")
    assert room.push("feed-google").counts["stock", "waiting"] == 1, "the part number is still missing"
    goods(room, "007", mpn="M-1")
    room.push("feed-google")
    assert (list(room.shown()), room.kiosk.calls) == (["007"], ["POST KTL"])


def test_a_published_listing_that_becomes_unready_is_kept_or_withdrawn_as_the_policy_says(on_each: Showroom) -> None:
    on_each.take("products", product())
    goods(on_each, "007")
    on_each.push("feed-google")
    on_each.push("kiosk-kz", "product")
    on_each.fetch()
    on_each.take("products", product(name="Чайник 2", description=None))
    on_each.push("feed-google")
    on_each.push("kiosk-kz", "product")
    assert on_each.shown() == {}, "its price and stock would grow stale: withdrawn"
    assert on_each.kiosk.calls == ["POST KTL"], "the last good text stays"
    assert next(iter(on_each.kiosk.articles.values()))["text"] == "Медный"
    on_each.take("products", product(name="Чайник 2"))
    on_each.push("feed-google")
    on_each.push("kiosk-kz", "product")
    assert on_each.shown()["007"]["title"] == "Чайник 2"
    assert on_each.kiosk.calls == ["POST KTL", "PUT KTL"], "the same article, not a second one"


def test_an_archived_product_leaves_the_shelf_without_a_description(room: Showroom) -> None:
    room.take("products", product())
    room.push("kiosk-kz", "product")
    room.take("products", product(description=None, status="archived"))
    room.push("kiosk-kz", "product")
    assert room.kiosk.calls == ["POST KTL", "PUT KTL"]


def test_a_category_without_a_counterpart_keeps_the_listing_back(room: Showroom) -> None:
    room.take("products", product(category="Ковры"))
    goods(room, "007")
    room.push("feed-google")
    assert room.shown() == {}
    (reason,) = room.reasons("feed-google")
    assert "product.category has no counterpart on feed-google" in reason
    assert "add it to policies/products.yaml: feed-google: categories" in reason


def test_no_price_is_no_listing_and_not_a_price_of_zero(room: Showroom) -> None:
    room.take("products", product())
    goods(room, "007")
    room.take("variants", {"id": "B", "sku": "B", "name": "B", "gtin": None, "mpn": "M-B", "product": "KTL",
                           "status": "active"})
    room.take("stock", {"id": "B@a", "variant": "B", "place": "almaty-1", "on_hand": 4})
    room.push("feed-google")
    assert list(room.shown()) == ["007"]
    (reason,) = room.reasons("feed-google")
    assert reason.startswith("not ready: no price holds now")


def test_a_shops_own_number_is_not_told_to_a_marketplace_and_the_makers_is(room: Showroom) -> None:
    room.take("products", product())
    goods(room, "007", gtin="2000000000015")
    goods(room, "008", gtin="4006381333931")
    room.push("feed-google")
    assert {sku: doc.get("gtin") for sku, doc in room.shown().items()} == {"007": None, "008": "4006381333931"}


@pytest.mark.parametrize("fetched", [True, False])
def test_renaming_a_sku_keeps_record_binding_and_listing(on_each: Showroom, fetched: bool) -> None:
    """The master's id stands for the same variant whatever its SKU is: nothing is created a second time."""
    on_each.take("products", product())
    goods(on_each, "OLD")
    on_each.push("feed-google")
    if fetched:
        on_each.fetch()
    (before,) = on_each.records("variant")
    on_each.take("variants", {"id": "OLD", "sku": "NEW", "name": "NEW", "gtin": None, "mpn": "M-2", "product": "KTL",
                           "status": "active"})
    on_each.push("feed-google")
    (after,) = on_each.records("variant")
    assert (after.uid, after.values["sku"]) == (before.uid, "NEW")
    ((id, item),) = on_each.shown().items()
    assert (id, item["mpn"]) == ("OLD", "M-2"), "the platform's history hangs on the id it knows"


def test_what_was_never_fetched_and_lacks_something_now_is_taken_out_again(room: Showroom) -> None:
    room.take("products", product())
    goods(room, "007")
    room.push("feed-google")
    room.take("products", product(description=None))
    room.push("feed-google")
    assert room.shown() == {}


def test_what_is_missing_is_listed_per_sku_as_push_would_see_it(room: Showroom) -> None:
    """`serai ready CHANNEL`: every article, what it lacks, who has authority over it, and whether it is out already."""
    room.take("products", product())
    goods(room, "007")
    room.push("feed-google")
    room.fetch()
    goods(room, "008", mpn="n/a")
    room.take("products", product("CUP", images=[], description=""))
    goods(room, "C1", of="CUP")
    found = readiness(room.house, "feed-google")
    assert (found.articles, found.ready) == (3, 1)
    assert {(one.key, one.where, one.published) for one in found.lacks} == {
        ("008", "variant.gtin", False), ("C1", "product.description", False), ("C1", "product.images", False),
    }  # fmt: skip
    assert {one.remedy for one in found.lacks if one.key == "C1"} == {"fill it where it has authority (pim-kz)"}
    room.push("feed-google")
    assert len(room.reasons("feed-google")) == 2, "the same two articles wait"
    room.take("products", product(description=None))
    (kettle,) = [one for one in readiness(room.house, "feed-google", "007").lacks if one.where == "product.description"]
    assert kettle.published
    assert [one.key for one in readiness(room.house, "kiosk-kz").lacks] == ["KTL", "CUP"]
    with pytest.raises(Misconfigured, match="feed-local publishes no listings: it receives stock"):
        readiness(room.house, "feed-local")
    with pytest.raises(Misconfigured, match="no variant has the sku '9'"):
        readiness(room.house, "feed-google", "9")


def test_listing_what_is_missing_costs_the_same_number_of_statements_for_ten_articles_and_a_hundred(
    room: Showroom,
) -> None:
    room.take("products", product(description=None))

    def cost(skus: list[str]) -> int:
        goods(room, *skus)
        with room.house.registry.read() as tx:
            views(room.house, tx, "feed-google", room.house.of("feed-google").outward["stock"], [
                record.uid for record in room.records("variant")
            ], room.house.registry.now())
            return tx.statements

    assert cost([f"A{n}" for n in range(10)]) == cost([f"B{n}" for n in range(100)])

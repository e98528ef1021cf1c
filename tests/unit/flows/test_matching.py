"""First contact: what matches is reported, a person decides, and only then is anything bound or made."""

from __future__ import annotations

import pytest

from flows import steps
from flows.matching import CannotBind
from registry import Candidate, candidates
from tests.scenario.world import World
from tests.unit.flows.retail import (
    again,
    binding,
    item,
    items,
    later,
    mode,
    outbox,
    product,
    records,
    take,
    tried,
    values,
)

GTIN, OTHER_GTIN = "5901234123457", "4006381333931"


def offer(sku: str, title: str, barcode: str | None = None) -> dict[str, object]:
    return {"sellerSku": sku, "title": title, "barcode": barcode, "state": "ON_SALE",
            "createdAt": "2026-03-01T09:00:00.000Z", "updatedAt": "2026-03-01T09:00:00.000Z"}


def report(world: World, channel: str = "market-kz") -> dict[str, Candidate]:
    with world.registry.read() as tx:
        return {row.external_id: row for row in candidates(tx, channel)}


@pytest.fixture
def catalogue(retail: World) -> World:
    """The ERP's articles are known; the marketplace is read in shadow."""
    for entity in ("variant", "stock", "price"):
        mode(retail, "market-kz", entity, "shadow")
    take(retail, "erp-kz", "products", [product("P")])
    take(retail, "erp-kz", "items", [
        item("A", "P", name="Чайник Алатау красный", barcode=GTIN),
        item("B", "P", name="Чайник Хан-Тенгри синий", barcode=OTHER_GTIN),
    ])
    return retail


def test_the_report_tells_exact_fuzzy_none_and_ambiguous(catalogue: World) -> None:
    """First contact: four kinds, and a name alone never matches."""
    take(catalogue, "market-kz", "offers", [
        offer("A", "anything"),
        offer("X-1", "Chaynik Alatau krasnyy 2"),
        offer("X-2", "Велосипед горный"),
        offer("A2", "two minds", GTIN),
        offer("B", "both", GTIN),
    ])
    found = report(catalogue)
    assert {id: row.kind for id, row in found.items()} == {
        "A": "exact", "X-1": "fuzzy", "X-2": "none", "A2": "exact", "B": "ambiguous",
    }
    assert found["A"].uid == records(catalogue.house, "variant")["A"].uid
    assert found["X-1"].uid == records(catalogue.house, "variant")["A"].uid
    assert 0.5 <= found["X-1"].score < 1
    assert found["X-2"].uid is None


def test_shadow_binds_nothing_and_sends_nothing(catalogue: World) -> None:
    """First contact: the report is all that a shadow leaves."""
    marks = catalogue.marks()
    ledger = take(catalogue, "market-kz", "offers", [offer("A", "x"), offer("X-2", "Велосипед горный")])
    again(catalogue, "market-kz")
    assert ledger.counts == {("variant", "skipped"): 2}
    assert sorted(records(catalogue.house, "variant")) == ["A", "B"]
    assert tried(catalogue, marks, "market") == 0
    with pytest.raises(KeyError):
        binding(catalogue.house, "market-kz", "variant", "A")


def test_accepting_binds_the_exact_ones_only(catalogue: World) -> None:
    """First contact: one word binds what is certain; what is likely or unclear stays for a person."""
    take(catalogue, "market-kz", "offers", [
        offer("A", "x"), offer("B", "both", GTIN), offer("X-1", "Chaynik Alatau krasnyy 2"),
    ])
    bound = steps.accept_exact(catalogue.house, "market-kz", "Aigerim")
    assert bound["market-kz", "variant"] == 1
    assert binding(catalogue.house, "market-kz", "variant", "A").uid == records(catalogue.house, "variant")["A"].uid
    assert sorted(report(catalogue)) == ["B", "X-1"]


def test_a_person_binds_what_only_a_person_can_tell(catalogue: World) -> None:
    """A fuzzy match becomes a binding when somebody says so, by SKU or by uid; the report gets shorter."""
    take(catalogue, "market-kz", "offers", [offer("X-1", "Chaynik Alatau krasnyy 2"), offer("X-9", "Чайник синий")])
    assert steps.bind(catalogue.house, "market-kz", "X-1", "A") == "variant"
    assert steps.bind(catalogue.house, "market-kz", "X-9", records(catalogue.house, "variant")["B"].uid) == "variant"
    assert report(catalogue) == {}
    mode(catalogue, "market-kz", "variant", "on")
    take(catalogue, "market-kz", "offers", [offer("X-1", "Chaynik Alatau krasnyy 2")], later(5))
    assert sorted(records(catalogue.house, "variant")) == ["A", "B"]
    assert binding(catalogue.house, "market-kz", "variant", "X-1").values == {
        **(binding(catalogue.house, "market-kz", "variant", "X-1").values or {}), "sku": "X-1",
    }


def test_a_wrong_name_binds_nothing_and_says_what_there_is(catalogue: World) -> None:
    """Nobody binds a listing to something that is not there, to another kind of thing, or to a second record."""
    take(catalogue, "market-kz", "offers", [offer("X-1", "Chaynik Alatau krasnyy 2")])
    with pytest.raises(CannotBind, match="serai match"):
        steps.bind(catalogue.house, "market-kz", "X-1", "NO-SUCH-SKU")
    with pytest.raises(CannotBind, match="variant"):
        steps.bind(catalogue.house, "market-kz", "X-1", records(catalogue.house, "product")["P"].uid)
    steps.bind(catalogue.house, "market-kz", "X-1", "A")
    with pytest.raises(CannotBind, match="already"):
        steps.bind(catalogue.house, "market-kz", "X-1", "B")
    steps.bind(catalogue.house, "market-kz", "X-1", "A")


def test_a_document_whose_keys_belong_to_two_records_is_quarantined(catalogue: World) -> None:
    """Neither record is touched: the SKU says one thing, the barcode another, and a person decides."""
    mode(catalogue, "market-kz", "variant", "on")
    before = {sku: record.hash for sku, record in records(catalogue.house, "variant").items()}
    ledger = take(catalogue, "market-kz", "offers", [offer("B", "both", GTIN)])
    assert ledger.counts == {("variant", "quarantined"): 1}
    assert report(catalogue)["B"].kind == "ambiguous"
    assert {sku: record.hash for sku, record in records(catalogue.house, "variant").items()} == before


def test_a_listing_that_the_erp_does_not_know_makes_no_record(catalogue: World) -> None:
    """A channel without authority over articles brings no article; the listing waits in the report for a person."""
    mode(catalogue, "market-kz", "variant", "on")
    ledger = take(catalogue, "market-kz", "offers", [offer("X-2", "Велосипед горный")])
    assert ledger.counts == {("variant", "skipped"): 1}
    assert sorted(records(catalogue.house, "variant")) == ["A", "B"]
    assert report(catalogue)["X-2"].kind == "none"


def test_a_listing_is_bound_when_its_article_comes_later(catalogue: World) -> None:
    """Nothing lost by the order of arrival: the ERP enters the article afterwards, and the listing finds it."""
    mode(catalogue, "market-kz", "variant", "on")
    people = catalogue.people
    people.add("market", "offers", {"sellerSku": "LATE", "title": "Чайник", "state": "ON_SALE"})
    steps.pull(catalogue.house, "market-kz", "offers")
    assert report(catalogue)["LATE"].kind == "none"
    take(catalogue, "erp-kz", "items", [item("LATE", "P")])
    steps.pull(catalogue.house, "market-kz", "offers")
    found = binding(catalogue.house, "market-kz", "variant", "LATE")
    assert found.uid == records(catalogue.house, "variant")["LATE"].uid


def test_consent_lets_waiting_creations_go(retail: World) -> None:
    """After the report was accepted, what the channel lacks is made without anybody asking again."""
    retail.goods("KTL-1", on_hand=10, listed=False)
    again(retail, "erp-kz", "shop-kz")
    assert outbox(retail.house)["shop-kz product waiting"] == 1
    steps.accept_exact(retail.house, "shop-kz", "Aigerim")
    again(retail, "shop-kz")
    assert len(list(retail.sandbox.systems["shop"].docs("variants"))) == 1


def test_an_order_with_an_unknown_article_is_parked_until_a_person_binds_it(retail: World) -> None:
    """The remedy in the parked row works as written: bind the article, replay, and the order is there."""
    retail.goods("KTL-1", on_hand=10)
    again(retail, "erp-kz")
    shop = retail.people
    page = shop.add("shop", "products", {"handle": "HAND", "title": "By hand", "bodyHtml": "", "vendor": "",
                                         "productType": "", "images": [], "published": True})
    made = shop.add("shop", "variants", {"productId": page["id"], "sku": "HAND-1", "barcode": "", "title": "By hand",
                                         "options": {}, "active": True})
    shop.add("shop", "prices", {"variantId": made["id"], "amountMinor": 100000, "currency": "KZT"})
    shop.add("shop", "inventory", {"variantId": made["id"], "available": 3})
    placed = shop.buy_in_shop({"HAND-1": 1}, email="kim@example.kz", name="Kim Li")
    again(retail, "shop-kz")
    (row,) = items(retail.house, "parked", channel="shop-kz")
    assert (row.entity, row.external_id) == ("order", placed.id)
    assert f"serai match bind shop-kz {made['id']}" in str(row.remedy)
    steps.bind(retail.house, "shop-kz", made["id"], "KTL-1")
    steps.replay(retail.house)
    assert items(retail.house, "parked") == []
    assert values(retail.house, "order", placed.number)["lines"][0]["variant"] == \
        records(retail.house, "variant")["KTL-1"].uid

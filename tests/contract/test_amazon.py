"""What Amazon does to a connector, in front of the simulated marketplace: late truths, feeds, long lists, limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from connectors.amazon import Amazon
from connectors.base import Write
from connectors.errors import Misconfigured, RetryLater
from deployments.demo.data import karavan_home
from deployments.sandbox.amazon.acts import ACTS
from deployments.sandbox.amazon.fill import enter, fill
from deployments.sandbox.amazon.server import Running, empty
from deployments.sandbox.amazon.state import Market
from flows.mapping_files import PACKAGE, compile_file
from tests.contract.amazon_market import NOW, Moving, connect, serving, stock


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
def running(clock: Moving) -> Iterator[Running]:
    with serving(clock) as found:
        yield found


def price(running: Running, sku: str, amount: str) -> Write:
    market = running.market
    offer = {"marketplace_id": market.marketplace, "currency": market.currency,
             "our_price": [{"schedule": [{"value_with_tax": Decimal(amount)}]}]}  # fmt: skip
    patch = {"op": "replace", "path": "/attributes/purchasable_offer", "value": [offer]}
    return Write(key=f"{sku}-{amount}", op="update", id=sku, doc={"productType": "PRODUCT", "patches": [patch]})


def settled(connector: Amazon, write: Write, ticket: str | None) -> Any:
    (receipt,) = connector.settle("listings", [structs.replace(write, ticket=ticket)])
    return receipt


def test_an_accepted_figure_is_applied_once_the_listing_says_it(running: Running, clock: Moving) -> None:
    """P3: ACCEPTED is a promise; what buyers see changes later, and a sale in between is no contradiction."""
    running.market.patch_lag = 60
    connector, write = connect(running, clock), stock("K1", 0)
    (receipt,) = connector.write("listings", [write])
    assert receipt.outcome == "accepted"
    assert running.market.listings["K1"].quantity == 10
    assert settled(connector, write, receipt.ticket).outcome == "accepted"
    clock.on(seconds=61)
    assert settled(connector, write, receipt.ticket).outcome == "applied"
    assert running.market.listings["K1"].quantity == 0
    again = stock("K1", 7)
    (receipt,) = connector.write("listings", [again])
    clock.on(seconds=61)
    ACTS["order"](running.market, {"lines": [{"sku": "K1", "quantity": 2}], "name": "Dina"})
    assert settled(connector, again, receipt.ticket).outcome == "applied"
    assert running.market.listings["K1"].quantity == 5


def test_a_submission_that_never_shows_is_sent_again(running: Running, clock: Moving) -> None:
    """P3: after a quarter of an hour nobody believes in it; an update is unknown then, so that it is due once more."""
    running.market.patch_lag = 86_400
    connector, write = connect(running, clock), stock("K1", 3)
    (receipt,) = connector.write("listings", [write])
    clock.on(minutes=14)
    assert settled(connector, write, receipt.ticket).outcome == "accepted"
    clock.on(minutes=2)
    assert settled(connector, write, receipt.ticket).outcome == "unknown"


def test_an_answer_of_200_may_be_a_rejection_at_once_or_later(running: Running, clock: Moving) -> None:
    """P3, P6: INVALID says which attribute; a price of nothing is accepted first and refused when it is processed."""
    running.market.patch_lag = 5
    connector = connect(running, clock)
    bad, good = stock("K0", -1), stock("K1", 4)
    first, second = connector.write("listings", [bad, good])
    assert (first.outcome, second.outcome) == ("rejected", "accepted")
    assert "fulfillment_availability" in first.detail
    nothing = price(running, "K2", "0")
    (receipt,) = connector.write("listing_prices", [nothing])
    assert receipt.outcome == "accepted"
    clock.on(seconds=6)
    late = settled(connector, nothing, receipt.ticket)
    assert late.outcome == "rejected"
    assert "18155" in late.detail
    assert running.market.listings["K2"].price == Decimal(12490)


def test_a_variant_is_offered_beside_whoever_sells_it(running: Running) -> None:
    """A new offer by GTIN, changed later attribute by attribute; price and figure are not touched by it."""
    connector, market = connect(running), running.market
    mapping = compile_file(None, PACKAGE / "amazon" / "offers.yaml")
    variant = {"uid": "v9", "sku": "NEW", "name": "Kettle", "gtin": "4870001000017"}
    (made,) = mapping.map_outward([variant], {}, {"settings": running.settings}).docs
    create = Write(key="o", op="create", doc=made.doc)
    (receipt,) = connector.write("offers", [create])
    (end,) = connector.settle("offers", [structs.replace(create, ticket=receipt.ticket)])
    assert (end.outcome, end.id) == ("applied", "NEW")
    (receipt,) = connector.write("listings", [stock("NEW", 4)])
    other = {**made.doc["attributes"]["externally_assigned_product_identifier"][0], "value": "4870001000024"}
    changed = {**made.doc, "attributes": {"externally_assigned_product_identifier": [other]}}
    update = Write(key="p", op="update", id="NEW", doc=changed)
    (receipt,) = connector.write("offers", [update])
    assert settled(connector, update, receipt.ticket).outcome == "applied"
    told = market.listings["NEW"].attributes
    assert told["externally_assigned_product_identifier"] == [other]
    assert (told["condition_type"][0]["value"], market.listings["NEW"].quantity) == ("new_new", 4)
    there = Write(key="q", op="create", doc={**made.doc, "sku": "K1"})      # somebody listed it by hand
    (receipt,) = connector.write("offers", [there])
    assert receipt.outcome == "accepted"
    assert (market.listings["K1"].price, market.listings["K1"].quantity) == (Decimal(12490), 10)
    assert market.listings["K1"].title == "Kettle 1"


def test_many_writes_go_as_one_feed_and_each_has_its_own_end(running: Running, clock: Moving) -> None:
    """P6: one call for sixty; the processing report names the bad message, the others are applied."""
    market = running.market
    market.opening = NOW
    for number in range(60):
        enter(market, f"F{number}", title="Cup", price=Decimal(100), available=1)
    market.opening = None
    market.feed_lag = 30
    connector = connect(running, clock)
    writes = [stock(f"F{n}", n if n != 7 else -7) for n in range(60)]
    receipts = list(connector.write("listings", writes))
    assert {receipt.outcome for receipt in receipts} == {"accepted"}
    assert len(market.feeds) == 1
    sent = [structs.replace(one, ticket=receipt.ticket) for one, receipt in zip(writes, receipts, strict=True)]
    assert {receipt.outcome for receipt in connector.settle("listings", sent)} == {"accepted"}
    clock.on(seconds=31)
    ends = list(connector.settle("listings", sent))
    assert [n for n, receipt in enumerate(ends) if receipt.outcome != "applied"] == [7]
    assert ends[7].outcome == "rejected"
    assert "fulfillment_availability" in ends[7].detail
    assert [market.listings[f"F{n}"].quantity for n in (0, 7, 59)] == [0, 1, 59]


@pytest.mark.parametrize("fate", ["CANCELLED", "FATAL"])
def test_a_feed_that_was_given_up_leaves_nothing_done_and_its_writes_due(
    running: Running, clock: Moving, fate: str
) -> None:
    """P2, P3: an update is due again, a create never arrived; what keeps failing as a whole is a person's at last."""
    ACTS["fate"](running.market, {"status": fate})
    connector = connect(running, clock, settings={"feed_from": 2})
    new = Write(key="n", op="create", doc={"sku": "N", "productType": "PRODUCT", "attributes": {}})
    receipts = list(connector.write("listings", [stock("K0", 1), new]))
    tickets = [receipt.ticket for receipt in receipts]
    update, create = (structs.replace(one, ticket=t) for one, t in zip([stock("K0", 1), new], tickets, strict=True))
    first, second = connector.settle("listings", [update, create])
    assert first.outcome == "unknown"
    assert (second.outcome, second.detail[:9]) == ("rejected", "not found")
    assert running.market.listings["K0"].quantity == 10
    (last,) = connector.settle("listings", [structs.replace(update, attempt=3)])
    assert last.outcome == ("unknown" if fate == "CANCELLED" else "rejected")


def test_more_listings_than_a_search_shows_are_read_whole(running: Running) -> None:
    """P1: a search ends after a thousand listings; the list goes on in the next window, and so do its changes."""
    market = running.market
    for number in range(1_050):
        market.opening = NOW - timedelta(hours=2) + timedelta(seconds=number // 3)
        enter(market, f"B{number:04d}", title="Cup", price=Decimal(100), available=1)
    market.opening = None
    connector = connect(running)
    pages = list(connector.read("listings"))
    assert {doc["sku"] for page in pages for doc in page.docs} == set(market.listings)
    assert max(len(page.docs) for page in pages) == 20
    changed = list(connector.read("listings", {**pages[-1].cursor, "since": (NOW - timedelta(hours=3)).isoformat()}))
    assert {f"B{number:04d}" for number in range(1_050)} <= {doc["sku"] for page in changed for doc in page.docs}


def test_a_token_that_ended_is_renewed_although_amazon_calls_it_forbidden(running: Running, clock: Moving) -> None:
    """P13: 403 with the sentence of an ended token is no missing right."""
    connector = connect(running)            # our clock stands still: the token ends before we think so
    connector.check()
    clock.on(hours=2)
    connector.check()
    assert len(running.api.tokens) == 2


def test_each_operation_has_its_own_limit_and_says_how_long_to_wait(running: Running) -> None:
    """P14: 429 without Retry-After means one call's share of that operation's rate; the others go on."""
    running.api.plan.speed = 1e-9
    connector = connect(running)
    for _ in range(5):
        connector.check()
    with pytest.raises(RetryLater) as refused:
        connector.check()
    assert refused.value.after > 1e6
    assert connector.fetch("orders", ["000-0000000-0000000"]) == {"000-0000000-0000000": None}
    assert connector.bucket("GET", f"{running.url}/orders/2026-01-01/orders") == "searchOrders"
    assert connector.limits["searchOrders"].rate == 0.0056
    assert set(running.api.plan.refusals) == {"searchListingsItems"}


def test_a_channel_without_its_ids_is_told_which(running: Running) -> None:
    """Ops read what to write where."""
    for name in ("seller", "marketplace"):
        with pytest.raises(Misconfigured, match=f"market-kz: `{name}`"):
            connect(running, settings={name: ""})


def test_the_retailer_opens_with_what_it_sells_there(clock: Moving) -> None:
    """The demo's listings, prices and figures stand in the books from the first line."""
    market = Market(name="market", books=empty().books, wall=clock.now)
    fill(market, karavan_home(7))
    sold = {v.sku: v for v in karavan_home(7).variants() if "market" in v.sold_in}
    assert set(market.listings) == set(sold)
    assert {sku: (one.price, one.quantity) for sku, one in market.listings.items()} == {
        sku: (v.price_in("market"), v.shown_in("market")) for sku, v in sold.items()}  # fmt: skip
    assert {sku for sku, _ in market.held.items()} == {sku for sku, v in sold.items() if "mkt-alm" in v.on_hand}

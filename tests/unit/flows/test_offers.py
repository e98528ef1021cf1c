"""Segments go with the customer, offers to the channels they name; who refused hears of neither before all know."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flows import steps
from flows.offers import offers
from mappings.commerce.customers.segments import Segment
from registry import mark_due, outbox_rows, put_opt_outs, told_opt_outs, wake
from tests.scenario.world import World
from tests.unit.flows.retail import again, carries, live, records, take, written

EVERYWHERE = ("erp-kz", "shop-kz", "crm-kz")


def segments(world: World, *found: Segment) -> None:
    policy = replace(world.house.project.customers, segments=found)
    world.desk.project = world.house.project = replace(world.house.project, customers=policy)


def contact(world: World) -> dict[str, Any]:
    (doc,) = world.sandbox.systems["crm"].docs("contacts")
    return doc


def said(world: World) -> str:
    found: str = contact(world)["properties"]["segments"]
    return found


def test_an_order_moves_its_customer_into_a_segment_and_the_crm_hears_of_it(retail: World) -> None:
    """Exactly one write when the segment changes, none when it does not; days that pass move people too."""
    segments(retail, Segment(name="again", frequency=2, recency_to=30), Segment(name="asleep", recency_from=31))
    retail.goods("KTL-1", on_hand=20)
    live(retail, *EVERYWHERE)
    retail.buy("shop", {"KTL-1": 1}, who=1)
    live(retail, *EVERYWHERE)
    assert said(retail) == ""
    retail.buy("shop", {"KTL-1": 1}, who=1)
    live(retail, *EVERYWHERE)
    assert said(retail) == "again"
    marks = retail.marks()
    retail.buy("shop", {"KTL-1": 1}, who=1)
    live(retail, *EVERYWHERE)
    assert [line for line in written(retail, marks, "crm") if line.startswith("contacts")] == []
    retail.pass_time(timedelta(days=40).total_seconds())
    retail.step("reconcile", "crm-kz", "contacts")
    again(retail, "crm-kz")
    assert said(retail) == "asleep"


def test_a_shop_that_receives_customers_knows_their_segments(retail: World) -> None:
    """Its coupons name segments as audience; who leaves one leaves it there too, and nobody gets a second account."""
    segments(retail, Segment(name="again", frequency=2, recency_to=30))
    carries(retail, "shop-kz", receives=("customer",))
    retail.goods("KTL-1", on_hand=20)
    live(retail, *EVERYWHERE)
    for known in ([], ["again"]):
        retail.buy("shop", {"KTL-1": 1}, who=1)
        live(retail, *EVERYWHERE)
        (account,) = retail.sandbox.systems["shop"].docs("customers")
        assert account.get("segments", []) == known
    retail.pass_time(timedelta(days=40).total_seconds())
    retail.step("reconcile", "shop-kz", "customers")
    again(retail, "shop-kz")
    (account,) = retail.sandbox.systems["shop"].docs("customers")
    assert account["segments"] == []


def test_a_refund_takes_its_buyer_out_of_a_segment_at_once(retail: World) -> None:
    """What was refunded is taken off what was spent, with the refund and not with the next nightly comparison."""
    segments(retail, Segment(name="spender", money=Decimal(1_500), currency="KZT"))
    retail.goods("KTL-1", on_hand=20)
    live(retail, *EVERYWHERE)
    placed = retail.buy("shop", {"KTL-1": 1}, who=1)
    live(retail, *EVERYWHERE)
    assert said(retail) == "spender"
    (order,) = retail.sandbox.systems["shop"].docs("orders")
    now = retail.registry.now()
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    back = {"id": "R1", "orderId": placed.id, "at": at, "createdAt": at, "updatedAt": at, "locationId": None,
            "lines": [], "payments": [{"id": "1", "tenderId": order["tenders"][0]["id"], "amountMinor": 60_000}]}
    take(retail, "shop-kz", "refunds", [back], now)
    steps.push(retail.house, "crm-kz", "customer")
    assert said(retail) == ""


def test_who_objected_is_in_no_segment_anywhere(retail: World) -> None:
    """Consent: a refusal of marketing takes the person out of every segment that a channel is told."""
    segments(retail, Segment(name="buyers"))
    retail.goods("KTL-1", on_hand=20)
    live(retail, *EVERYWHERE)
    retail.buy("shop", {"KTL-1": 1}, who=1)
    live(retail, *EVERYWHERE)
    assert said(retail) == "buyers"
    (person,) = records(retail.house, "customer").values()
    refusal = {"key": "m", "purpose": "marketing", "channel": None, "means": None, "state": "denied"}

    def refuse(tx: Any) -> None:
        from registry import RecordRow, encode, put_records

        values = {**person.values, "consents": [refusal]}
        put_records(tx, [RecordRow(uid=person.uid, entity="customer", values=encode(values))])
        mark_due(tx, [("crm-kz", "customer", person.uid, None, False, "test")])

    retail.registry.attempt(refuse)
    again(retail, "crm-kz")
    assert said(retail) == ""


def campaign(code: str, **more: str) -> dict[str, Any]:
    blank = dict.fromkeys(("name", "segment", "channels", "percent", "starts", "ends", "limit"), "")
    return {"properties": {**blank, "code": code, "state": "running", **more}}


def coupons(world: World) -> dict[str, bool]:
    return {doc["code"]: doc["active"] for doc in world.sandbox.systems["shop"].docs("coupons")}


def test_an_offer_goes_to_the_channels_it_names_and_ends_where_it_no_longer_holds(retail: World) -> None:
    """One channel makes offers, the named ones hold them; taking a channel off the list ends the offer there."""
    carries(retail, "crm-kz", "offer")
    carries(retail, "shop-kz", receives=["offer"])
    made = retail.people.add("crm", "campaigns", campaign("A", channels="shop-kz", percent="10"))
    retail.people.add("crm", "campaigns", campaign("B", channels="pos-kz"))
    retail.people.add("crm", "campaigns", campaign("C"))
    live(retail, *EVERYWHERE)
    assert coupons(retail) == {"A": True, "C": True}
    retail.people.edit("crm", "campaigns", str(made["id"]), {"properties": {"channels": "pos-kz"}})
    live(retail, *EVERYWHERE)
    assert coupons(retail) == {"A": False, "C": True}
    marks = retail.marks()
    for _ in range(2):
        retail.step("pull_all", full=True)
        again(retail, *EVERYWHERE)
    assert written(retail, marks, "shop") == []


def test_an_offer_to_a_segment_waits_for_every_refusal_that_is_on_its_way(retail: World) -> None:
    """Opt-out before any marketing write: an offer to everybody goes, one aimed at people waits, its end does not."""
    carries(retail, "crm-kz", "offer")
    carries(retail, "shop-kz", receives=["offer"])
    live(retail, *EVERYWHERE)
    take(retail, "shop-kz", "customers", [{
        "id": "9", "email": "kim@example.kz", "firstName": "Kim", "lastName": "Li", "phone": None, "locale": None,
        "defaultAddress": None, "createdAt": "2026-03-01T09:00:00Z", "updatedAt": "2026-03-01T09:00:00Z"}])
    (person,) = records(retail.house, "customer").values()
    running = retail.people.add("crm", "campaigns", campaign("OLD", segment="loyal"))
    live(retail, *EVERYWHERE)
    retail.registry.attempt(lambda tx: put_opt_outs(tx, [(person.uid, "crm-kz")]))
    retail.people.add("crm", "campaigns", campaign("ALL"))
    retail.people.add("crm", "campaigns", campaign("LOYAL", segment="loyal"))
    retail.people.edit("crm", "campaigns", str(running["id"]), {"properties": {"state": "stopped"}})
    for _ in range(2):
        retail.step("pull", "crm-kz", "campaigns")
        retail.step("push", "shop-kz", "offer")
    assert coupons(retail) == {"OLD": False, "ALL": True}
    with retail.registry.read() as tx:
        (row,) = outbox_rows(tx, "shop-kz", "offer")
    assert (row.state, "refusal is on its way" in str(row.reason)) == ("waiting", True)
    def arrived(tx: Any) -> None:
        told_opt_outs(tx, "crm-kz", [person.uid])
        wake(tx, reason=str(row.reason))

    retail.registry.attempt(arrived)
    retail.step("push", "shop-kz", "offer")
    assert coupons(retail) == {"OLD": False, "ALL": True, "LOYAL": True}


def test_redemptions_are_counted_from_orders_and_wrong_ones_are_shown_not_corrected(retail: World) -> None:
    carries(retail, "crm-kz", "offer")
    retail.people.add("crm", "campaigns", campaign("A", limit="2"))
    retail.people.add("crm", "campaigns", campaign("B", channels="pos-kz"))
    retail.people.add("crm", "campaigns", campaign("C"))
    retail.goods("KTL-1", on_hand=20)
    live(retail, *EVERYWHERE)
    buyer: dict[str, Any] = {"name": "Kim Li", "shop": "shop"}
    placed = [retail.people.buy_in_shop({"KTL-1": 1}, email=f"{who}@example.kz", **buyer, coupon={
        "code": code, "title": code, "amount": "10.00", "funded_by": "SHOP"})
        for who, code in (("a", "A"), ("a", "A"), ("b", "A"), ("b", "B"), ("c", "A"))]
    retail.people.cancel_in_shop(placed[4].id)
    live(retail, *EVERYWHERE)
    found = {one.offer["code"]: one for one in offers(retail.house)}
    assert {code: (one.times, one.customers) for code, one in found.items()} == {"A": (3, 2), "B": (1, 1), "C": (0, 0)}
    assert [why for _, why in found["A"].wrong] == ["it was redeemed 2 of 2 times"]
    assert found["B"].wrong == [(placed[3].number, "it does not hold on shop-kz")]
    assert [one.offer["code"] for one in offers(retail.house, "B")] == ["B"]


__all__ = ["steps"]

"""What is sellable now, what may be promised for a day, and what cannot be."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings, strategies as st

from mappings.canonical import problems
from mappings.commerce.stock import publish
from mappings.commerce.stock.allocation import StockPolicy, free, left
from mappings.commerce.stock.ledger import (
    Holding,
    Place,
    announced,
    back_orders,
    faults,
    holding,
    missing,
    ours,
    owed,
    pool,
    promise,
    sellable_now,
    unreserved,
)

TODAY = date(2026, 3, 1)
AMOUNTS = st.decimals(0, 50, places=1)
HOLDINGS = st.builds(
    Holding,
    quantity=st.decimals(-20, 100, places=1),
    kind=st.sampled_from(["on_hand", "available", "available_before_own_open_orders"]),
    allocated=st.none() | AMOUNTS,
    quarantined=AMOUNTS,
    expiring=AMOUNTS,
    displayed=AMOUNTS,
    in_transit=AMOUNTS,
    inbound=st.lists(st.tuples(st.dates(TODAY, TODAY + timedelta(days=9)), AMOUNTS), max_size=3).map(tuple),
)


def amount(value: str, kind: str) -> dict[str, str]:
    return {"value": value, "unit": "each", "kind": kind}


@given(HOLDINGS, AMOUNTS)
def test_sellable_now_is_what_is_there_less_every_part_that_is_not_for_sale(held: Holding, reserved: Decimal) -> None:
    """P8: on_hand − allocated − reserved − quarantined − expiring − displayed; goods in transit count nowhere."""
    allocated = held.allocated if held.allocated is not None and held.kind == "on_hand" else Decimal(0)
    exact = held.quantity - allocated - reserved - held.quarantined - held.expiring - held.displayed
    assert sellable_now(held, reserved) == max(Decimal(0), exact)
    assert sellable_now(held, reserved) <= max(Decimal(0), held.quantity)


PLACES = ["wh", "s1", "s2"]


@given(
    st.dictionaries(st.sampled_from(PLACES), HOLDINGS, min_size=1),
    st.dictionaries(st.sampled_from([*PLACES, None]), st.integers(0, 20).map(Decimal), max_size=4),
)
@settings(max_examples=200)
def test_goods_that_a_place_lacks_are_taken_off_its_pool(
    holdings: dict[str, Holding], reserved: dict[str | None, Decimal]
) -> None:
    """P8: a negative figure counts 0 for its place, and the pool shows that much less, never below nothing."""
    sellable, promised = pool(places(holdings), reserved.items())
    over = free(sellable, promised)
    lacking = sum((missing(held) for held in holdings.values()), Decimal(0))
    everywhere = sum((unreserved(held) for held in holdings.values()), Decimal(0))
    assert sum(over.values()) <= max(Decimal(0), everywhere - lacking - reserved.get(None, Decimal(0)))
    assert all(over[name] == 0 for name, held in holdings.items() if held.quantity < 0)
    if lacking == 0:
        assert promised == reserved


@given(
    st.dictionaries(st.sampled_from(PLACES), HOLDINGS, min_size=1),
    st.dictionaries(st.sampled_from([*PLACES, None]), st.integers(0, 20).map(Decimal), max_size=4),
    st.integers(0, 20).map(Decimal), st.dates(TODAY, TODAY + timedelta(days=10)),
)
@settings(max_examples=200)
def test_a_promise_takes_every_unit_that_is_owed_off_once(
    holdings: dict[str, Holding], reserved: dict[str | None, Decimal], waiting: Decimal, on: date
) -> None:
    """P8: promise = sellable now + inbound until the day − open back-orders. Added up another way, over all places and
    with nothing cut off at zero, it is the same: no reservation, lack or back-order is subtracted twice, or never.
    """
    sellable, claimed = pool(places(holdings), reserved.items())
    now = sum(left(sellable, claimed).values(), Decimal(0))
    inbound = [row for held in holdings.values() for row in held.inbound]
    theirs = sum((owed(held) for held in holdings.values()), Decimal(0))
    open_ = back_orders(sellable, claimed, waiting=waiting, owed=theirs)
    told = promise(now, inbound, on, open_)
    exact = (
        sum((unreserved(held) - missing(held) - owed(held) for held in holdings.values()), Decimal(0))
        + announced(inbound, on) - sum(reserved.values(), Decimal(0)) - waiting
    )
    assert told == max(Decimal(0), exact)
    assert open_ >= waiting + theirs
    assert promise(now, inbound, on + timedelta(days=1), open_) >= told
    if all(sellable.get(code or "", Decimal(0)) >= units for code, units in claimed.items()):
        assert open_ == waiting + theirs                # what is there for an order is no back-order


def places(holdings: dict[str, Holding]) -> list[Place]:
    """What counts of holdings, place by place."""
    return [Place(code=name, units=unreserved(held), missing=missing(held)) for name, held in holdings.items()]


def test_a_store_that_sold_five_before_it_booked_them_hides_five_of_the_warehouse() -> None:
    """P8: the goods were brought over and nobody wrote it down; the copy loop shows twelve and has seven."""
    shop = {"shop": StockPolicy(locations=("wh", "s1"), share=Decimal(1))}
    holdings = {"wh": Holding(quantity=Decimal(12)), "s1": Holding(quantity=Decimal(-5))}
    assert publish(*pool(places(holdings), ()), shop) == {"shop": 7}
    (sentence,) = faults("KTL-1", "s1", holdings["s1"], "each", "each")
    assert sentence.startswith("KTL-1 at s1: -5 each on_hand; a place cannot hold less than nothing")


def record(**more: Any) -> dict[str, Any]:
    values = {"variant": "v", "location": "l", "quantity": amount("20", "on_hand"), **more}
    assert list(problems("stock", values)) == []
    return values


def test_a_record_says_its_parts_and_what_it_does_not_say_is_none() -> None:
    bare = holding(record(), today=TODAY)
    assert bare == Holding(quantity=Decimal(20))
    held = holding(record(
        allocated=amount("4", "allocated"), quarantined=amount("1", "quarantined"),
        displayed=amount("2", "displayed"), in_transit=amount("9", "in_transit"),
        inbound=[{"key": "1", "quantity": amount("6", "inbound"), "on": "2026-03-05"}],
    ), today=TODAY)
    assert sellable_now(held, Decimal(3)) == 10
    now = sellable_now(held, Decimal(3))
    assert [promise(now, held.inbound, date(2026, 3, day), Decimal(0)) for day in (4, 5)] == [10, 16]


def test_goods_announced_for_a_day_that_is_past_are_promised_to_nobody_and_told() -> None:
    """P8: a lorry that did not come is no stock of today."""
    rows = [{"key": day, "quantity": amount("6", "inbound"), "on": day} for day in ("2026-02-28", "2026-03-01")]
    held = holding(record(inbound=rows), today=TODAY)
    assert (held.inbound, held.overdue) == (((TODAY, Decimal(6)),), Decimal(6))
    (sentence,) = faults("KTL-1", "wh", held, "each", "each")
    assert sentence.startswith("KTL-1 at wh: 6 each were announced for a day that is past")


def test_the_same_orders_allocation_is_not_taken_off_a_figure_that_is_without_it_already() -> None:
    """P8: `available` has what the source allocated taken off; only `on_hand` still holds it."""
    assert unreserved(Holding(quantity=Decimal(10), kind="on_hand", allocated=Decimal(4))) == 6
    assert unreserved(Holding(quantity=Decimal(10), kind="available", allocated=Decimal(4))) == 10
    own = Holding(quantity=Decimal(10), kind="available_before_own_open_orders", allocated=Decimal(4))
    assert unreserved(own) == 10


def test_a_lot_that_expires_too_soon_is_not_for_sale() -> None:
    """P8: what spoils within the days the policy says counts as quarantined; a lot without a day keeps for ever."""
    lots = [
        {"key": day, "quantity": amount("5", "contained"), "expires_on": day}
        for day in ("2026-02-28", "2026-03-01", "2026-03-08")
    ] + [{"key": "salt", "quantity": amount("5", "contained"), "expires_on": None}]
    expiring = [holding(record(lots=lots), today=TODAY, expires_within=days).expiring for days in (0, 1, 7, 8)]
    assert expiring == [5, 10, 10, 15]


def test_what_a_channel_or_supplier_holds_is_not_ours_to_pool() -> None:
    assert all(ours(place) for place in ({}, {"held_by": None}, {"held_by": "us"}))
    assert not any(ours({"held_by": who}) for who in ("channel", "supplier", "partner"))

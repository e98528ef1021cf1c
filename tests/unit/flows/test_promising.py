"""Back-orders and pre-orders: what is promised before it is there, on real channels, and who gets what comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from flows.stock_view import article, faults
from flows.why import why
from mappings.commerce.stock.cohorts import Cohort
from registry import promises
from tests.scenario.world import WAREHOUSE, World
from tests.unit.flows.retail import live, records
from tests.unit.flows.sharing import BOTH
from tests.unit.flows.stockroom import Rooms, Stockroom


def today() -> date:
    """The day that the house reckons with."""
    return datetime.now(UTC).date()


def listing(world: World, monkeypatch: pytest.MonkeyPatch, **says: Any) -> None:
    """The shop lists KTL-1 so, by a cohort of its SKU; every other article as before."""
    stock = world.house.project.stock
    kettle = Cohort(name="coming", skus=frozenset({"KTL-1"}))
    own = replace(stock["shop-kz"], **says)
    monkeypatch.setitem(stock, "shop-kz", replace(stock["shop-kz"], cohorts=((kettle, own),)))


def shown(world: World, sku: str = "KTL-1") -> tuple[int, str | None, int]:
    """What the shop shows, the day that its buyers are told, and what the marketplace shows."""
    doc = world.sandbox.systems["shop"].get("inventory", world.shop_id(sku))
    return int(doc["available"]), doc["availableOn"], world.shown("market", sku)


def rows(world: World) -> list[tuple[int, bool]]:
    """What is promised of the kettle: units, and whether they wait for goods that come."""
    uid = records(world.house, "variant")["KTL-1"].uid
    with world.registry.read() as tx:
        return [(int(row.quantity), row.waiting) for row in promises(tx, [uid])]


def test_a_back_order_is_promised_with_its_day_served_first_and_lowers_nobody_elses_figure(
    retail: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: the shop promises what is there and its part of what comes, with the day; an order beyond what is there waits
    for the delivery, the marketplace keeps what it shows of the rest, and who waited is served before anybody is told.
    """
    day = today() + timedelta(days=9)
    listing(retail, monkeypatch, listing="back_order")
    retail.goods("KTL-1", on_hand=5)
    retail.goods("KTL-2", on_hand=5)
    retail.people.order_goods("KTL-1", WAREHOUSE, 10, day.isoformat())
    retail.people.order_goods("KTL-2", WAREHOUSE, 10, day.isoformat())
    live(retail, *BOTH)
    assert shown(retail) == (3 + 6, day.isoformat(), 2)
    assert shown(retail, "KTL-2") == (3, None, 2)
    retail.buy("shop", {"KTL-1": 7})
    live(retail, *BOTH)
    assert sorted(rows(retail)) == [(3, False), (4, True)]
    assert shown(retail) == (1 + 3, day.isoformat(), 1)         # 0.6 of the two left, and of 10 − 4
    told = article(retail.house, "KTL-1", day)
    assert (int(told.by_day[day]), int(told.back_orders)) == (2 + 2 * 5 + 10 - 4, 4)      # with what two stores hold
    said = " ".join(step.sentence for step in why(retail.house, "shop-kz", "stock", "KTL-1").steps)
    assert "the row of its cohort coming decides" in said
    assert f"+ what comes (10 on {day}) - open back-orders (4) = 4, all of it there on {day}" in said
    retail.people.unpack("KTL-1", WAREHOUSE, 10)
    live(retail, *BOTH)
    assert rows(retail) == [(7, False)]
    assert shown(retail) == (5, None, 3)
    assert article(retail.house, "KTL-1", day).back_orders == 0


def test_a_pre_order_is_sold_before_anything_is_there_until_its_day(
    retail: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: nothing lies there, ten come before the day of release; buyers are told that day, the market shows none."""
    day = today() + timedelta(days=20)
    listing(retail, monkeypatch, listing="pre_order", on=day, share=Decimal(1))
    monkeypatch.setitem(
        retail.house.project.stock, "market-kz",
        replace(retail.house.project.stock["market-kz"], share=Decimal(0)),
    )
    retail.goods("KTL-1", on_hand=0)
    retail.people.order_goods("KTL-1", WAREHOUSE, 10, (day - timedelta(days=2)).isoformat())
    live(retail, *BOTH)
    assert shown(retail) == (10, day.isoformat(), 0)
    retail.buy("shop", {"KTL-1": 4})
    live(retail, *BOTH)
    assert (rows(retail), shown(retail)) == ([(4, True)], (6, day.isoformat(), 0))
    retail.people.cancel_in_shop(retail.placed["shop"][0].id)
    live(retail, *BOTH)
    assert (rows(retail), shown(retail)) == ([], (10, day.isoformat(), 0))


def promising(room: Stockroom, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = room.house.project.stock
    monkeypatch.setitem(stock, "shop", replace(stock["shop"], listing="back_order"))


def waiting(room: Stockroom) -> tuple[list[int], list[int]]:
    """Units promised of what is there, and units that wait."""
    with room.house.registry.read() as tx:
        found = promises(tx, [room.uid("K")])
    return [int(r.quantity) for r in found if not r.waiting], [int(r.quantity) for r in found if r.waiting]


def comes(n: int, day: date) -> dict[str, Any]:
    return {"inbound": [{"key": "PO", "n": n, "on": day.isoformat()}]}


def test_who_waits_longest_is_served_first_and_edits_and_parts_keep_every_unit_once(
    room_on_each: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8, P2: an order beyond what is there waits for the rest; more of it waits, less of it waits no more; what comes
    goes to the older one; a second reading changes nothing; what was posted as gone waits for nothing."""
    room = room_on_each()
    promising(room, monkeypatch)
    day = today() + timedelta(days=3)
    room.figure("K", 10, **comes(20, day))
    assert room.told("K") == 30
    room.order("1", {"K": 12})
    room.order("2", {"K": 5})
    assert waiting(room) == ([10], [2, 5])
    assert room.told("K") == 30 - 17
    room.order("1", {"K": 14})
    room.order("1", {"K": 14})
    assert sum(waiting(room)[1]) == 9
    assert room.told("K") == 30 - 19
    room.order("1", {"K": 12})
    assert room.told("K") == 30 - 17
    room.figure("K", 13, **comes(17, day))
    assert waiting(room)[1] == [4]                          # the first has all of its twelve
    assert room.told("K") == 30 - 17
    room.bind("erp", "1", "S1")
    room.take("erp", "shipments", {"id": "D1", "order": "S1", "at": None, "lines": [{"line": "1", "n": "12"}]})
    assert room.told("K") == 30 - 17
    room.figure("K", 1, **comes(17, day))
    assert room.told("K") == 1 + 17 - 5
    room.order("2", {"K": 5}, state="cancelled")
    assert room.told("K") == 18


def test_what_waits_is_served_where_the_goods_come_to_and_sold_to_nobody_else(
    room_on_each: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: the warehouse is empty, the delivery goes to the store: its units are promised there, and shown no more."""
    room = room_on_each()
    promising(room, monkeypatch)
    room.figure("K", 0)
    room.order("1", {"K": 5})
    assert waiting(room) == ([], [5])
    room.figure("K", 3, place="st")
    assert (waiting(room), room.free("K"), room.told("K")) == (([3], [2]), 0, 0)
    room.figure("K", 1)
    room.figure("K", 5, place="st")
    assert (sum(waiting(room)[0]), waiting(room)[1], room.free("K")) == (5, [], 1)


def test_a_delivery_that_did_not_come_is_promised_to_nobody_and_listed(
    room_on_each: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: its day is past, so no buyer is told of it; a person sees it among the faults."""
    room = room_on_each()
    promising(room, monkeypatch)
    room.figure("K", 0, **comes(20, today() - timedelta(days=3)))
    assert room.told("K") == 0
    assert any("announced for a day that is past" in sentence for sentence in faults(room.house))

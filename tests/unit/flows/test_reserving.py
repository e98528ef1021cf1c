"""What orders take from stock and when a figure contains it, on both databases, whatever the figure means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.unit.flows.stockroom import Rooms, Stockroom


def sold(room: Stockroom, units: int = 2) -> None:
    """The shop sold so many kettles, and the ERP knows of it."""
    room.order("1", {"K": units})
    room.bind("erp", "1", "S1")


def erp(room: Stockroom, state: str, units: int = 2) -> None:
    room.order("S1", {"K": units}, channel="erp", state=state)


def ship(room: Stockroom, units: int | None = None, number: str = "L1", **more: Any) -> None:
    lines = None if units is None else [{"line": "1", "n": str(units)}]
    room.take("erp", "shipments", {"id": number, "order": "S1", "lines": lines, **more})


def test_of_ten_two_are_sold_and_eight_are_free_at_every_stage_of_a_figure_of_what_is_available(
    room_on_each: Rooms,
) -> None:
    """P8, pain 2: an ERP that takes an order off its figure when it confirms it: never eight less two, never ten."""
    room = room_on_each(kind="available")
    sold(room)
    assert room.free("K") == 8
    asked_before = room.now()
    erp(room, "confirmed")
    assert room.free("K") == 8
    room.figure("K", 8, at=asked_before)
    assert room.free("K") == 6, "the request began before we saw the confirmation: two are hidden, none is sold twice"
    room.figure("K", 8)
    assert room.free("K") == 8
    assert room.promised("K") == []
    ship(room)
    room.figure("K", 8)
    assert room.free("K") == 8


def test_a_figure_of_what_is_on_hand_contains_the_order_only_once_its_goods_have_gone(room_on_each: Rooms) -> None:
    """P8: the confirmation changes nothing in it, the shipment does, and the shop's own word says nothing of it."""
    room = room_on_each(kind="on_hand")
    sold(room)
    erp(room, "confirmed")
    room.figure("K", 10)
    assert (room.free("K"), room.promised("K")) == (8, [2])
    room.order("1", {"K": 2}, state="shipped")
    room.figure("K", 10)
    assert (room.free("K"), room.promised("K")) == (8, [2])
    before = room.now()
    ship(room)
    room.figure("K", 10, at=before)
    assert room.free("K") == 8
    room.figure("K", 8)
    assert (room.free("K"), room.promised("K")) == (8, [])


def test_own_open_orders_that_a_figure_leaves_out_are_taken_off_until_they_go(room: Rooms) -> None:
    """P8: `available_before_own_open_orders` is without what others hold and with what we sold."""
    shop = room(kind="available_before_own_open_orders")
    sold(shop)
    erp(shop, "confirmed")
    shop.figure("K", 9)
    assert shop.free("K") == 7, "one is held by somebody else, two by us"
    ship(shop)
    shop.figure("K", 7)
    assert (shop.free("K"), shop.promised("K")) == (7, [])


def test_what_the_erp_allocated_to_an_order_is_not_reserved_for_it_once_more(room_on_each: Rooms) -> None:
    """P8: on hand 10, allocated 2 for our order: eight, not six; and after it went: on hand 8, allocated 0: eight."""
    room = room_on_each(sources="{figure: on_hand, restocks: source, allocates: true}")
    sold(room)
    room.figure("K", 10, allocated="0")
    assert room.free("K") == 8
    erp(room, "confirmed")
    room.figure("K", 10, allocated="2")
    assert (room.free("K"), room.promised("K")) == (8, [])
    ship(room)
    room.figure("K", 8, allocated="0")
    assert room.free("K") == 8


def test_a_part_that_went_ends_with_its_figure_and_the_rest_stays_promised(room_on_each: Rooms) -> None:
    """P8, pain 19: three sold, one sent, told twice: two are promised and ten less three are free all the time."""
    room = room_on_each()
    sold(room, 3)
    erp(room, "confirmed", 3)
    for _ in range(2):
        ship(room, 1)
        assert room.free("K") == 7
    room.figure("K", 9)
    assert (room.free("K"), room.promised("K")) == (7, [2])
    ship(room, 2, "L2")
    room.figure("K", 7)
    assert (room.free("K"), room.promised("K")) == (7, [])


def test_a_buyer_who_cancels_frees_nothing_before_the_erp_that_may_have_sent_it_says_so(room_on_each: Rooms) -> None:
    """P8: the parcel may be on its way already, and we not have heard of it."""
    room = room_on_each()
    sold(room)
    erp(room, "confirmed")
    room.order("1", {"K": 2}, state="cancelled")
    assert room.free("K") == 8
    erp(room, "cancelled")
    assert (room.free("K"), room.promised("K")) == (10, [])


def test_an_order_that_no_erp_knows_is_free_again_at_once(room: Rooms) -> None:
    """P2: and cancelled twice it is not free twice."""
    shop = room()
    shop.order("1", {"K": 2})
    for _ in range(2):
        shop.order("1", {"K": 2}, state="cancelled")
        assert (shop.free("K"), shop.promised("K")) == (10, [])


def test_where_the_erp_does_not_restock_the_units_are_given_back_until_a_count(room_on_each: Rooms) -> None:
    """P8: its figure stays at eight for ever; two are free beside it, until somebody counts ten."""
    room = room_on_each(sources="{figure: available, restocks: serai}", kind="available")
    sold(room)
    erp(room, "confirmed")
    room.figure("K", 8)
    erp(room, "cancelled")
    assert room.free("K") == 10
    erp(room, "cancelled")
    room.figure("K", 8)
    assert room.free("K") == 10
    at = room.now() + timedelta(seconds=1)
    room.figure("K", 10, count={"at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "state": "done"})
    assert room.free("K") == 10


def test_an_edit_takes_and_gives_back_only_the_difference(room: Rooms) -> None:
    """P2, pain 18: more of a line, another line, a cancelled unit, a line removed."""
    shop = room(items=({"code": "K"}, {"code": "T"}))
    shop.order("1", {"K": 2})
    shop.order("1", {"K": 3, "T": 1})
    assert (shop.free("K"), shop.free("T")) == (7, 9)
    shop.order("1", {"K": {"n": "3", "cancelled": "2"}, "T": 1})
    assert (shop.free("K"), shop.free("T")) == (9, 9)
    shop.order("1", {"K": {"n": "3", "cancelled": "2"}})
    assert (shop.free("K"), shop.free("T")) == (9, 10)


def test_more_of_a_line_that_a_figure_already_contains_is_promised_beside_it(room: Rooms) -> None:
    """P8: the ERP's figure holds the two it confirmed, not the third that was added since."""
    shop = room(kind="available")
    sold(shop)
    erp(shop, "confirmed")
    shop.figure("K", 8)
    shop.order("1", {"K": 3})
    assert (shop.free("K"), shop.promised("K")) == (7, [1])


def test_what_the_channel_fulfils_itself_takes_nothing_of_ours(room: Rooms) -> None:
    """P8: a marketplace that sends from its own warehouse."""
    shop = room()
    shop.order("1", {"K": {"n": "2", "by": "channel"}})
    shop.order("2", {"K": 3}, location="fba")
    assert (shop.free("K"), shop.promised("K")) == (10, [])


def test_what_a_channel_holds_is_known_and_not_pooled(room: Rooms) -> None:
    """P8: it can be sold there only, by whom holds it."""
    shop = room()
    shop.figure("K", 40, place="fba")
    pool = shop.pool("K")
    assert shop.free("K") == 10
    assert {(one.code, int(one.held.quantity), one.pooled, one.held_by) for one in pool.standings} == {
        ("wh", 10, True, "us"), ("fba", 40, False, "channel"),
    }


def test_less_than_nothing_at_a_place_is_taken_off_the_others_and_told(room: Rooms) -> None:
    """P8: the ERP says −3 at the store: seven of the warehouse's ten are free, and it is listed as a fault."""
    shop = room()
    shop.figure("K", -3, place="st")
    assert (shop.free("K"), shop.told("K")) == (7, 7)
    (fault,) = [sentence for one in shop.pool("K").standings for sentence in one.faults]
    assert fault.startswith("K at st: -3 each on_hand")


# ── bundles ──────────────────────────────────────────────────────────────────────────────────────────────────────────
PARTS = [{"item": "cup", "n": "4"}, {"item": "pot", "n": "1"}]
SET = ({"code": "cup"}, {"code": "pot"}, {"code": "set", "parts": PARTS})


def test_a_sale_of_a_bundle_takes_its_parts_and_a_sale_of_a_part_takes_bundles(room_on_each: Rooms) -> None:
    """P8, pain 20: min over parts, ten cups make two sets; a set takes four cups and a pot."""
    room = room_on_each(items=SET)
    assert [room.free(name) for name in ("set", "cup", "pot")] == [2, 10, 10]
    assert [room.told(name) for name in ("set", "cup", "pot")] == [2, 10, 10]
    room.order("1", {"set": 1})
    assert [room.free(name) for name in ("set", "cup", "pot")] == [1, 6, 9]
    room.order("2", {"cup": 3})
    assert [room.told(name) for name in ("set", "cup", "pot")] == [0, 3, 9]
    room.order("1", {"set": 1}, state="cancelled")
    assert [room.free(name) for name in ("set", "cup", "pot")] == [1, 7, 10]


def test_a_bundle_sent_in_parts_ends_part_by_part(room: Rooms) -> None:
    """P8: of two sets one went: four cups and a pot, in the next figure."""
    shop = room(items=SET)
    shop.order("1", {"set": 2})
    shop.bind("erp", "1", "S1")
    shop.order("S1", {"set": 2}, channel="erp", state="confirmed")
    ship(shop, 1)
    assert sorted(shop.promised("cup")) == [4, 4]
    shop.figure("cup", 6)
    assert (shop.free("cup"), shop.promised("cup"), shop.promised("pot")) == (2, [4], [1, 1])


def test_a_change_of_a_part_makes_its_bundles_due_everywhere(room_on_each: Rooms) -> None:
    """P8: who lists the set hears of the cups."""
    from registry import outbox_rows

    room = room_on_each(items=SET)
    room.figure("cup", 3)
    with room.house.registry.read() as tx:
        due = {row.uid for row in outbox_rows(tx, "shop") if row.entity == "stock"}
    assert {room.uid("cup"), room.uid("set")} <= due
    assert room.free("set") == 0

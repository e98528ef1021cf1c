"""Tills, shifts, counts and silent sources: which figures count, and what is said about those that do not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from flows.silence import listen
from registry import Registry, Tx, close_outbox, outbox_rows, save_cursor
from tests.unit.flows.stockroom import Rooms, Stockroom, moment

ALWAYS = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "23:59"}]


def sell(room: Stockroom, number: str, units: int, at: datetime | None = None, register: str = "1") -> None:
    """The till of the store sold kettles at a moment."""
    more = {} if at is None else {"at": moment(at)}
    room.order(number, {"K": units}, channel="till", state="delivered", location="st", handed_over=True,
               shift={"register": register}, **more)


def shift(room: Stockroom, since: datetime, until: datetime, units: int, register: str = "1") -> None:
    """The ERP has the shift's document."""
    room.order("Z1", {"K": units}, channel="erp", state="delivered", location="st", handed_over=True,
               shift={"register": register, "since": moment(since), "until": moment(until)})


def due(room: Stockroom, channel: str = "shop", entity: str = "stock") -> set[str]:
    with room.house.registry.read() as tx:
        return {row.uid for row in outbox_rows(tx, channel, entity)}


# ── tills ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_receipts_count_until_the_document_of_their_shift_is_seen_and_the_figure_read_after_it(
    room_on_each: Rooms,
) -> None:
    """P8: a till that posts by the shift: the store's figure holds nothing of the day until the evening."""
    room = room_on_each(pos="{posts_to_erp: per_shift}")
    room.figure("K", 5, place="st")
    sell(room, "R1", 2)
    sell(room, "R2", 1, register="2")
    room.figure("K", 5, place="st")
    assert room.free("K") == 10 + 5 - 3
    before = room.now()
    shift(room, room.began - timedelta(hours=1), room.began + timedelta(hours=1), 2)
    assert room.free("K") == 12, "the document itself takes nothing once more"
    room.figure("K", 3, place="st", at=before)
    assert room.free("K") == 10, "asked for before the document was seen: two are hidden, none is sold twice"
    room.figure("K", 3, place="st")
    assert (room.free("K"), room.promised("K")) == (12, [1])


def test_a_receipt_that_comes_after_its_shifts_document_is_a_past_sale(room_on_each: Rooms) -> None:
    """P8: a till that was offline: what it sold in the shift is in the figures that were read since."""
    room = room_on_each(pos="{posts_to_erp: per_shift}")
    shift(room, room.began - timedelta(hours=1), room.began + timedelta(hours=1), 2)
    room.figure("K", 3, place="st")
    sell(room, "R1", 2)
    sell(room, "R2", 1, at=room.began + timedelta(hours=2))
    room.figure("K", 3, place="st")
    assert (room.free("K"), room.promised("K")) == (12, [1])


@pytest.mark.parametrize(("how", "told"), [("per_receipt", True), ("per_shift", False), ("never", False)])
def test_who_posts_its_receipts_itself_has_none_posted_by_us(room: Rooms, how: str, told: bool) -> None:
    """P2: a sale that the till brings into the ERP is not brought there a second time."""
    shop = room(pos=f"{{posts_to_erp: {how}}}", erp_receives="receives: [order], ")
    sell(shop, "R1", 1)
    shop.order("1", {"K": 1})
    assert len(due(shop, "erp", "order")) == 1 + told


def test_a_till_that_never_posts_counts_until_somebody_counts(room: Rooms) -> None:
    """P8: the ERP's figure never falls by itself; a count holds what was sold until its moment, and no more."""
    shop = room(pos="{posts_to_erp: never}")
    shop.figure("K", 5, place="st")
    sell(shop, "R1", 2)
    later = shop.began + timedelta(minutes=3)
    sell(shop, "R2", 1, at=later)
    shop.figure("K", 5, place="st")
    assert shop.free("K") == 12
    at = shop.began + timedelta(minutes=1)
    for _ in range(2):
        shop.figure("K", 3, place="st", count={"at": moment(at), "state": "done"})
        assert (shop.free("K"), shop.promised("K")) == (12, [1])


# ── counts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("rule", "while_counting"), [("freeze", 15), ("lower", 12), ("leave_out", 10)])
def test_half_a_count_is_frozen_lowered_or_left_out(room: Rooms, rule: str, while_counting: int) -> None:
    """P8: two of the five at the store are counted so far; when it is done, what was found counts."""
    shop = room(sources=f"{{figure: on_hand, restocks: source, counting: {rule}}}")
    shop.figure("K", 5, place="st")
    at = moment(shop.now())
    for found in (1, 2):
        shop.figure("K", found, place="st", count={"at": at, "state": "counting"})
    assert shop.free("K") == while_counting
    assert "st is being counted" in shop.pool("K").because[0]
    shop.figure("K", 4, place="st", count={"at": at, "state": "done"})
    assert (shop.free("K"), shop.pool("K").because) == (14, [])


def test_what_was_sold_before_a_count_is_in_it_and_what_was_sold_after_comes_on_top(room_on_each: Rooms) -> None:
    """P8: the count of noon is read at three; the sale of eleven was told at one, that of two at half past two."""
    room = room_on_each()
    room.figure("K", 5, place="st")
    noon = room.began + timedelta(minutes=2)
    sell(room, "R1", 2, at=noon - timedelta(minutes=1))
    sell(room, "R2", 1, at=noon + timedelta(minutes=1))
    room.figure("K", 3, place="st", count={"at": moment(noon), "state": "done"})
    assert (room.free("K"), room.promised("K")) == (12, [1])


# ── silence ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the registry's clock."""
    ahead = timedelta(0)
    now = Registry.now

    def move(by: timedelta) -> None:
        nonlocal ahead
        ahead += by

    monkeypatch.setattr(Registry, "now", lambda self: now(self) + ahead)
    return move


def read_once(room: Stockroom) -> None:
    """The ERP's stock was read as a pull reads it."""
    def work(tx: Tx) -> None:
        save_cursor(tx, "erp", "stock", "live", {"at": None, "taken": ["stock"], "whole": True}, room.now())
        close_outbox(tx, [row.id for row in outbox_rows(tx)])

    room.house.registry.attempt(work)


@pytest.mark.parametrize(("rule", "shown"), [("keep", 10), ("minus_expected_sales", 8), ("zero", 0)])
def test_stock_of_a_source_that_fell_silent_is_kept_lowered_or_not_shown_and_the_reason_told(
    room: Rooms, later: Callable[[timedelta], None], rule: str, shown: int
) -> None:
    """P8: forty-two sold in a week are one in four hours; after eight hours without a word two are missing."""
    shop = room(sources=f"{{figure: on_hand, restocks: source, fresh: 1h, dead_after: 4, dead: {rule}}}")
    shop.figure("K", 52)
    shop.order("1", {"K": 42})
    read_once(shop)
    assert (shop.free("K"), listen(shop.house), due(shop)) == (10, [], set())
    later(timedelta(hours=4, minutes=1) if rule != "minus_expected_sales" else timedelta(hours=7, minutes=59))
    (sentence,) = listen(shop.house)
    assert "erp has not been read for more than 4 h" in sentence
    assert listen(shop.house) == []
    assert shop.free("K") == shown
    assert shop.pool("K").because[0].startswith("erp has said nothing for ")
    assert (due(shop) == set()) is (rule == "keep")
    read_once(shop)
    assert listen(shop.house) == ["erp speaks again"]
    assert (shop.free("K"), shop.pool("K").because) == (10, [])


def test_a_register_that_says_nothing_while_its_store_is_open_takes_the_store_off_the_shop(
    room_on_each: Rooms, later: Callable[[timedelta], None]
) -> None:
    """P8: what it sells meanwhile is unknown: by policy the store's five are not shown until it speaks."""
    room = room_on_each(pos="{posts_to_erp: per_receipt, silent_after: 3h, silent: zero}",
                        store={"hours": ALWAYS, "zone": "UTC"})
    room.figure("K", 6, place="st")
    sell(room, "R1", 1)
    assert (room.free("K"), listen(room.house)) == (15, [])
    later(timedelta(hours=4))
    (sentence,) = listen(room.house)
    assert "till says nothing of " in sentence
    assert room.free("K") == 10
    assert room.uid("K") in due(room)
    sell(room, "R2", 1, at=room.now())
    assert len(listen(room.house)) == 1
    assert room.free("K") == 14


def test_what_is_sold_beyond_a_silent_stores_figure_is_kept_free_at_the_warehouse_and_no_more(
    room_on_each: Rooms, later: Callable[[timedelta], None]
) -> None:
    """P8: the store has two, three were sold there: one is sent from the warehouse, also while its figure is hidden."""
    room = room_on_each(pos="{posts_to_erp: per_receipt, silent_after: 3h, silent: zero}",
                        store={"hours": ALWAYS, "zone": "UTC"})
    room.figure("K", 2, place="st")
    sell(room, "R1", 3)
    assert (room.told("K"), room.free("K")) == (9, 9)
    later(timedelta(hours=4))
    assert len(listen(room.house)) == 1
    assert (room.told("K"), room.free("K")) == (9, 9)


def test_what_is_sold_where_nothing_was_ever_counted_is_kept_free_at_the_warehouse(room_on_each: Rooms) -> None:
    """P8: a store whose figure was never told sold one: the shop shows nine of the ten."""
    room = room_on_each()
    sell(room, "R1", 1)
    assert (room.told("K"), room.free("K")) == (9, 9)

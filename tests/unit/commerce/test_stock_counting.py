"""Nothing is subtracted twice, and nothing zero times: when a figure contains an order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.stock.counting import KINDS, Promise, Reading, contains, ends_when_cancelled, gives_back

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def at(tick: int) -> datetime:
    return START + timedelta(seconds=tick)


@dataclass(kw_only=True)
class Sale:
    """One order in the world, and what Serai has heard of it."""

    units: int
    confirmed: bool = False
    gone: bool = False
    unwanted: bool = False
    cancelled: bool = False
    heard: Promise = field(default_factory=Promise)
    ended: bool = False
    given_back: int = 0


@dataclass(kw_only=True)
class World:
    """A source with a figure of one kind, and Serai, which hears of things late: the oracle and the rule side by side.

    ``asked`` holds requests under way: when each began, and the figure that the source computed for it, if it did.
    """

    kind: str
    allocated: bool
    restocks: str = "source"
    there: int = 100
    tick: int = 0
    sales: list[Sale] = field(default_factory=list)
    asked: list[tuple[int, int | None]] = field(default_factory=list)
    known: int = 100
    known_since: int = -1
    lost: int = 0

    def figure(self) -> int:
        """What the source computes now; with ``allocated`` Serai takes that part off itself: the same sum."""
        taken = sum(s.units for s in self.sales if s.confirmed and not s.gone and not s.cancelled)
        if self.kind == "available" or (self.kind == "on_hand" and self.allocated):
            return self.there - taken - self.lost
        return self.there

    def shown(self) -> int:
        """What Serai shows."""
        return self.known - sum(s.units for s in self.sales if not s.ended) + sum(s.given_back for s in self.sales)

    def free(self) -> int:
        """The truth: what is there and promised to nobody that Serai has accepted."""
        return self.there - sum(s.units for s in self.sales if not s.gone and not s.unwanted)

    def step(self, act: str, which: int) -> None:
        """One thing happens; what cannot happen now does not."""
        self.tick += 1
        sale = self.sales[which % len(self.sales)] if self.sales else None
        if act == "order":
            self.sales.append(Sale(units=1 + which % 3))
        elif act == "ask":
            self.asked.append((self.tick, None))
        elif act == "compute":
            waiting = [n for n, (_, figure) in enumerate(self.asked) if figure is None]
            if waiting:
                n = waiting[which % len(waiting)]
                self.asked[n] = (self.asked[n][0], self.figure())
        elif act == "arrive":
            self.arrive(which)
        elif sale is not None:
            self.of_sale(act, sale)

    def arrive(self, which: int) -> None:
        """A figure is read; one that was asked for before what we know is stale (P5)."""
        done = [one for one in self.asked if one[1] is not None]
        if not done:
            return
        one = done[which % len(done)]
        self.asked.remove(one)
        began, figure = one
        if began < self.known_since or figure is None:
            return
        self.known, self.known_since = figure, began
        reading = Reading(kind=self.kind, began_at=at(began), allocated=self.allocated)
        for sale in self.sales:
            sale.ended = sale.ended or contains(reading, sale.heard)

    def of_sale(self, act: str, sale: Sale) -> None:
        if act == "confirm" and not sale.cancelled:
            sale.confirmed = True
        elif act == "hear_confirmed" and sale.confirmed and sale.heard.taken_at is None:
            sale.heard = replace(sale.heard, taken_at=at(self.tick))
        elif act == "ship" and sale.confirmed and not sale.cancelled and not sale.gone:
            sale.gone = True
            self.there -= sale.units
        elif act == "hear_shipped" and sale.gone and sale.heard.posted_at is None:
            sale.heard = replace(sale.heard, posted_at=at(self.tick), moved_at=at(self.tick))
        elif act == "buyer_cancels" and not sale.unwanted:
            sale.unwanted = True                                    # in the shop; Serai hears of it at once
            if ends_when_cancelled(sale.heard, by_source=False, known_there=sale.confirmed):
                sale.ended = sale.cancelled = True                  # and never tells the source of the order
        elif act == "cancel" and sale.unwanted and sale.confirmed and not sale.cancelled and not sale.gone:
            sale.cancelled = True
            if self.restocks == "serai" and self.figure_was_lowered():
                self.lost += sale.units
        elif act == "hear_cancelled" and sale.cancelled and sale.confirmed and sale.given_back == 0:
            if gives_back(self.kind, allocated=self.allocated, restocks=self.restocks):
                sale.given_back = sale.units
            elif ends_when_cancelled(sale.heard, by_source=True, known_there=True):
                sale.ended = True

    def figure_was_lowered(self) -> bool:
        return self.kind == "available" or (self.kind == "on_hand" and self.allocated)

    def quiet(self) -> None:
        """Everything that happened is heard of, and the figure is asked for once more."""
        self.asked.clear()
        for n, sale in enumerate(self.sales):
            for act in ("hear_confirmed", "hear_shipped", "cancel", "hear_cancelled"):
                self.step(act, n)
            assert sale.heard.taken_at is not None or not sale.confirmed
        for act in ("ask", "compute", "arrive"):
            self.step(act, 0)


CHAINS = (("confirm", "hear_confirmed"), ("ship", "hear_shipped"), ("ask", "compute", "arrive"),
          ("buyer_cancels", "cancel and hear_cancelled"))
SOURCES = [(kind, False) for kind in KINDS] + [("on_hand", True)]


def interleavings(left: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, ...]]:
    """Every order in which the chains can be woven into each other."""
    if not any(left):
        yield ()
    for n, chain in enumerate(left):
        if chain:
            for rest in interleavings((*left[:n], chain[1:], *left[n + 1:])):
                yield (chain[0], *rest)


@pytest.mark.parametrize(
    ("kind", "allocated", "restocks", "chains"),
    [
        *((kind, allocated, "source", CHAINS[:3]) for kind, allocated in SOURCES),
        ("on_hand", False, "source", CHAINS), ("available", False, "source", CHAINS),
        ("available", False, "serai", CHAINS),
    ],
)
def test_in_no_order_of_events_is_a_promised_unit_shown_or_one_hidden_in_the_end(
    kind: str, allocated: bool, restocks: str, chains: tuple[tuple[str, ...], ...]
) -> None:
    """P8: every interleaving of confirmation, shipment, cancellation, what we hear of them and a figure under way:
    never more than is free at any moment, and exactly that once all is heard and the figure is read again.
    """
    seen = 0
    for events in interleavings(chains):
        world = World(kind=kind, allocated=allocated, restocks=restocks)
        world.step("order", 1)
        for acts in events:
            for act in acts.split(" and "):
                world.step(act, 0)
            assert world.shown() <= world.free(), (acts, events)
        world.quiet()
        assert world.shown() == world.free(), events
        seen += 1
    assert seen == (7560 if len(chains) == 4 else 210)


ACTS = ("order", "cancel", "hear_cancelled", *(act for chain in CHAINS for act in chain if " " not in act))


@given(st.sampled_from(SOURCES), st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 5)), max_size=40))
@settings(max_examples=200)
def test_many_orders_and_requests_at_once_show_no_promised_unit_and_hide_none_in_the_end(
    source: tuple[str, bool], steps: list[tuple[str, int]]
) -> None:
    """P8: the same with several orders and several requests under way, also such as arrive in another order."""
    world = World(kind=source[0], allocated=source[1])
    for act, which in steps:
        world.step(act, which)
        assert world.shown() <= world.free(), f"shown {world.shown()}, free {world.free()}"
    world.quiet()
    assert world.shown() == world.free()


@pytest.mark.parametrize(
    ("kind", "allocated", "before", "after"),
    [("on_hand", False, 8, 8), ("on_hand", True, 8, 8), ("available", False, 8, 8),
     ("available_before_own_open_orders", False, 8, 8)],
)
def test_two_of_ten_are_sold_and_eight_are_shown_at_every_stage(
    kind: str, allocated: bool, before: int, after: int
) -> None:
    """P8, pain 2: exactly ATP − 2, never ATP − 4, whatever the figure means."""
    world = World(kind=kind, allocated=allocated, there=10, known=10)
    world.step("order", 1)
    assert world.shown() == before
    for act in ("confirm", "hear_confirmed", "ask", "compute", "arrive"):
        world.step(act, 0)
        assert world.shown() == before
    for act in ("ship", "hear_shipped", "ask", "compute", "arrive"):
        world.step(act, 0)
        assert world.shown() == after


def test_a_figure_that_was_asked_for_before_we_saw_the_event_contains_nothing_of_it() -> None:
    seen = Promise(taken_at=at(10), posted_at=at(20), moved_at=at(15))
    assert not contains(Reading(kind="available", began_at=at(10)), seen)
    assert contains(Reading(kind="available", began_at=at(11)), seen)
    assert not contains(Reading(kind="on_hand", began_at=at(20)), seen)
    assert contains(Reading(kind="on_hand", began_at=at(21)), seen)
    assert contains(Reading(kind="on_hand", began_at=at(11), allocated=True), seen)
    assert not contains(Reading(kind="available_before_own_open_orders", began_at=at(11)), seen)
    assert contains(Reading(kind="available", began_at=at(21)), Promise(posted_at=at(20)))


def test_a_count_contains_what_moved_until_its_moment_whenever_we_heard_of_it() -> None:
    """What was sold at ten past nine is in the count of half past nine, though the till told it at ten; what was sold
    at twenty to ten comes on top, though the count was read at noon."""
    count = Reading(kind="on_hand", began_at=at(9000), counted_at=at(1800))
    assert contains(count, Promise(posted_at=at(3600), moved_at=at(600)))
    assert contains(count, Promise(moved_at=at(1800)))
    assert not contains(count, Promise(posted_at=at(2500), moved_at=at(2400)))
    assert not contains(count, Promise(taken_at=at(1))), "promised and not gone: it lay there and was counted"


def test_a_cancellation_frees_nothing_that_has_gone_and_waits_for_the_word_of_a_source_that_knows_the_order() -> None:
    gone = Promise(posted_at=at(1))
    assert not ends_when_cancelled(gone, by_source=True, known_there=True)
    assert not ends_when_cancelled(Promise(taken_at=at(1)), by_source=False, known_there=True)
    assert ends_when_cancelled(Promise(), by_source=False, known_there=False)
    assert ends_when_cancelled(Promise(), by_source=True, known_there=True)

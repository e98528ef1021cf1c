"""The escrow of hard allocation in every interleaving of a small world: nothing is oversold, and each rule is needed.

``SERAI_TEST_MODEL=full`` also searches the larger scopes (minutes): ``make model``.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from mappings.commerce.stock import counting
from mappings.commerce.stock.escrow import Raises
from tests.model import places_world
from tests.model.escrow_world import Rules, World, moves, oversold, starts
from tests.model.places_world import Shops
from tests.model.search import Found, search

Kind = tuple[Raises, int]
COMPARES: Kind = ("compare", 1)
BY_ZERO: Kind = ("zero", 1)
BUNDLE: Kind = ("compare", 2)
IN_TWOS: Kind = ("compare", 2)
IN_TWOS_BY_ZERO: Kind = ("zero", 2)


def quiet(*listings: Kind, units: int) -> Rules:
    """Only buyers, channels and Serai: sales, writes, lost writes and lost answers, reading."""
    return Rules(listings=listings, units=units, erp=False, regrets=0, expires=False, late=False)


FULL = os.environ.get("SERAI_TEST_MODEL") == "full"


def explored(rules: Rules) -> Found[World]:
    """The search, with what it took for whoever runs it with ``-s``."""
    found = search(starts(rules), lambda world: moves(world, rules), lambda world: oversold(world, rules))
    print(f"{found.states} states, {found.steps} steps")
    return found


SCOPES = {
    "three channels that compare": quiet(COMPARES, COMPARES, COMPARES, units=3),
    "one compares, one goes by zero": quiet(COMPARES, BY_ZERO, units=2),
    "both go by zero": quiet(BY_ZERO, BY_ZERO, units=2),
    "an article and a bundle of two of it": quiet(COMPARES, BUNDLE, units=3),
    "goods sold in steps of two, of which up to four are there": replace(
        quiet(IN_TWOS, IN_TWOS_BY_ZERO, units=4), step=2
    ),
    "writes arrive late, buyers cancel, orders expire": Rules(listings=(COMPARES, COMPARES), units=1, erp=False),
    "late writes by zero": Rules(listings=(BY_ZERO, BY_ZERO), units=1, erp=False, regrets=0),
    "the ERP takes, ships, posts and counts": Rules(
        listings=(COMPARES, COMPARES), units=1, deliveries=1, regrets=0, late=False
    ),
}
LARGER = {
    "goods sold in steps of two, of which up to five are there": replace(
        quiet(IN_TWOS, IN_TWOS_BY_ZERO, units=5), step=2
    ),
    "goods sold in steps, taken, shipped, posted and counted": Rules(
        listings=(IN_TWOS, IN_TWOS), units=3, step=2, deliveries=1, regrets=0, late=False
    ),
    "two that compare, buyers who cancel, an ERP": Rules(
        listings=(COMPARES, COMPARES), units=1, deliveries=1, late=False
    ),
    "two that compare, three units, late": replace(quiet(COMPARES, COMPARES, units=3), late=True),
    "one of each, three units": quiet(COMPARES, BY_ZERO, units=3),
    "one of each, everything but the ERP": Rules(listings=(COMPARES, BY_ZERO), units=1, erp=False, regrets=2),
    "both by zero, three units": quiet(BY_ZERO, BY_ZERO, units=3),
    "three of all kinds": quiet(COMPARES, BY_ZERO, BUNDLE, units=2),
}


@pytest.mark.parametrize("scope", [*SCOPES, *(LARGER if FULL else ())])
def test_nothing_is_oversold_in_any_interleaving(scope: str) -> None:
    """P8: 0 oversold, whatever figures Serai aims at and whenever it does what."""
    found = explored({**SCOPES, **LARGER}[scope])
    assert found.trace is None
    assert found.states > 1_000


PAIR = Rules(listings=(COMPARES, COMPARES), units=2, late=False)


def without(rules: Rules) -> list[str]:
    """The shortest way to an oversell under these rules."""
    trace = explored(rules).trace
    assert trace is not None, "a rule that can be left out is none"
    return trace


def test_without_comparison_five_steps_oversell() -> None:
    """P8: an absolute write puts a unit back on show that was sold and not read yet."""
    trace = without(replace(PAIR, compares=False))
    assert len(trace) == 5
    assert trace.count("a sale") == 3


def test_raising_before_the_lowering_is_confirmed_oversells_in_five_steps() -> None:
    """P8: the lowered channel sells once more before it hears of it."""
    trace = without(replace(PAIR, lowers_first=False))
    assert len(trace) == 5
    assert sum(step.endswith("is sent") for step in trace) == 2


def test_setting_free_at_the_erps_acknowledgement_oversells_in_seven_steps() -> None:
    """P8: the goods are still on hand when the ERP has taken the order: its figure does not contain it yet."""
    trace = without(replace(PAIR, units=1, kind=counting.AVAILABLE))
    assert len(trace) == 7
    assert trace[:4] == ["a sale", "a sale is read", "the ERP takes the order", "the ERP's stock is read"]


def test_selling_what_is_left_of_a_step_oversells() -> None:
    """P8: one is there and two are sold at a time: no step of it may be told to anybody."""
    trace = without(replace(quiet(IN_TWOS, IN_TWOS, units=3), step=2, sells_rests=True))
    assert trace == ["1 is sent", "1 arrives and is confirmed", "a sale"]


@pytest.mark.parametrize("listing", [COMPARES, BY_ZERO])
def test_taking_an_unanswered_write_as_not_carried_out_oversells(listing: Kind) -> None:
    """P3, P8: what is unknown counts at the larger figure."""
    trace = without(replace(PAIR, units=1, listings=(listing, listing), counts_unknown=False))
    assert len(trace) == 6
    assert "1 arrives, the answer is lost" in trace


def test_raising_from_zero_without_the_orders_up_to_then_oversells() -> None:
    """P8: zero → read the orders past that moment → raise; without the middle a sale of before counts twice."""
    trace = without(replace(PAIR, units=1, listings=(BY_ZERO, BY_ZERO), reads_orders=False))
    assert len(trace) == 6
    assert "zero is shown: the orders are taken as read" in trace


def test_believing_an_overtaken_answer_of_the_erp_oversells() -> None:
    """P5, P8: a stock figure asked for before the shipment brings the goods back after its reservation has ended."""
    trace = without(replace(PAIR, units=1, drops_stale=False, regrets=0, expires=False))
    assert len(trace) == 11
    assert trace.index("the ERP's stock is read") < trace.index("the ERP's answer arrives")


# ── goods in several places ──────────────────────────────────────────────────────────────────────────────────────────

STORE_AND_ALL = Shops(listings=(("compare", "a"), ("compare", "ba")), there=(("a", 1), ("b", 1)))
"""A channel with a figure of its own for the store a, beside one that sells from a and b."""
UNSAID = Shops(
    listings=(("compare", "a"), ("compare", "b")), there=(("a", 1), ("b", 1)), channels=("ab",), routed=False,
    names_listing=False,
)
"""One channel with a figure per place whose orders do not say what was sold at which."""
SHOPS = {
    "one place beside all, routed": STORE_AND_ALL,
    "one place beside all, nobody routes": replace(STORE_AND_ALL, routed=False),
    "one place beside all, by zero": replace(
        STORE_AND_ALL, listings=(("zero", "a"), ("compare", "ba")), there=(("a", 1), ("b", 1)), routed=False
    ),
    "orders that do not say where": UNSAID,
}
LARGER_SHOPS = {
    "two figures per place and one of all": Shops(
        listings=(("compare", "a"), ("compare", "b"), ("compare", "ab")), there=(("a", 1), ("b", 1))
    ),
    "sets that overlap": Shops(
        listings=(("compare", "a"), ("compare", "ab"), ("compare", "bc")), there=(("a", 1), ("b", 1), ("c", 1)),
        routed=False,
    ),
}


def played(shops: Shops) -> Found[places_world.World]:
    """The search among shops."""
    found = search(
        places_world.starts(shops), lambda world: places_world.moves(world, shops),
        lambda world: places_world.oversold(world, shops),
    )
    print(f"{found.states} states, {found.steps} steps")
    return found


@pytest.mark.parametrize("scope", [*SHOPS, *(LARGER_SHOPS if FULL else ())])
def test_nothing_is_oversold_at_any_place(scope: str) -> None:
    """P8: each unit that is sold has a unit of its own, at a place from which its channel sells."""
    found = played({**SHOPS, **LARGER_SHOPS}[scope])
    assert found.trace is None
    assert found.states > 500


def broken(shops: Shops) -> list[str]:
    """The shortest way to an oversell among these shops."""
    trace = played(shops).trace
    assert trace is not None, "a rule that can be left out is none"
    return trace


def test_without_the_place_of_goods_four_steps_oversell() -> None:
    """P8: the sum over all places fits, and the store sells what lies in the warehouse."""
    assert broken(replace(STORE_AND_ALL, by_place=False)) == [
        "a: 2 is sent", "a: 2 arrives and is confirmed", "a: a sale", "a: a sale",
    ]


def test_an_order_sent_from_where_another_may_still_sell_oversells_in_four_steps() -> None:
    """P8: routing takes the store's last piece for an order that the warehouse could serve."""
    trace = broken(replace(STORE_AND_ALL, keeps_pledges=False))
    assert len(trace) == 4
    assert trace[-1] == "ba: an order goes to a"


def test_without_the_places_of_a_channel_together_orders_that_name_none_oversell_in_seven_steps() -> None:
    """P8: nobody knows which of its figures an order took, so the sum of them is reckoned with as well."""
    trace = broken(replace(UNSAID, counts_channels=False))
    assert len(trace) == 7
    assert trace.count("a: a sale") + trace.count("b: a sale") == 3

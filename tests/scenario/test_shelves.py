"""Hard allocation with a figure per place, under fire: buyers in shops and stores, faults, deaths of the worker.

What surprises here: the tills' shelves compare nothing and go by zero and their receipts, store by store; the shop
sells from warehouse and first store, the marketplace from the warehouse. Each history is made from its seed.
"""

from __future__ import annotations

import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.sandbox.people import Refusal
from tests.databases import fresh_sqlite
from tests.scenario.border import Crash
from tests.scenario.shelves import MARKET, SHOP, TILLS, sell, shelf, shelved
from tests.scenario.world import WAREHOUSE, World

FIRST = int(os.environ.get("SERAI_TEST_SEED", "1"))
COUNT = int(os.environ.get("SERAI_TEST_SCENARIOS", "1"))
MOVES = 40
SKU = "KTL-1"
FIRST_STORE, SECOND_STORE = "almaty-1", "almaty-2"
PLACES = (WAREHOUSE, FIRST_STORE, SECOND_STORE)
KEEPS = {SHOP: ("shop", "inventory", "orders"), MARKET: ("market", "stocks", "orders"),
         TILLS: ("pos", "shelves", "receipts")}
"""Channel → system, resource of its figures, resource of what was sold."""


def sold(found: World, at_tills: Counter[str]) -> Counter[str]:
    """Units sold by the shop, by the marketplace and at each store: the systems' own word."""
    units = Counter(at_tills)
    for order in found.sandbox.systems["shop"].docs("orders"):
        units["shop"] += sum(int(line["quantity"]) for line in order["lines"]) if order["status"] != "CANCELLED" else 0
    for order in found.sandbox.systems["market"].docs("orders"):
        units["market"] += sum(int(line["qty"]) for line in order["items"]) if order["state"] != "CANCELLED" else 0
    return units


def came(found: World) -> Counter[str]:
    """Place → units that ever came in there."""
    units: Counter[str] = Counter()     # counted before anything was sold: that is a beginning, too
    for entry in found.sandbox.systems["erp"].books.after(0):
        if entry["kind"] == "stock" and entry["sku"] == SKU and entry["why"] in ("opening", "count"):
            units[entry["location"]] += int(Decimal(entry["delta"]))
    return units


def fair(found: World, at_tills: Counter[str]) -> None:
    """P8: each unit sold has one of its own, at a place from which whoever sold it sends."""
    taken, there = sold(found, at_tills), came(found)
    for sellers, places in (
        (("market",), (WAREHOUSE,)), ((FIRST_STORE,), (FIRST_STORE,)), ((SECOND_STORE,), (SECOND_STORE,)),
        (("market", "shop", FIRST_STORE), (WAREHOUSE, FIRST_STORE)),
    ):
        units = sum(taken[name] for name in sellers)
        assert units <= sum(there[place] for place in places), (sellers, dict(taken), dict(there))


def rush(found: World, at_tills: Counter[str]) -> None:
    """Everybody buys until nobody shows anything any more: what is on show twice is sold twice."""
    for system in ("shop", "market"):
        while found.shown(system, SKU) > 0 and found.buy(system, {SKU: 1}) is not None:
            pass
    for store in PLACES[1:]:
        while shelf(found, store, SKU) > 0 and sell(found, store, 1, SKU):
            at_tills[store] += 1


def move(found: World, at_tills: Counter[str]) -> None:
    """Somebody buys or receives goods, a system falls ill, or Serai does one thing."""
    dice, people = found.dice, found.people
    channel = dice.choice((SHOP, MARKET, TILLS))
    system, figures, orders = KEEPS[channel]
    kinds = {"buy": 14, "step": 18, "receive": 5, "fault": 3, "calm": 2, "time": 1, "kill": 1, "rush": 3}
    match dice.choices(list(kinds), list(kinds.values()))[0]:
        case "rush":
            rush(found, at_tills)
        case "buy" if channel == TILLS:
            store, units = dice.choice(PLACES[1:]), dice.randint(1, 2)
            if sell(found, store, units, SKU):
                at_tills[store] += units
        case "buy":
            found.buy(system, {SKU: dice.randint(1, 2)}, dice.randrange(3))
        case "receive":
            people.receive_goods(SKU, dice.choice(PLACES), dice.randint(1, 3))
        case "fault":
            kind = dice.choice(("fail_after", "lose_answer", "fail", "throttle"))
            where = dice.choice((f"POST /{figures}", f"GET /{orders}", f"GET /{figures}"))
            people.temper(system, kind, next=dice.randint(1, 2), on=where, seconds=0.5)
        case "calm":
            people.calm(system)
        case "time":
            found.pass_time(dice.choice((2.0, 400.0)))
        case "kill":
            found.house.border.at = found.house.border.count + dice.randint(1, 25)
        case _:
            match dice.choice(("orders", "push", "push", "stock", "notices", "settle", "erp", "shown")):
                case "orders":
                    found.step("pull", channel, orders)
                case "shown":
                    found.step("pull", channel, figures)
                case "stock":
                    found.step("pull", "erp-kz", "stock")
                case "notices":
                    found.hear()
                case "erp":
                    found.step("push", "erp-kz", "order")
                case name:
                    found.step(name, channel, "stock")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_nothing_is_oversold_at_any_place_whatever_happens(seed: int, tmp_path: Path) -> None:
    """P8, P15: and in calm weather everything that is free is on show somewhere, each unit once."""
    at_tills: Counter[str] = Counter()
    with fresh_sqlite(tmp_path) as url, shelved(tmp_path, url, seed) as found:
        found.goods(SKU, on_hand=3)
        for store in PLACES[1:]:
            found.people.count_stock(SKU, store, 2)
        found.go_live()
        for _ in range(MOVES):
            try:
                move(found, at_tills)
            except Refusal as refused:
                found.tell(f"refused: {refused.code}")
            except Crash as death:
                found.tell(f"the worker died before: {death}")
                found.restart()
            fair(found, at_tills)
        found.restart()
        found.settle_down()
        fair(found, at_tills)
        on_show = found.shown("shop", SKU) + found.shown("market", SKU) + shelf(found, FIRST_STORE, SKU)
        taken, there = sold(found, at_tills), came(found)
        free = there[WAREHOUSE] + there[FIRST_STORE] - taken["market"] - taken["shop"] - taken[FIRST_STORE]
        assert on_show == free

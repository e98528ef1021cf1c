"""Hard allocation with a figure per place, under fire: buyers in shops and stores, faults, deaths of the worker.

What surprises here: the tills' shelves compare nothing and go by zero and their receipts, store by store; the shop
sells from warehouse and first store, the marketplace from warehouse and second store. Each history is made from its
seed; after every act, what was sold and what is on show must have its unit.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
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
MOVES = 22
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
    """P8: each unit that is sold, or that a buyer could buy this moment, has one of its own, at a place from which
    whoever sells it sends."""
    taken, there = sold(found, at_tills) + on_show(found), came(found)
    for sellers, places in (
        ((FIRST_STORE,), (FIRST_STORE,)), ((SECOND_STORE,), (SECOND_STORE,)),
        (("shop", FIRST_STORE), (WAREHOUSE, FIRST_STORE)), (("market", SECOND_STORE), (WAREHOUSE, SECOND_STORE)),
        (("market", "shop", FIRST_STORE, SECOND_STORE), PLACES),
    ):
        units = sum(taken[name] for name in sellers)
        assert units <= sum(there[place] for place in places), (sellers, dict(taken), dict(there))


def on_show(found: World) -> Counter[str]:
    """Units that anybody could buy now, whether Serai knows of it or not."""
    return Counter({name: found.shown(name, SKU) for name in ("shop", "market")}) + Counter(
        {store: shelf(found, store, SKU) for store in PLACES[1:]}
    )


def buy(found: World, at_tills: Counter[str], channel: str) -> None:
    """Somebody buys of what the channel shows, if it shows any: Serai does not hear of it."""
    dice, units = found.dice, found.dice.choice((1, 1, 2))
    if channel == TILLS:
        store = dice.choice(PLACES[1:])
        if sell(found, store, units, SKU):
            at_tills[store] += units
    else:
        found.buy(KEEPS[channel][0], {SKU: units}, dice.randrange(3))


def race(found: World, at_tills: Counter[str]) -> None:
    """What is sold while figures are on their way: each of these happens or does not, in this order or another.

    A sale that nobody read; goods that come, of which the figure is read; the channel is told; its sale is read; the
    others are told.
    """
    dice = found.dice
    channel = dice.choice((SHOP, MARKET, TILLS, TILLS))     # shelves compare nothing
    orders = KEEPS[channel][2]
    others = [name for name in KEEPS if name != channel]
    acts: list[Callable[[], object]] = [
        lambda: buy(found, at_tills, channel),
        lambda: found.people.receive_goods(SKU, dice.choice(PLACES), dice.randint(1, 3)),
        lambda: found.step("pull", "erp-kz", "stock"),
        lambda: found.step("push", channel, "stock"),
        lambda: found.step("pull", channel, orders),
        lambda: found.step("push", dice.choice(others), "stock"),
        lambda: found.step("push", dice.choice(others), "stock"),
    ]
    if dice.random() < 0.3:
        one, other = sorted(dice.sample(range(len(acts)), 2))
        acts[one], acts[other] = acts[other], acts[one]
    for act in acts:
        if dice.random() < 0.85:
            attempt(found, act)
            fair(found, at_tills)


def attempt(found: World, act: Callable[[], object]) -> None:
    """One thing happens; a system may refuse it, and the worker may die of it."""
    try:
        act()
    except Refusal as refused:
        found.tell(f"refused: {refused.code}")
    except Crash as death:
        found.tell(f"the worker died before: {death}")
        found.restart()


def move(found: World, at_tills: Counter[str]) -> None:
    """A race, or a system falls ill or is well again, time goes by, what is on its way is settled, the worker dies."""
    dice, people = found.dice, found.people
    channel = dice.choice((SHOP, MARKET, TILLS))
    system, figures, orders = KEEPS[channel]
    kinds = {"race": 12, "fault": 3, "calm": 2, "time": 1, "kill": 1, "shown": 1, "settle": 2, "notices": 1, "erp": 1}
    match dice.choices(list(kinds), list(kinds.values()))[0]:
        case "race":
            race(found, at_tills)
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
        case "shown":
            found.step("pull", channel, figures)
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
    with fresh_sqlite(tmp_path) as url, shelved(tmp_path, url, seed, all_shown=True) as found:
        found.goods(SKU, on_hand=3)
        for store in PLACES[1:]:
            found.people.count_stock(SKU, store, 2)
        found.go_live()
        for _ in range(MOVES):
            attempt(found, lambda: move(found, at_tills))
            fair(found, at_tills)
        found.restart()
        found.settle_down()
        fair(found, at_tills)
        shown = on_show(found)
        assert shown.total() + sold(found, at_tills).total() == came(found).total()

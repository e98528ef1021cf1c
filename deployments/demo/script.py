"""What happens on the scripted day: what shoppers, cashiers and staff do, and what should follow.

What surprises here: the script does not know who keeps the systems in agreement. The same acts are played with Serai
and with a copy loop; a shopper who is turned down because a channel shows nothing is no error but the point of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from deployments.demo.data import LAST_KETTLE, WAREHOUSE
from deployments.sandbox.people import People, Refusal

PHONE = "+7 701 555 44 33"
EMAIL = "a.nurlanova@example.kz"
UNKNOWN_SKU = "KTL-900-NEW"


class Keeper(Protocol):
    """Whoever keeps the systems in agreement. Each method returns one sentence for the day's table."""

    def survey(self) -> str: ...
    def go_live(self) -> str: ...
    def catch_up(self) -> str: ...
    def switch_market(self, *, on: bool) -> str: ...
    def mend_unknown(self, sku: str) -> str: ...
    def full_catalogue(self) -> str: ...
    def reconcile(self) -> str: ...
    def explain(self, sku: str) -> str: ...
    def deployed_run(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One line of the day: the hour, what people do, and what the keeper does about it."""

    at: str
    what: str
    act: Callable[[], str | None]
    follow: Callable[[], str]


@dataclass(frozen=True, kw_only=True)
class Goods:
    """The SKUs the day plays with: all are sold in the ERP, the shop and on the marketplace, with stock to spare."""

    stocked: str
    priced: str
    ordered: str
    second: str
    third: str
    till: str


def day(people: People, keeper: Keeper, goods: Goods) -> Iterator[Moment]:
    """The moments of the day, in order."""
    placed: dict[str, str] = {}
    yield Moment(at="09:00", what="a first look at all channels", act=_nothing, follow=keeper.survey)
    yield Moment(at="09:10", what="exact matches are accepted, all is switched on", act=_nothing, follow=keeper.go_live)
    yield Moment(at="09:20", what="a second look", act=_nothing, follow=keeper.survey)
    yield Moment(at="10:00", what="the last kettle: bought in the shop, wanted on the marketplace",
                 act=lambda: _last_kettle(people), follow=keeper.catch_up)
    yield Moment(at="11:00", what=f"the ERP counts 7 of {goods.stocked} and reprices {goods.priced}",
                 act=lambda: _count_and_price(people, goods), follow=keeper.catch_up)
    yield Moment(at="11:30", what="the timetable: a deployed flow through Prefect's worker", act=_nothing,
                 follow=keeper.deployed_run)
    yield Moment(at="12:00", what="a till in Almaty sells two", act=lambda: _till(people, goods),
                 follow=keeper.catch_up)
    yield Moment(at="13:00", what="two orders on the marketplace and one in the shop; one person is behind two of them",
                 act=lambda: _orders(people, goods, placed), follow=keeper.catch_up)
    yield Moment(at="14:00", what="the warehouse sends the shop's order and one of the marketplace's",
                 act=lambda: _ship(people, placed), follow=keeper.catch_up)
    yield Moment(at="16:00", what="the marketplace is switched off, the ERP reprices and counts, on again",
                 act=_nothing, follow=lambda: _off_and_on(people, keeper, goods))
    yield Moment(at="18:00", what="an order with a SKU that somebody typed in by hand", act=lambda: _unknown(people),
                 follow=lambda: keeper.mend_unknown(UNKNOWN_SKU))
    yield Moment(at="19:00", what="a page is missing from the shop's full catalogue",
                 act=lambda: people.temper("shop", "omit_page", on="/variants", page=2), follow=keeper.full_catalogue)
    yield Moment(at="20:00", what="429s, 500s, an answer lost after the ERP took the order, a webhook lost",
                 act=lambda: _bad_weather(people, goods), follow=keeper.reconcile)
    yield Moment(at="21:00", what=f"why this price and this figure of {goods.priced}?", act=_nothing,
                 follow=lambda: keeper.explain(goods.priced))


def _nothing() -> None:
    """Nobody does anything."""


def _last_kettle(people: People) -> str:
    people.buy_in_shop({LAST_KETTLE: 1}, email="saule.omarova@example.kz", name="Сәуле Омарова")
    try:
        people.buy_on_market({LAST_KETTLE: 1}, name="Nino Beridze", phone="+7 702 111 00 99")
    except Refusal:
        return "the shop sold it; the marketplace showed none and turned the second buyer down"
    return "the shop sold it, and so did the marketplace"


def _count_and_price(people: People, goods: Goods) -> None:
    people.count_stock(goods.stocked, WAREHOUSE, 7)
    people.set_price(goods.priced, "15490.00")


def _till(people: People, goods: Goods) -> str:
    receipt = people.sell_at_till("almaty-1", {goods.till: 2}, phone="87011234567")
    return f"receipt {receipt.number}, {receipt.total:,.0f} KZT"


def _orders(people: People, goods: Goods, placed: dict[str, str]) -> str:
    market = people.buy_on_market({goods.ordered: 1}, name="Aigerim Nurlanova", phone=PHONE, email=EMAIL)
    other = people.buy_on_market({goods.second: 2}, name="Тимур Ахметов", phone="+7 777 909 80 70")
    shop = people.buy_in_shop({goods.ordered: 1, goods.third: 1}, email=EMAIL.title(), name="Айгерім Нұрланова",
                              phone="8 (701) 555-44-33", guest=True)
    placed.update(market=market.number, shop=shop.number)
    return f"{market.number} and {other.number} on the marketplace, {shop.number} in the shop"


def _ship(people: People, placed: dict[str, str]) -> str:
    sent = [people.ship(source_number=placed[name]) for name in ("shop", "market")]
    return "tracking " + ", ".join(str(one.tracking) for one in sent)


def _off_and_on(people: People, keeper: Keeper, goods: Goods) -> str:
    off = keeper.switch_market(on=False)
    people.set_price(goods.second, "9990.00")
    people.count_stock(goods.ordered, WAREHOUSE, 11)
    between = keeper.catch_up()
    return f"{off}; meanwhile {between}; {keeper.switch_market(on=True)}"


def _unknown(people: People) -> str:
    people.list_by_hand(UNKNOWN_SKU, "Чайник «Новинка»", "19990.00", 3)
    order = people.buy_on_market({UNKNOWN_SKU: 1}, name="Eka Lomidze", phone="+7 705 321 65 40")
    return f"order {order.number}"


def _bad_weather(people: People, goods: Goods) -> str:
    people.temper("shop", "throttle", next=3, seconds=1)
    people.temper("erp", "fail", next=2, on="GET")
    people.temper("erp", "lose_answer", next=1, on="POST /orders", seconds=3)
    people.temper("market", "drop", next=2)
    order = people.buy_in_shop({goods.third: 1}, email="saule.omarova@example.kz", name="Сәуле Омарова")
    lost = people.buy_on_market({goods.ordered: 1}, name="Marat Seitov", phone="+7 747 600 50 40")
    return f"order {order.number} while the ERP loses its answer; of {lost.number} no notice ever comes"

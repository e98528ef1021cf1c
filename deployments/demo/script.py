"""What happens on the scripted day: what shoppers, cashiers and staff do, and what should follow.

What surprises here: the script does not know who keeps the systems in agreement. The same acts are played with Serai
and with a copy loop; what people see afterwards is looked up in the systems themselves; somebody who is turned down
because a channel shows nothing is no error but the point of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from deployments.demo import scenes
from deployments.demo.data import LAST_KETTLE, WAREHOUSE
from deployments.demo.scenes import Goods, Placed
from deployments.sandbox.people import People

PHONE = "+7 701 555 44 33"
EMAIL = "a.nurlanova@example.kz"
UNKNOWN_SKU = "KTL-900-NEW"


class Keeper(Protocol):
    """Whoever keeps the systems in agreement. Each method returns one sentence for the day's table."""

    def survey(self) -> str: ...
    def go_live(self) -> str: ...
    def catch_up(self) -> str: ...
    def mass_change(self) -> str: ...
    def put_back(self) -> str: ...
    def store_ready(self, number: str) -> str: ...
    def switch_market(self, *, on: bool) -> str: ...
    def mend_unknown(self, sku: str) -> str: ...
    def full_catalogue(self) -> str: ...
    def reconcile(self) -> str: ...
    def settled(self, number: str) -> str: ...
    def explain(self, sku: str) -> str: ...
    def begin_run(self) -> str: ...
    def ended_run(self) -> str: ...


def _nothing() -> str:
    """Nobody does anything; nobody looks."""
    return ""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One line of the day: the hour, what people do, what the keeper does about it, and what people see then."""

    at: str
    what: str
    act: Callable[[], str | None] = _nothing
    follow: Callable[[], str]
    seen: Callable[[], str] = _nothing


def day(people: People, keeper: Keeper, goods: Goods) -> Iterator[Moment]:
    """The moments of the day, in order."""
    placed: Placed = {}
    follow = keeper.catch_up

    def the(scene: Callable[[People, Goods, Placed], str | None]) -> Callable[[], str]:
        return lambda: scene(people, goods, placed) or ""

    yield Moment(at="09:00", what="a first look at all channels", follow=keeper.survey)
    yield Moment(at="09:10", what="exact matches are accepted, all is switched on", follow=keeper.go_live)
    yield Moment(at="09:20", what="a second look", follow=keeper.survey)
    yield Moment(at="09:40", what="a second kettle of the last kind is found in the warehouse", follow=follow,
                 act=lambda: people.receive_goods(LAST_KETTLE, WAREHOUSE, 1), seen=the(scenes.kettles_shown))
    yield Moment(at="10:00", what="one is bought in the shop; two buyers of the marketplace want the other",
                 act=the(scenes.last_kettle), follow=follow, seen=the(scenes.who_got_the_kettle))
    yield Moment(at="10:30", what=f"the ERP counts 7 of {goods.stocked} and reprices {goods.priced}",
                 act=lambda: _count_and_price(people, goods), follow=follow)
    yield Moment(at="11:00", what="an ERP clerk types 9.99 for a whole category", follow=keeper.mass_change,
                 act=the(scenes.mistyped), seen=the(scenes.prices_shown))
    yield Moment(at="11:20", what="the clerk puts the prices back", act=the(scenes.corrected), follow=keeper.put_back)
    yield Moment(at="11:30", what="the timetable: a deployed flow begins in Prefect's worker", follow=keeper.begin_run)
    yield Moment(at="11:40", what="a till in Almaty sells two", act=lambda: _till(people, goods, placed), follow=follow)
    yield Moment(at="12:00", what="somebody buys in the shop, to collect in the store on Dostyk", follow=follow,
                 act=the(scenes.to_collect), seen=the(scenes.where_it_waits))
    yield Moment(at="12:20", what="the store has put it aside", seen=the(scenes.is_told_to_come),
                 follow=lambda: keeper.store_ready(placed["collect"].number))
    yield Moment(at="12:40", what="the buyer comes and takes it", act=the(scenes.collects), follow=follow,
                 seen=the(scenes.has_collected))
    yield Moment(at="13:00", what="the tills on Abai lose their line and sell on", follow=follow,
                 act=the(scenes.offline))
    yield Moment(at="13:20", what="the line is there again, the shift is posted late", act=the(scenes.late_shift),
                 follow=follow, seen=the(scenes.past_sales))
    yield Moment(at="13:25", what="the deployed flow has ended", follow=keeper.ended_run)
    yield Moment(at="13:30", what="two orders on the marketplace, two in the shop; one person is behind two of them",
                 act=lambda: _orders(people, goods, placed), follow=follow)
    yield Moment(at="13:50", what="the warehouse sends both of the shop and one of the marketplace",
                 act=lambda: _ship(people, placed), follow=follow)
    yield Moment(at="14:00", what="one order pays the courier in cash, one waits for its buyer to sign at the bank",
                 act=the(scenes.unpaid), follow=follow)
    yield Moment(at="14:20", what="the warehouse sends what it has papers for; then the buyer signs", follow=follow,
                 act=the(scenes.sends_unpaid), seen=the(scenes.paid_or_not))
    yield Moment(at="14:40", what="the signed one leaves; the courier hands in the cash", follow=follow,
                 act=the(scenes.signed_and_paid), seen=the(scenes.paid_or_not))
    yield Moment(at="15:00", what="the marketplace sells and sends from its own warehouse", follow=follow,
                 act=the(scenes.market_sells_its_own))
    yield Moment(at="15:20", what="our warehouse looks whether it has papers for that one", follow=follow,
                 act=the(scenes.sends_again), seen=the(scenes.left_twice))
    yield Moment(at="15:30", what="an order in the shop of Plovdiv, in euro", follow=follow, act=the(scenes.in_plovdiv))
    yield Moment(at="15:40", what="the warehouse in Plovdiv sends it", follow=follow, act=the(scenes.plovdiv_sends),
                 seen=the(scenes.whose_order))
    yield Moment(at="15:42", what="a buyer tells the sales desk a new number, which is noted in the CRM", follow=follow,
                 act=the(scenes.new_number), seen=the(scenes.who_is_called))
    yield Moment(at="15:45", what="three buy on Amazon: one not paid yet, one from Amazon's own network", follow=follow,
                 act=the(scenes.on_amazon), seen=the(scenes.amazon_in_the_erp))
    yield Moment(at="15:50", what="Amazon has the money of the second", act=the(scenes.is_paid), follow=follow)
    yield Moment(at="15:55", what="the warehouse sends what it has papers for", act=the(scenes.sends_for_amazon),
                 follow=follow, seen=the(scenes.amazon_knows))
    yield Moment(at="16:00", what="the marketplace is switched off, the ERP reprices and counts, on again",
                 follow=lambda: _off_and_on(people, keeper, goods))
    yield Moment(at="16:30", what="in Astana one is left of an article, which gets dearer; a price list is fetched",
                 act=the(scenes.in_astana), follow=follow, seen=the(scenes.price_list))
    yield Moment(at="16:45", what="Amazon pays out and sends its settlement report", act=the(scenes.settles),
                 follow=lambda: keeper.settled(placed["settlement"].number))
    yield Moment(at="17:00", what="an order of the shop, sold under the old VAT, is brought back to a store",
                 act=the(scenes.brings_back), follow=follow, seen=the(scenes.money_and_goods))
    yield Moment(at="17:30", what="one of the two that a till sold in the morning is brought back to it", follow=follow,
                 act=the(scenes.back_to_the_till), seen=the(scenes.till_money_and_goods))
    yield Moment(at="18:00", what="an order with a SKU that somebody typed in by hand", act=lambda: _unknown(people),
                 follow=lambda: keeper.mend_unknown(UNKNOWN_SKU))
    yield Moment(at="19:00", what="a page is missing from the shop's full catalogue", follow=keeper.full_catalogue,
                 act=lambda: people.temper("shop", "omit_page", on="catalogue", page=2))
    yield Moment(at="20:00", what="429s, 500s, an answer lost after ERP and CRM took the order, a webhook lost",
                 act=lambda: _bad_weather(people, goods), follow=keeper.reconcile)
    yield Moment(at="21:00", what=f"why this price and this figure of {goods.priced}?",
                 follow=lambda: keeper.explain(goods.priced))


def _count_and_price(people: People, goods: Goods) -> None:
    people.count_stock(goods.stocked, WAREHOUSE, 7)
    people.set_price(goods.priced, people.price(goods.priced) + 500)


def _till(people: People, goods: Goods, placed: Placed) -> str:
    receipt = placed["till"] = people.sell_at_till("almaty-1", {goods.till: 2}, tender="CASH", phone="87011234567")
    return f"receipt {receipt.number}, {receipt.total:,.0f} KZT"


def _orders(people: People, goods: Goods, placed: Placed) -> str:
    market = people.buy_on_market({goods.ordered: 1}, name="Aigerim Nurlanova", phone=PHONE, email=EMAIL)
    other = people.buy_on_market({goods.second: 2}, name="Тимур Ахметов", phone="+7 777 909 80 70")
    shop = people.buy_in_shop({goods.ordered: 1, goods.third: 1}, email=EMAIL.title(), name="Айгерім Нұрланова",
                              phone="8 (701) 555-44-33", guest=True)
    old = people.buy_in_shop({goods.returned: 1}, email="m.giorgadze@example.ge", name="მარიამ გიორგაძე",
                             gift_card=Decimal(1500), tax_rate="0.12")
    placed.update(market=market, shop=shop, returned=old)
    return f"{market.number} and {other.number} on the marketplace, {shop.number} and {old.number} in the shop"


def _ship(people: People, placed: Placed) -> str:
    sent = [people.ship(source_number=placed[name].number) for name in ("shop", "market", "returned")]
    return "tracking " + ", ".join(str(one.tracking) for one in sent)


def _off_and_on(people: People, keeper: Keeper, goods: Goods) -> str:
    off = keeper.switch_market(on=False)
    people.set_price(goods.second, people.price(goods.second) - 500)
    people.count_stock(goods.ordered, WAREHOUSE, 11)
    between = keeper.catch_up()
    return f"{off}; meanwhile {between}; {keeper.switch_market(on=True)}"


def _unknown(people: People) -> str:
    people.list_by_hand(UNKNOWN_SKU, "Чайник «Новинка»", "19990.00", 3)
    order = people.buy_on_market({UNKNOWN_SKU: 1}, name="Eka Lomidze", phone="+7 705 321 65 40")
    return f"order {order.number}"


def _bad_weather(people: People, goods: Goods) -> str:
    people.temper("shop", "throttle", next=3, seconds=1)
    people.temper("erp", "fail", next=2, on="reads")
    people.temper("erp", "lose_answer", next=1, on="new order", seconds=3)
    people.temper("crm", "throttle", next=2, seconds=1, on="reads")
    people.temper("crm", "lose_answer", next=1, on="new order", seconds=3)
    people.temper("market", "drop", next=2)
    order = people.buy_in_shop({goods.third: 1}, email="saule.omarova@example.kz", name="Сәуле Омарова")
    lost = people.buy_on_market({goods.ordered: 1}, name="Marat Seitov", phone="+7 747 600 50 40")
    return f"order {order.number} while ERP and CRM lose their answers; of {lost.number} no notice ever comes"

"""The day's scenes of trade: offers, mistyped prices, collecting, late shifts, unpaid orders, returns over the counter.

What surprises here: a scene acts as people do, and looks as people do; it neither knows nor asks who keeps the systems
in agreement. What it says that was seen is read from the systems, never promised.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deployments.demo.data import LAST_KETTLE, LISTED_FROM, MARKET_WAREHOUSE, WAREHOUSE
from deployments.sandbox.people import People, Placed as Order, Refusal

Placed = dict[str, Order]
"""The orders of the day by what they are for."""
MISTYPED = Decimal("9.99")
CATEGORY = ("Чайники", "Посуда", "Самовары")
ARTICLES = 180
NEW_NUMBER = "+77019091011"


@dataclass(frozen=True, kw_only=True)
class Goods:
    """The SKUs the day plays with: sold by the ERP, shop, tills and marketplace, with stock to spare."""

    stocked: str
    priced: str
    ordered: str
    second: str
    third: str
    till: str
    collect: str
    returned: str
    unpaid: str
    signed: str
    held: str
    """Lies in the marketplace's own warehouse too."""
    abroad: str
    """Sold in Plovdiv."""
    amazon: str
    """Sold on Amazon; sent by us."""
    network: str
    """Sold on Amazon, and some of it lies in Amazon's network."""
    listed: str
    """Lies in the store in Astana, from which the price list offers."""


def kettles_shown(people: People, goods: Goods, placed: Placed) -> str:
    there = people.on_hand(LAST_KETTLE, WAREHOUSE)
    shop = people.shown("shop", LAST_KETTLE)
    return f"{there.normalize()} there; the shop shows {shop}, the marketplace {people.shown('market', LAST_KETTLE)}"


def last_kettle(people: People, goods: Goods, placed: Placed) -> str:
    people.buy_in_shop({LAST_KETTLE: 1}, email="saule.omarova@example.kz", name="Сәуле Омарова")
    for who, name, phone in (("first", "ნინო ბერიძე", "+995 555 12 34 56"), ("second", "Дина Ким", "+7 702 111 00 99")):
        placed[who] = people.buy_on_market({LAST_KETTLE: 1}, name=name, phone=phone, accept_within=120)
    return "the marketplace asks the seller about each and waits two minutes"


def who_got_the_kettle(people: People, goods: Goods, placed: Placed) -> str:
    told = {entry["id"]: entry["reason"] for entry in people.books("market") if entry["kind"] == "told"}
    said = []
    for who in ("first", "second"):
        doc = people.order_state("market", placed[who].id)
        why = f", told {told[placed[who].id] or 'so'}" if placed[who].id in told else ", told nothing"
        said.append(f"{doc['buyer']}: {doc['state'].lower()}{why}")
    return "; ".join(said)


def mistyped(people: People, goods: Goods, placed: Placed) -> str:
    typed = people.reprice(CATEGORY, MISTYPED, most=ARTICLES)
    return f"{len(typed)} articles cost {MISTYPED} KZT in the ERP"


def prices_shown(people: People, goods: Goods, placed: Placed) -> str:
    live = {
        (system, entry["sku"]) for system in ("shop", "market", "pos") for entry in people.books(system)
        if entry["kind"] == "price" and Decimal(entry["now"]) == MISTYPED
    }  # fmt: skip
    return f"{len(live)} prices of {MISTYPED} KZT are live on shop, marketplace and tills"


def corrected(people: People, goods: Goods, placed: Placed) -> str:
    before: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for entry in people.books("erp"):
        if entry["kind"] == "price" and entry["list"] == "retail":
            if Decimal(entry["now"]) == MISTYPED:
                wrong[entry["sku"]] = before[entry["sku"]]
            else:
                before[entry["sku"]] = entry["now"]
    for sku, amount in wrong.items():
        people.set_price(sku, amount)
    return f"{len(wrong)} prices as they were"


def to_collect(people: People, goods: Goods, placed: Placed) -> str:
    placed["collect"] = people.buy_in_shop({goods.collect: 1}, email="d.ospanova@example.kz", name="Динара Оспанова",
                                           pickup="almaty-1")
    return f"order {placed['collect'].number}, to be collected at almaty-1"


def where_it_waits(people: People, goods: Goods, placed: Placed) -> str:
    sale = people.sale(placed["collect"].number)
    return "the ERP has no sale" if sale is None else f"the ERP takes it from {sale['location'] or 'the warehouse'}"


def is_told_to_come(people: People, goods: Goods, placed: Placed) -> str:
    told = [entry["what"] for entry in people.books("shop")
            if entry["kind"] == "told" and entry["id"] == placed["collect"].id]
    return f"the buyer is told: {', '.join(told) or 'nothing'}"


def collects(people: People, goods: Goods, placed: Placed) -> str:
    people.ship(source_number=placed["collect"].number, collected=True)
    return "handed over"


def has_collected(people: People, goods: Goods, placed: Placed) -> str:
    return f"the shop's order is {people.order_state('shop', placed['collect'].id)['status']}"


def offline(people: People, goods: Goods, placed: Placed) -> str:
    people.cut_off("almaty-2")
    placed["late one"] = people.sell_at_till("almaty-2", {goods.till: 1}, tender="CASH")
    placed["late two"] = people.sell_at_till("almaty-2", {goods.collect: 1}, phone="87770001122")
    return "two receipts that nobody can read"


def late_shift(people: People, goods: Goods, placed: Placed) -> str:
    number = people.back_online("almaty-2")
    placed["shift"] = Order(number, number, Decimal(0))
    sale = people.post_shift("almaty-2", number)
    return f"shift {number} with both receipts, which the tills enter into the ERP as {sale}"


def past_sales(people: People, goods: Goods, placed: Placed) -> str:
    receipts = people.look("pos", "shifts", placed["shift"].id)["receipts"]
    again = [number for number in receipts if people.sale(number) is not None]
    return f"entered once more, one by one: {', '.join(again)}" if again else "its receipts stand in the ERP once"


def unpaid(people: People, goods: Goods, placed: Placed) -> str:
    placed["cash"] = people.buy_in_shop({goods.unpaid: 1}, email="t.baizhanov@example.kz", name="Тимур Байжанов",
                                        pay="CASH_ON_DELIVERY", cash_fee=50_000)
    placed["credit"] = people.buy_in_shop({goods.signed: 1}, email="zh.ibrayeva@example.kz", name="Жанна Ибраева",
                                          pay="INSTALMENT", months=12, sign_within=900)
    return f"{placed['cash'].number} in cash, {placed['credit'].number} by 12 instalments"


def _send(people: People, name: str, placed: Placed) -> str:
    try:
        return f"sent as {people.ship(source_number=placed[name].number).tracking}"
    except Refusal as refusal:
        return "no papers" if refusal.code == "not_found" else refusal.code


def sends_unpaid(people: People, goods: Goods, placed: Placed) -> str:
    said = f"cash: {_send(people, 'cash', placed)}; unsigned: {_send(people, 'credit', placed)}"
    people.sign(placed["credit"].id)
    return said


def signed_and_paid(people: People, goods: Goods, placed: Placed) -> str:
    said = f"signed: {_send(people, 'credit', placed)}"
    people.pay_courier(placed["cash"].id)
    return said


def paid_or_not(people: People, goods: Goods, placed: Placed) -> str:
    said = []
    for name in ("cash", "credit"):
        sale = people.sale(placed[name].number)
        said.append(f"{name}: " + ("no sale" if sale is None else f"{sale['state']}, paid {sale['paid']}"))
    return "in the ERP " + "; ".join(said)


def market_sells_its_own(people: People, goods: Goods, placed: Placed) -> str:
    placed["held"] = people.buy_on_market({goods.held: 1}, name="ეკა ლომიძე", phone="+7 700 400 30 20",
                                          warehouse=MARKET_WAREHOUSE)
    people.send_from_market(placed["held"].id)
    return f"order {placed['held'].number}, already on its way"


def sends_again(people: People, goods: Goods, placed: Placed) -> str:
    return f"our warehouse: {_send(people, 'held', placed)}"


def left_twice(people: People, goods: Goods, placed: Placed) -> str:
    number = placed["held"].number
    gone = [entry for entry in people.books("erp") if entry["kind"] == "shipment" and entry["number"] == number]
    sale = people.sale(number)
    where = "not in the ERP" if sale is None else f"a sale from {sale['location'] or 'our warehouse'} in the ERP"
    return f"{where}; we sent {len(gone)}"


def on_amazon(people: People, goods: Goods, placed: Placed) -> str:
    placed["amazon"] = people.buy_on_market({goods.amazon: 1}, name="Руслан Абенов", phone="+7 705 777 10 20",
                                            market="amazon")
    placed["pending"] = people.buy_on_market({goods.amazon: 1}, name="Mariam Lomidze", market="amazon", pending=True)
    placed["network"] = people.buy_on_market({goods.network: 1}, name="Olga Kim", warehouse="AFN", market="amazon")
    people.send_from_market(placed["network"].id, market="amazon")
    return "; ".join(f"{name}: {placed[name].number}" for name in ("amazon", "pending", "network"))


def amazon_in_the_erp(people: People, goods: Goods, placed: Placed) -> str:
    said = []
    for name in ("amazon", "pending", "network"):
        sale = people.sale(placed[name].number)
        where = "no sale" if sale is None else f"a sale from {sale['location'] or 'our warehouse'}"
        said.append(f"{name}: {where}")
    return f"in the ERP {'; '.join(said)}; Amazon shows {people.shown('amazon', goods.amazon)} more"


def is_paid(people: People, goods: Goods, placed: Placed) -> str:
    people.pay_on_amazon(placed["pending"].id)
    return f"{placed['pending'].number} may be sent"


def sends_for_amazon(people: People, goods: Goods, placed: Placed) -> str:
    names = {"amazon": "the first", "pending": "the second", "network": "Amazon's own"}
    return "; ".join(f"{said}: {_send(people, name, placed)}" for name, said in names.items())


def amazon_knows(people: People, goods: Goods, placed: Placed) -> str:
    said = [f"{name}: {people.order_state('amazon', placed[name].id)['state'].lower()}"
            for name in ("amazon", "pending")]
    gone = [entry for entry in people.books("erp")
            if entry["kind"] == "shipment" and entry["number"] == placed["network"].number]
    return f"on Amazon {'; '.join(said)}; of Amazon's own we sent {len(gone)}"


def settles(people: People, goods: Goods, placed: Placed) -> str:
    report = people.settle(market="amazon")
    placed["settlement"] = Order(report["id"], report["number"], Decimal(report["total"]))
    return f"report {report['number']}: {Decimal(report['total']):,.2f} KZT"


def in_astana(people: People, goods: Goods, placed: Placed) -> str:
    people.count_stock(goods.listed, LISTED_FROM, 1)
    people.set_price(goods.listed, people.price(goods.listed) + 1_000)
    return f"{goods.listed}: one left, 1,000 KZT dearer"


def price_list(people: People, goods: Goods, placed: Placed) -> str:
    shelf: dict[str, dict[str, str | None]] = {"price": {}, "shown": {}}
    for entry in people.books("pricelist"):
        if entry["kind"] in shelf:
            shelf[entry["kind"]][entry["sku"]] = entry["now"]
    price, units = shelf["price"].get(goods.listed), shelf["shown"].get(goods.listed)
    what = "is not in it" if price is None else f"costs {Decimal(price):,.0f} KZT, {units} to be had"
    offers = sum(now is not None for now in shelf["shown"].values())
    return f"the marketplace's list has {offers} offers; {goods.listed} {what}"


def in_plovdiv(people: People, goods: Goods, placed: Placed) -> str:
    placed["abroad"] = people.buy_in_shop({goods.abroad: 1}, shop="shop_bg", email="ivan.petrov@example.bg",
                                          name="Иван Петров", phone="+359 88 123 4567")
    return f"order {placed['abroad'].number}, {placed['abroad'].total} EUR"


def plovdiv_sends(people: People, goods: Goods, placed: Placed) -> str:
    try:
        return f"tracking {people.ship(source_number=placed['abroad'].number, erp='erp_bg').tracking}"
    except Refusal as refusal:
        return refusal.code


def whose_order(people: People, goods: Goods, placed: Placed) -> str:
    order = people.order_state("shop_bg", placed["abroad"].id)
    booked = [system for system in ("erp", "erp_bg") for entry in people.books(system)
              if entry["kind"] == "order" and entry["currency"] == "EUR"]  # fmt: skip
    return f"booked in {', '.join(booked) or 'no ERP'}; its shop says {order['status']}"


def brings_back(people: People, goods: Goods, placed: Placed) -> str:
    try:
        paid = people.bring_back("almaty-1", placed["returned"].number, {goods.returned: 1})
    except Refusal:
        return "the desk knows nothing of the order and sends the buyer away"
    return f"the desk pays back {paid:,.0f} KZT and keeps the goods"


def back_to_the_till(people: People, goods: Goods, placed: Placed) -> str:
    number = placed["till"].number
    return f"{people.bring_to_till('almaty-1', number, {goods.till: 1}):,.0f} KZT of receipt {number} are paid back"


def till_money_and_goods(people: People, goods: Goods, placed: Placed) -> str:
    number = placed["till"].number
    back = [entry for entry in people.books("erp") if entry["kind"] == "return" and entry["number"] == number]
    if not back:
        return "nothing came back in the ERP"
    paid = ", ".join(f"{one['kind'].lower()} {Decimal(one['amount']):,.0f}" for one in back[-1]["payments"])
    return f"in the ERP back to {back[-1]['lines'][0]['to']} at {back[-1]['location']}, paid out: {paid}"


def money_and_goods(people: People, goods: Goods, placed: Placed) -> str:
    order = people.order_state("shop", placed["returned"].id)
    money = ", ".join(f"{one['kind'].lower()} {Decimal(one['refunded']):,.0f}" for one in order["tenders"])
    back = [entry for entry in people.books("erp") if entry["kind"] == "return"]
    line = back[-1]["lines"][0] if back else None
    where = "nothing came back in the ERP" if line is None else f"in the ERP to {line['to']}, VAT {line['tax_rate']}"
    return f"refunded: {money}; {where}"


def new_number(people: People, goods: Goods, placed: Placed) -> str:
    id, _ = _known_to_both(people)
    people.edit_phone("crm", id, NEW_NUMBER)
    return f"the buyer who is contact {id} of the CRM is to be called at {NEW_NUMBER}"


def who_is_called(people: People, goods: Goods, placed: Placed) -> str:
    _, email = _known_to_both(people)
    numbers = [entry["phone"] for entry in people.books("erp") if entry["kind"] == "customer"
               and _folded(entry["email"]) == email]
    return f"the ERP calls {numbers[-1]}"


def _known_to_both(people: People) -> tuple[str, str]:
    """The contact and the address of the first buyer who is one contact of the CRM and a customer of the ERP."""
    held = {_folded(entry["email"]) for entry in people.books("erp") if entry["kind"] == "customer"} - {""}
    contacts: dict[str, list[str]] = {}
    for entry in people.books("crm"):
        if entry["kind"] == "customer" and _folded(entry["email"]) in held:
            ids = contacts.setdefault(_folded(entry["email"]), [])
            if str(entry["id"]) not in ids:
                ids.append(str(entry["id"]))
    return next((ids[0], email) for email, ids in contacts.items() if len(ids) == 1)


def _folded(email: str | None) -> str:
    return (email or "").casefold()

"""The tills of the stores: articles, prices, receipts (paid for and handed over), shifts, and the desk for returns.

What surprises here: a till sells what lies on the counter; it knows no stock and asks nobody. A store that is offline
sells on; its receipts are posted later, with their shift, and say when they were made. The desk takes back what was
bought online only when it knows the order.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, epoch


def _envelope(resource: str, docs: list[Doc], facts: Doc) -> Any:
    return docs


def _named(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is None or old["label"] != new["label"]:
        was = None if old is None else old["label"]
        system.books.enter("name", system.now(), sku=new["sku"], was=was, now=new["label"], why=by)


def _check_price(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if system.find("articles", new["sku"]) is None:
        raise Refused(422, "unknown_article", f"articles has no {new['sku']}", field="sku")


def _money(number: int | Decimal) -> str:
    return f"{Decimal(number):.2f}"


def _priced(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else _money(old["price"])
    if was != _money(new["price"]):
        facts = {"sku": new["sku"], "list": "tills", "was": was, "now": _money(new["price"]), "currency": "KZT"}
        system.books.enter("price", system.now(), **facts, why=by)


def _sold(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is None:
        lines = [{"sku": row["sku"], "quantity": str(row["qty"]), "total": _money(row["sum"])} for row in new["rows"]]
        facts = {"id": new["id"], "store": system.get("stores", new["store"])["code"], "total": _money(new["total"])}
        facts |= {"sold_at": new["at"], "shift": new.get("shift")}
        system.books.enter("sale", system.now(), **facts, currency="KZT", lines=lines, why=by)


VAT = Decimal("0.16")


def _store(system: System, ask: Doc) -> Doc:
    store = next((doc for doc in system.docs("stores") if doc["code"] == ask["store"]), None)
    if store is None:
        raise Refused(404, "unknown_store", f"no store {ask['store']}")
    return store


def sell(system: System, ask: Doc) -> Doc:
    """A till sells: ``{store: code, lines: [{sku, quantity}], tender?, phone?}``; the receipt is final."""
    store = _store(system, ask)
    rows = []
    for n, wanted in enumerate(ask["lines"], 1):
        article, price = system.find("articles", str(wanted["sku"])), system.find("prices", str(wanted["sku"]))
        quantity = int(wanted["quantity"])
        if article is None or article["blocked"] or price is None or quantity < 1:
            raise Refused(409, "not_sold", f"the tills cannot sell {quantity} of {wanted['sku']}")
        row = {"n": n, "sku": article["sku"], "label": article["label"], "qty": quantity, "price": price["price"]}
        rows.append(row | {"disc": 0, "sum": price["price"] * quantity, "vat": VAT})
    number = system.tables["receipts"].number
    doc = {"id": f"R{store['id']}-{number:06d}", "store": store["id"], "till": 1, "at": epoch(system.now())}
    doc |= {"tender": ask.get("tender", "CARD"), "void": False, "rows": rows, "total": sum(r["sum"] for r in rows)}
    if ask.get("phone") is not None:
        doc["phone"] = ask["phone"]
    system.tables["receipts"].number += 1
    if store["id"] in system.offline:
        system.offline[store["id"]].append(doc)
        return doc
    return system.add("receipts", doc)


def cut_off(system: System, ask: Doc) -> Doc:
    """The tills of a store lose their line: ``{store}``; they sell on."""
    store = _store(system, ask)
    system.offline.setdefault(store["id"], [])
    return store


def back_online(system: System, ask: Doc) -> Doc:
    """The line is there again: ``{store}``; the shift is closed and posted, with every receipt of it."""
    store = _store(system, ask)
    receipts = system.offline.pop(store["id"], [])
    now = epoch(system.now())
    shift = {
        "id": f"Z{store['id']}-{system.tables['shifts'].number:06d}", "store": store["id"], "till": 1, "closed": now,
        "opened": min((doc["at"] for doc in receipts), default=now), "receipts": [doc["id"] for doc in receipts],
        "total": sum((doc["total"] for doc in receipts), Decimal(0)),
    }  # fmt: skip
    system.tables["shifts"].number += 1
    for doc in receipts:
        system.add("receipts", doc | {"shift": shift["id"]})
    return system.add("shifts", shift)


def take_back(system: System, ask: Doc) -> Doc:
    """The desk takes back what was bought online: ``{store, number, lines: [{line, quantity, to}], refunds?}``.

    ``refunds``: [{tender, sum}]; without, the money goes back to the order's tenders from the last one on.
    """
    store = _store(system, ask)
    order = next((doc for doc in system.docs("online_orders") if doc["number"] == ask["number"]), None)
    if order is None:
        system.books.enter("turned_away", system.now(), number=ask["number"], store=store["code"])
        raise Refused(404, "unknown_order", f"the desk knows no order {ask['number']} that may be brought here")
    sold = {row["line"]: row for row in order["rows"]}
    rows, total = [], Decimal(0)
    for n, wanted in enumerate(ask["lines"], 1):
        row = sold[str(wanted["line"])]
        amount = Decimal(row["sum"]) * int(wanted["quantity"]) / Decimal(row["qty"])
        total += amount
        facts = {"n": n, "line": row["line"], "sku": row["sku"], "qty": int(wanted["quantity"]), "sum": amount}
        rows.append(facts | {"to": wanted.get("to", "QUARANTINE")} | ({"vat": row["vat"]} if "vat" in row else {}))
    refunds = ask.get("refunds")
    if refunds is None:
        refunds, left = [], total
        for tender in reversed(order.get("tenders", [])):
            part = min(left, Decimal(tender["sum"]))
            if part > 0:
                refunds.append({"tender": tender["key"], "sum": part})
            left -= part
    number = system.tables["returns"].number
    doc = {"id": f"V{store['id']}-{number:06d}", "store": store["id"], "till": 1, "at": epoch(system.now())}
    doc |= {"order": order["id"], "rows": rows, "total": total}
    doc["refunds"] = [{"n": n, **refund} for n, refund in enumerate(refunds, 1)]
    system.tables["returns"].number += 1
    return system.add("returns", doc)


def _took_back(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        return
    order = system.get("online_orders", new["order"])
    kinds = {tender["key"]: tender["kind"] for tender in order.get("tenders", [])}
    system.books.enter(
        "return", system.now(), id=new["id"], number=order["number"],
        store=system.get("stores", new["store"])["code"], total=_money(new["total"]),
        lines=[{"sku": row["sku"], "quantity": str(row["qty"]), "to": row["to"],
                "tax_rate": str(row["vat"]) if "vat" in row else None} for row in new["rows"]],
        payments=[{"kind": kinds.get(one["tender"]), "amount": _money(one["sum"])} for one in new["refunds"]], why=by,
    )  # fmt: skip


_WRITES = frozenset({"create", "update"})


def _by_sku(doc: Doc) -> str:
    return str(doc["sku"])


def _by_id(doc: Doc) -> str:
    return str(doc["id"])


POS = Design(
    name="pos",
    written=epoch,
    resolution=timedelta(seconds=1),
    lists=Lists(style="keyset", size=100, since="since", position="after", reference="reference", envelope=_envelope),
    acts={"sell": sell, "cut_off": cut_off, "back_online": back_online, "take_back": take_back},
    collections={
        "stores": Collection(id="id", stamp="modified"),
        "articles": Collection(id="sku", stamp="modified", key=_by_sku, allows=_WRITES, then=_named),
        "prices": Collection(id="sku", stamp="modified", key=_by_sku, allows=_WRITES, check=_check_price, then=_priced),
        "receipts": Collection(id="id", stamp="modified", key=_by_id, then=_sold, first=1001),
        "shifts": Collection(id="id", stamp="modified", key=_by_id),
        "online_orders": Collection(
            id="id", stamp="modified", number="W-{:06d}", allows=_WRITES, reference="reference", once=True
        ),
        "returns": Collection(id="id", stamp="modified", key=_by_id, then=_took_back),
    },
)

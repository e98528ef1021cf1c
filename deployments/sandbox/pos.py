"""The tills of the two stores: articles, prices and receipts; a receipt is paid for and handed over.

What surprises here: a till sells what lies on the counter; it knows no stock and asks nobody.
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
        system.books.enter("sale", system.now(), **facts, currency="KZT", lines=lines, why=by)


def sell(system: System, ask: Doc) -> Doc:
    """A till sells: ``{store: code, lines: [{sku, quantity}], tender?, phone?}``; the receipt is final."""
    store = next((doc for doc in system.docs("stores") if doc["code"] == ask["store"]), None)
    if store is None:
        raise Refused(404, "unknown_store", f"no store {ask['store']}")
    rows = []
    for n, wanted in enumerate(ask["lines"], 1):
        article, price = system.find("articles", str(wanted["sku"])), system.find("prices", str(wanted["sku"]))
        quantity = int(wanted["quantity"])
        if article is None or article["blocked"] or price is None or quantity < 1:
            raise Refused(409, "not_sold", f"the tills cannot sell {quantity} of {wanted['sku']}")
        row = {"n": n, "sku": article["sku"], "label": article["label"], "qty": quantity, "price": price["price"]}
        rows.append(row | {"disc": 0, "sum": price["price"] * quantity})
    number = system.tables["receipts"].number
    doc = {"id": f"R{store['id']}-{number:06d}", "store": store["id"], "till": 1, "at": epoch(system.now())}
    doc |= {"tender": ask.get("tender", "CARD"), "void": False, "rows": rows, "total": sum(r["sum"] for r in rows)}
    if ask.get("phone") is not None:
        doc["phone"] = ask["phone"]
    system.tables["receipts"].number += 1
    return system.add("receipts", doc)


_WRITES = frozenset({"create", "update"})


def _by_sku(doc: Doc) -> str:
    return str(doc["sku"])


POS = Design(
    name="pos",
    written=epoch,
    resolution=timedelta(seconds=1),
    lists=Lists(style="keyset", size=100, since="since", position="after", envelope=_envelope),
    acts={"sell": sell},
    collections={
        "stores": Collection(id="id", stamp="modified"),
        "articles": Collection(id="sku", stamp="modified", key=_by_sku, allows=_WRITES, then=_named),
        "prices": Collection(id="sku", stamp="modified", key=_by_sku, allows=_WRITES, check=_check_price, then=_priced),
        "receipts": Collection(id="id", stamp="modified", key=lambda d: d["id"], then=_sold, first=1001),
    },
)

"""The tills of the stores: articles, prices, receipts (paid for and handed over), shifts, and the desk for returns.

What surprises here: a till sells what lies on the counter; it knows no stock and asks nobody, except of an article that
has a shelf in its store: that one says how many may be sold, and goes down with each sale. A store that is offline
sells on; its receipts are posted later, with their shift, and say when they were made. The desk takes back what was
bought online only when it knows the order. An exchange is one document: what came back pays what left. Every document
carries the fiscal receipt that was issued for it.
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
    rows = _rung_up(system, store, ask["lines"])
    number = system.tables["receipts"].number
    doc = {"id": f"R{store['id']}-{number:06d}", "store": store["id"], "till": 1, "at": epoch(system.now())}
    doc |= {"tender": ask.get("tender", "CARD"), "void": False, "rows": rows, "total": sum(r["sum"] for r in rows)}
    doc["fiscal"] = _fiscal(system, doc["id"])
    if ask.get("phone") is not None:
        doc["phone"] = ask["phone"]
    system.tables["receipts"].number += 1
    if store["id"] in system.offline:
        system.offline[store["id"]].append(doc)
        return doc
    return system.add("receipts", doc)


def _off_the_shelf(system: System, store: Doc, sku: str, quantity: int) -> None:
    """The shelf of an article, where it has one, goes down; with less on it nothing is sold."""
    shelf = system.find("shelves", f"{store['id']}:{sku}")
    if shelf is None:
        return
    if shelf["units"] < quantity:
        raise Refused(409, "sold_out", f"the shelf of {store['code']} does not show {quantity} of {sku}")
    system.put("shelves", shelf | {"units": shelf["units"] - quantity}, by="system", id=shelf["id"])


def _rung_up(system: System, store: Doc, lines: list[Doc]) -> list[Doc]:
    """Rows of goods that leave over the counter, at the tills' prices."""
    rows = []
    for n, wanted in enumerate(lines, 1):
        article, price = system.find("articles", str(wanted["sku"])), system.find("prices", str(wanted["sku"]))
        quantity = int(wanted["quantity"])
        if article is None or article["blocked"] or price is None or quantity < 1:
            raise Refused(409, "not_sold", f"the tills cannot sell {quantity} of {wanted['sku']}")
        _off_the_shelf(system, store, article["sku"], quantity)
        row = {"n": n, "sku": article["sku"], "label": article["label"], "qty": quantity, "price": price["price"]}
        rows.append(row | {"disc": 0, "sum": price["price"] * quantity, "vat": VAT})
    return rows


def _fiscal(system: System, number: str) -> list[Doc]:
    """The fiscal receipt that the till issued with a document."""
    fiscal = f"KZ{number.replace('-', '')}"
    return [{"number": fiscal, "at": epoch(system.now()), "url": f"https://ofd.example/{fiscal}"}]


def pickup(system: System, ask: Doc) -> Doc:
    """Somebody in a store has set an order's goods aside: ``{store, number, desk}``; what the desk answers.

    ``desk`` is the address at which the tills may ask (http://127.0.0.1 only). Refused when it says no.
    """
    store = _store(system, ask)
    question = {"resource": "pickup", "id": f"P{store['id']}-{ask['number']}", "number": str(ask["number"]),
                "store": store["code"]}
    answer = system.ask(f"{ask['desk']}/pickup", question)
    if answer["answer"] != "accepted":
        raise Refused(409, "not_collected_here", str(answer["because"]))
    return answer


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


def _rung_up_here(system: System, number: str) -> Doc | None:
    """A receipt as the desk knows an order."""
    receipt = system.find("receipts", number)
    if receipt is None:
        return None
    rows = [{**row, "line": str(row["n"])} for row in receipt["rows"]]
    tender = {"key": "1", "kind": receipt["tender"].lower(), "sum": receipt["total"]}
    return {"id": receipt["id"], "number": receipt["id"], "rows": rows, "tenders": [tender]}


def take_back(system: System, ask: Doc) -> Doc:
    """The desk takes back what was bought online: ``{store, number, lines: [{line, quantity, to}], refunds?}``, or at
    a till (``receipt`` in the place of ``number``); a line is named by its key or, as on its label, by its SKU.

    ``refunds``: [{tender, sum}]; without, the money goes back to the order's tenders from the last one on.
    """
    store = _store(system, ask)
    if ask.get("receipt") is not None:
        order = _rung_up_here(system, str(ask["receipt"]))
    else:
        order = next((doc for doc in system.docs("online_orders") if doc["number"] == ask["number"]), None)
    if order is None:
        number = ask.get("number", ask.get("receipt"))
        system.books.enter("turned_away", system.now(), number=number, store=store["code"])
        raise Refused(404, "unknown_order", f"the desk knows no order {number} that may be brought here")
    sold = {row["sku"]: row for row in order["rows"]} | {row["line"]: row for row in order["rows"]}
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
    doc |= {"order": order["id"], "rows": rows, "total": total, "fiscal": _fiscal(system, doc["id"])}
    doc["refunds"] = [{"n": n, **refund} for n, refund in enumerate(refunds, 1)]
    system.tables["returns"].number += 1
    return system.add("returns", doc)


def exchange(system: System, ask: Doc) -> Doc:
    """Goods of an online order (``number``) or a ``receipt`` come back for others: ``{store, back: [{line, quantity,
    to?}], lines: [{sku, quantity}]}``.

    ``tender``: how the difference is paid; what is over goes back to the order's last tender.
    """
    store = _store(system, ask)
    known = system.docs("online_orders") if ask.get("number") is not None else system.docs("receipts")
    sold = next((doc for doc in known if ask.get("number", ask.get("receipt")) in (doc.get("number"), doc["id"])), None)
    if sold is None:
        raise Refused(404, "unknown_order", "the desk knows no such order or receipt")
    lines = {str(row.get("line", row.get("n"))): row for row in sold["rows"]}
    back: list[Doc] = []
    for n, wanted in enumerate(ask["back"], 1):
        row = lines[str(wanted["line"])]
        amount = Decimal(row["sum"]) * int(wanted["quantity"]) / Decimal(row["qty"])
        facts = {"n": n, "line": str(wanted["line"]), "sku": row["sku"], "qty": int(wanted["quantity"]), "sum": amount}
        back.append(facts | {"to": wanted.get("to", "SHELF")} | ({"vat": row["vat"]} if "vat" in row else {}))
    rows = _rung_up(system, store, ask["lines"])
    worth, total = sum(row["sum"] for row in back), sum(row["sum"] for row in rows)
    tenders: list[Doc] = [{"n": 1, "kind": "EXCHANGE", "sum": min(worth, total)}]
    refunds: list[Doc] = [{"n": 1, "sum": min(worth, total)}]
    if total > worth:
        tenders.append({"n": 2, "kind": ask.get("tender", "CARD"), "sum": total - worth})
    if worth > total:
        key = sold["tenders"][-1]["key"] if "tenders" in sold else "1"
        refunds.append({"n": 2, "tender": key, "sum": worth - total})
    number = f"X{store['id']}-{system.tables['exchanges'].number:06d}"
    doc = {"id": number, "store": store["id"], "till": 1, "at": epoch(system.now()), "order": sold["id"], "back": back}
    doc |= {"rows": rows, "tenders": tenders, "refunds": refunds, "total": total, "fiscal": _fiscal(system, number)}
    system.tables["exchanges"].number += 1
    return system.add("exchanges", doc)


def _exchanged(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        return
    store = system.get("stores", new["store"])["code"]
    sold = [{"sku": row["sku"], "quantity": str(row["qty"]), "total": _money(row["sum"])} for row in new["rows"]]
    system.books.enter("sale", system.now(), id=new["id"], store=store, total=_money(new["total"]), sold_at=new["at"],
                       shift=None, currency="KZT", lines=sold, why=by)  # fmt: skip
    system.books.enter(
        "return", system.now(), id=new["id"], number=new["order"], store=store,
        total=_money(sum(one["sum"] for one in new["refunds"])),
        lines=[{"sku": row["sku"], "quantity": str(row["qty"]), "to": row["to"],
                "tax_rate": str(row["vat"]) if "vat" in row else None} for row in new["back"]],
        payments=[{"kind": one.get("tender", "EXCHANGE"), "amount": _money(one["sum"])} for one in new["refunds"]],
        why=by,
    )  # fmt: skip


def _took_back(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        return
    order = _rung_up_here(system, new["order"]) or system.get("online_orders", new["order"])
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


def _by_place(doc: Doc) -> str:
    return f"{doc['store']}:{doc['sku']}"


def _check_shelf(system: System, old: Doc | None, new: Doc, by: By) -> None:
    system.get("stores", str(new["store"]))
    if system.find("articles", new["sku"]) is None or new["units"] < 0:
        raise Refused(422, "bad_shelf", f"there is no shelf of {new['units']} {new['sku']}", field="units")


def _by_product(doc: Doc) -> str:
    return str(doc["code"])


def _by_id(doc: Doc) -> str:
    return str(doc["id"])


POS = Design(
    name="pos",
    written=epoch,
    resolution=timedelta(seconds=1),
    lists=Lists(style="keyset", size=100, since="since", position="after", reference="reference", envelope=_envelope),
    acts={
        "sell": sell, "pickup": pickup, "cut_off": cut_off, "back_online": back_online, "bring_back": take_back,
        "exchange": exchange,
    },
    collections={
        "stores": Collection(id="id", stamp="modified"),
        "articles": Collection(id="sku", stamp="modified", key=_by_sku, allows=_WRITES, then=_named),
        "prices": Collection(id="sku", stamp="modified", key=_by_sku, allows=_WRITES, check=_check_price, then=_priced),
        "shelves": Collection(
            id="id", stamp="modified", key=_by_place, allows=_WRITES, check=_check_shelf, version="revision"
        ),
        "receipts": Collection(id="id", stamp="modified", key=_by_id, then=_sold, first=1001),
        "cards": Collection(id="code", stamp="modified", key=_by_product, allows=_WRITES),
        "shifts": Collection(id="id", stamp="modified", key=_by_id),
        "online_orders": Collection(
            id="id", stamp="modified", number="W-{:06d}", allows=_WRITES, reference="reference", once=True
        ),
        "returns": Collection(id="id", stamp="modified", key=_by_id, then=_took_back),
        "exchanges": Collection(id="id", stamp="modified", key=_by_id, then=_exchanged),
    },
)

"""Tryton's sale points (module `sale_point`) as tills: articles and their prices into them, receipts out of them.

What surprises here (seen on trytond_sale_point 8.0.0, November 2026; the rest stands in tryton.py):

* A till and an ERP may be one database, and a sale and a receipt may have the same id: so the tills are a platform of
  their own, on a channel of their own beside the ERP's.
* A receipt has a number from *done* on, and keeps it when somebody opens it again; before that it is no receipt. Its
  goods leave Tryton's stock, in one move, only when it is *posted*.
* The day of a receipt is a date; its moment is that of its record. A session (only cash has one) opens with the first
  cash payment after the last was closed; closing it moves no receipt's stamp, so sessions are watched too.
* Amounts are computed from unit prices with (`unit_gross_price`) and without tax, rounded per line, halves to even;
  what comes back is a negative quantity of a receipt that names no other; change is a negative payment, in cash.
* A receipt knows no buyer, no order of another channel, and no other receipt: who brings goods back on the day of the
  sale has the receipt opened again. A till without a line sells nothing: it is a screen of the server's.
* A till asks the *gross price* of an article, with tax, which is the module's own field; without one it asks the list
  price and adds the tax. Neither follows the other over RPC (the client computes them), so both are written. A price
  of the product wins over its template's; both have four decimals at most, and more are refused.
* A name is the template's: all products of a template are called alike. An article of ours gets a template of its own;
  where several share one, nobody's name is written.
* A code is unique among active products (prefix of the template + suffix of the product): it is our reference. A
  barcode must have the right check digit, or nothing of the article is taken. Taking an article off sale that is still
  in stock is a UserWarning, which only ``_skip_warnings`` in the context passes over.
* Tryton calls nobody. So it is asked every few seconds which receipts changed of late; its stamps tell one change of a
  receipt from the next, and each is told once.
* Reading receipts takes the group *POS*, writing articles *Product Administration*; a group that is missing is a
  UserError inside HTTP 200.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from connectors.answers import Unsure
from connectors.base import Doc, Notice, Receipt, Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.tryton import Refused, Tryton
from connectors.tryton_facts import ONLY, STAMP, TILL, adjusted, barcode, expected, naive
from connectors.verified import Verified
from connectors.window import moment

LOOKS_EVERY = 5.0
TOGETHER = 100
"""Prices go out together, so many in a call."""


class TrytonPoint(Tryton):
    """The sale points of one company of a Tryton database; ``url``, secrets and options as `Tryton` has them.

    Options: ``category`` (name of the accounting category that new articles get: their accounts and taxes; not needed
    where Tryton has one only), ``looks_every`` (5; seconds between two questions for new receipts).
    """

    platform = "tryton_point"
    verified = Verified(
        when="2026-11", simulator="stateful, its answers and refusals compared with the real one's",
        real="trytond_sale_point 8.0.0 on PostgreSQL 15",
    )  # fmt: skip
    resources = TILL
    listens = True

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = adjusted(TILL, self.options)
        self._ids: dict[tuple[str, str], int] = {}
        """What new articles are made of: (model, name) → id, units by their symbol; read once."""
        self._looks_every = float(self.options.get("looks_every", LOOKS_EVERY))
        self._looked_at = -self._looks_every
        self._told: frozenset[str] = frozenset()
        """Which changes of receipts were told, of those that are still young."""

    def check(self) -> None:
        """Logs in, and looks up what new articles are made of."""
        super().check()
        self._looked_up()

    @property
    def works(self) -> Mapping[str, Callable[[Write], Receipt]]:
        """Resource → what a write of it takes; prices beside."""
        return {**super().works, "variants": self._kept_article, "prices": self._kept_price}

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order; prices together. Raises RetryLater or Misconfigured when the rest was not
        sent."""
        if resource != "prices" or any(write.op == "delete" for write in writes):
            yield from super().write(resource, writes)
            return
        for start in range(0, len(writes), TOGETHER):
            yield from self._priced(writes[start : start + TOGETHER])

    def kept(self, wait: float = 0.0) -> Iterator[Sequence[Notice]]:
        """The receipts that changed since the last look, when the next is due; none where that is after ``wait``.

        Whoever looks for the first time is told what changed of late.
        """
        due = self._looked_at + self._looks_every - time.monotonic()
        time.sleep(max(0.0, min(due, wait)))
        if due > wait:
            return
        self._looked_at = time.monotonic()
        facts = self.facts("receipts")
        since = self.ports.clock.now() - timedelta(seconds=facts.lag + self._looks_every)
        domain = [*ONLY["receipts"], [STAMP, ">=", naive(since)]]
        rows = self._rows(facts.path, domain, ["number"], order=[[STAMP, "ASC"], ["id", "ASC"]])
        young = {f"receipts {row['id']} {row['_timestamp']}": row for row in rows}
        yield [
            Notice(delivery=delivery, resource="receipts", id=str(row["id"]), at=at)
            for delivery, row in young.items() if delivery not in self._told and (at := moment(row[STAMP])) is not None
        ]  # fmt: skip
        self._told = frozenset(young)  # who asked has stored them

    # ── articles ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _kept_article(self, write: Write) -> Receipt:
        """A product with its code, name, barcode and unit as the document has them, of a template of its own."""
        doc = write.doc
        if write.op == "create":
            found = self._by_key("variants", str(doc["code"])) if write.attempt > 1 else None
            if found is not None:
                return Receipt(outcome="applied", id=str(found["id"]), doc=found)
            return self._new_article(doc)
        if doc == {"active": False}:  # what is taken off sale needs no look
            self.result("model.product.product.write", [int(str(write.id))], doc, _skip_warnings=True,
                        _timestamp=expected("product.product", write))  # fmt: skip
            return self._receipt("variants", int(str(write.id)))
        held = next(iter(self._documents("variants", [int(str(write.id))])), None)
        if held is None:
            return Receipt(outcome="rejected", id=write.id, detail=f"{self.channel}: product {write.id} does not exist")
        product, template = self._changes(held, doc)
        if template:
            nested = {"products": [["write", [held["id"]], product]]} if product else {}
            self.result("model.product.template.write", [held["template"]["id"]], {**template, **nested},
                        _skip_warnings=True, _timestamp=expected("product.product", write))  # fmt: skip
        elif product:
            self.result("model.product.product.write", [held["id"]], product, _skip_warnings=True,
                        _timestamp=expected("product.product", write))  # fmt: skip
        return self._receipt("variants", held["id"])

    def _new_article(self, doc: Doc) -> Receipt:
        unit = self._unit(doc)
        product: Doc = {"suffix_code": doc["code"], "active": doc.get("active", True)}
        if doc.get("ean") is not None:
            product["identifiers"] = [["create", [{"type": "ean", "code": doc["ean"]}]]]
        made = self.result("model.product.template.create", [{
            "name": (doc.get("template") or {}).get("name"), "type": "goods", "default_uom": unit, "sale_uom": unit,
            "salable": True, "account_category": self._category(), "products": [["create", [product]]],
        }])  # fmt: skip
        (row,) = self._rows("product.product", [["template", "=", made[0]], ["active", "in", [True, False]]], ["id"])
        return self._receipt("variants", row["id"])

    def _changes(self, held: Doc, doc: Doc) -> tuple[Doc, Doc]:
        """What is to be written of a product, and of its template, so that they are as the document says."""
        product, template = dict[str, Any](), dict[str, Any]()
        prefix, active = held["template"]["code"] or "", doc.get("active")
        if doc.get("code", held["code"]) != held["code"]:
            code = str(doc["code"])
            if not code.startswith(prefix):
                raise Refused(f"{self.channel}: every code of template {prefix} begins so; {code} does not")
            product["suffix_code"] = code.removeprefix(prefix)
        if active is not None and active != held["active"]:
            product["active"] = active
        if active is True and not held["template"]["active"]:
            template["active"] = True
        first = barcode(held)
        if "ean" in doc and doc["ean"] != first["code"]:
            product["identifiers"] = [_of_barcode(first["id"], doc["ean"])]
        name = (doc.get("template") or {}).get("name")
        alone = not set(held["template"]["products"]) - {held["id"]}
        if name is not None and name != held["template"]["name"] and alone:
            template["name"] = name
        if "default_uom" in doc and doc["default_uom"]["symbol"] != held["default_uom"]["symbol"]:
            template |= dict.fromkeys(("default_uom", "sale_uom"), self._unit(doc))
        return product, template

    def _looked_up(self) -> None:
        for row in self._rows("product.uom", [], ["symbol"]):
            self._ids["product.uom", str(row["symbol"])] = int(row["id"])
        for row in self._rows("product.category", [["accounting", "=", True]], ["name"]):
            self._ids["product.category", str(row["name"])] = int(row["id"])

    def _unit(self, doc: Doc) -> int:
        symbol = str((doc.get("default_uom") or {}).get("symbol", "u"))
        if ("product.uom", symbol) not in self._ids:
            self._looked_up()
        if ("product.uom", symbol) not in self._ids:
            raise Refused(f"{self.channel}: Tryton has no unit with symbol {symbol}; add it there")
        return self._ids["product.uom", symbol]

    def _category(self) -> int:
        """The accounting category of new articles: the option's, else the only one."""
        name = self.options.get("category")
        fit = {own: id for (model, own), id in self._ids.items() if model == "product.category"}
        found = list(fit.values()) if name is None else [fit[name]] if name in fit else []
        if len(found) != 1:
            raise Refused(
                f"{self.channel}: Tryton has {'no' if not found else 'more than one'} accounting category"
                f"{'' if name is None else f' called {name}'}; name one of {', '.join(sorted(fit)) or 'yours'} as "
                "`settings: {category: …}`"
            )
        return found[0]

    # ── prices ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _kept_price(self, write: Write) -> Receipt:
        self.result("model.product.product.write", *_call([write]), _timestamp=_expected([write]))
        return self._receipt("prices", int(_product(write)))

    def _priced(self, writes: Sequence[Write]) -> Iterator[Receipt]:
        """All in one transaction; where it is refused, each by itself, so that one bad price stops no other."""
        try:
            self.result("model.product.product.write", *_call(writes), _timestamp=_expected(writes))
        except (Refused, ValueError):
            for write in writes:
                yield self._tried(self._kept_price, write)
            return
        except (Unsure, ShapeChanged) as fault:
            yield from (Receipt(outcome="unknown", id=write.id, detail=str(fault)) for write in writes)
            return
        try:
            docs = {doc["id"]: doc for doc in self._documents("prices", [int(_product(write)) for write in writes])}
        except (Misconfigured, RetryLater, ShapeChanged, Unsure):
            docs = {}  # what was written is written; the next read completes the picture
        for write in writes:
            id = _product(write)
            yield Receipt(outcome="applied", id=id, doc=docs.get(int(id)))


def _product(write: Write) -> str:
    """The id of the product whose price it is."""
    return str(write.doc["product"] if write.id is None else write.id)


def _call(writes: Sequence[Write]) -> list[Any]:
    """Ids and values, one pair after the other."""
    found: list[Any] = []
    for write in writes:
        values = {name: write.doc[name] for name in ("gross_price", "list_price") if name in write.doc}
        found += [[int(_product(write))], values]
    return found


def _expected(writes: Sequence[Write]) -> dict[str, str]:
    found: dict[str, str] = {}
    for write in writes:
        found |= expected("product.product", write)
    return found


def _of_barcode(id: int | None, code: str | None) -> list[Any]:
    """What makes the identifier the barcode; null takes it away."""
    if code is None:
        return ["delete", [id]]
    return ["create", [{"type": "ean", "code": code}]] if id is None else ["write", [id], {"code": code}]

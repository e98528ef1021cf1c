"""How documents are written to Odoo: each kind in steps that may be repeated, a sale led to its state, goods moved.

What surprises here: see odoo.py. A sale whose total Odoo makes another than the buyer paid is cancelled again and
rejected; nothing is adjusted silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.base import Doc, Receipt, Write
from connectors.errors import RetryLater, ShapeChanged
from connectors.odoo_facts import FIELDS, KEY, OPEN, PAYMENT, Refused, head, id_of, older, or_false, parted
from connectors.odoo_moves import Moves
from connectors.writes import NOT_FOUND, holds

if TYPE_CHECKING:
    from connectors.odoo import Odoo

DRAFTS = ("draft", "sent")
TOLD = (PAYMENT, "client_order_ref")
"""What of a sale may change at any time."""
HANDED_OVER = "handed over"
"""The note of a delivery that no carrier ever had."""
WALK_IN = {"name": "Walk-in customer", "ref": "WALK-IN"}
"""The partner of sales whose buyer said nothing."""
LINKS = {"partner": "partner_id", "warehouse": "warehouse_id", "product": "product_id", "template": "product_tmpl_id"}
"""What a written document calls the id of a record → the field that tells it as ``[id, name]``."""


APART = (
    "order_line", "charges", "buyer", "shipping", "currency", "list_in", "lines", "delivered", "options", "list",
    "code", "categ", "order_id",
)  # fmt: skip
"""What of a written document no record holds under any name."""


class Writer:
    """The writes of one channel; what was looked up by name once is remembered."""

    def __init__(self, odoo: Odoo) -> None:
        self.odoo = odoo
        self.moves = Moves(self)
        self._known: dict[tuple[str, str], int] = {}

    def done(self, resource: str, write: Write) -> Receipt:
        """The receipt of a write that was carried out; raises Refused where Odoo says no, Unsure where nobody knows."""
        work = {"orders": self._order, "shipments": self.moves.shipment, "returns": self.moves.returned,
                "prices": self._price, "variants": self._variant}.get(resource, self._plain)  # fmt: skip
        return work(resource, write)

    def settled(self, resource: str, write: Write) -> Receipt:
        """What became of a write nobody answered: by its id, else by what a create leaves behind."""
        if write.id is not None:
            doc = self.odoo.fetch(resource, [write.id])[write.id]
            if doc is None:
                return Receipt(outcome="rejected", detail=f"{NOT_FOUND}the record does not exist")
            if holds(as_sent(doc, write.doc), _flat(write.doc)):
                return Receipt(outcome="applied", id=write.id, doc=doc)
            return Receipt(outcome="rejected", detail=f"{NOT_FOUND}the record does not hold what was sent")
        found = self.by_key(resource, write)
        if found is None:
            return Receipt(outcome="rejected", detail=f"{NOT_FOUND}no record carries our reference")
        if resource == "orders" and found["state"] in DRAFTS and write.doc.get("state") not in (None, found["state"]):
            return Receipt(outcome="rejected", detail=f"{NOT_FOUND}{found['name']} was created but not confirmed")
        return Receipt(outcome="applied", id=str(found["id"]), doc=found)

    # ── any record ───────────────────────────────────────────────────────────────────────────────────────────────

    def _plain(self, resource: str, write: Write) -> Receipt:
        """Products, partners, leads: values as they are, but for what is named by a word."""
        model = self.odoo.facts(resource).path
        if write.op == "update":
            self.odoo.result(model, "write", [id_of(write)], self._values(resource, write.doc))
            return self.receipt(resource, id_of(write))
        found = self.by_key(resource, write) if write.attempt > 1 else None
        if found is not None:
            return Receipt(outcome="applied", id=str(found["id"]), doc=found)
        field = str(self.odoo.facts(resource).reference)
        values = self._values(resource, write.doc)
        values[field] = values.get(field) or write.key
        return self.receipt(resource, self.made(model, values))

    def _values(self, resource: str, doc: Doc) -> Doc:
        """What Odoo is sent for a document: null is false, a country and a language are looked up."""
        values = {LINKS.get(name, name): or_false(value) for name, value in doc.items()}
        if "country_code" in values:
            code = values.pop("country_code")
            values["country_id"] = code and self._one("res.country", "code", str(code))
        if values.get("lang"):
            known = self.odoo.rows(
                "res.lang", [["code", "=like", f"{values['lang']}%"], ["active", "=", True]], ["code"]
            )
            values["lang"] = known[0]["code"] if known else False
        if values.get("categ"):
            values["categ_id"] = self._one("product.category", "name", str(values["categ"]))
        values.pop("categ", None)
        return values

    def made(self, model: str, values: Doc) -> int:
        made = self.odoo.result(model, "create", None, [values])
        if not isinstance(made, list) or len(made) != 1:
            raise ShapeChanged(f"{self.odoo.channel}: {model}.create: not the id of one record")
        return int(made[0])

    def _one(self, model: str, field: str, value: str) -> int:
        """The record that is called so; raises Refused where there is none."""
        if (model, value) not in self._known:
            found = self.odoo.rows(model, [[field, "=", value]], [field], limit=1)
            if not found:
                raise Refused(f"{self.odoo.channel}: Odoo has no {model} with {field} {value}; add it there")
            self._known[model, value] = int(found[0]["id"])
        return self._known[model, value]

    def receipt(self, resource: str, id: int, detail: str = "") -> Receipt:
        try:
            doc = next(iter(self.odoo.documents_of(resource, [["id", "in", [id]]])), None)
        except (RetryLater, ShapeChanged):
            doc = None  # what was written is written; the next read completes the picture
        return Receipt(outcome="applied", id=str(id), doc=doc, detail=detail)

    def by_key(self, resource: str, write: Write) -> Doc | None:
        """The oldest record that a create has left behind."""
        if resource == "prices":
            values = self._item(write.doc)
            names = ("pricelist_id", "product_id", "min_quantity")
            domain: list[Any] = [[name, "=", values[name]] for name in names if name in values]
        elif resource == "shipments":
            domain = [["sale_id", "=", int(write.doc["order_id"])]]
            if write.doc.get("carrier_tracking_ref") is not None:
                domain.append(["carrier_tracking_ref", "=", write.doc["carrier_tracking_ref"]])
        else:
            field = str(self.odoo.facts(resource).reference)
            domain = [[field, "=", write.doc.get(field) or write.key]]
            if resource == "orders" and write.doc.get("state") != "cancel":
                domain.append(["state", "!=", "cancel"])
        return next(iter(self.odoo.documents_of(resource, domain)), None)

    # ── goods ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _variant(self, resource: str, write: Write) -> Receipt:
        """A variant changed; a new one is the bare one of its product, or the one its options stand for."""
        doc = dict(write.doc)
        options = doc.pop("options", None) or []
        template, code = doc.pop("template", None), doc.pop("code", None)
        if write.op == "update":
            self.odoo.result("product.product", "write", [id_of(write)], self._values(resource, doc))
            return self.receipt(resource, id_of(write))
        found = self.by_key(resource, write) if write.attempt > 1 else None
        if found is not None:
            return Receipt(outcome="applied", id=str(found["id"]), doc=found)
        if template is None:
            return self.receipt(resource, self.made("product.product", self._values(resource, doc)))
        bare = self._bare(int(template), code) if not options else self._of_options(int(template), options)
        self.odoo.result("product.product", "write", [bare], self._values(resource, doc))
        return self.receipt(resource, bare)

    def _bare(self, template: int, code: str | None) -> int:
        """The only variant of a fresh product, which has no reference yet or its product's code."""
        rows = self.odoo.rows("product.product", [["product_tmpl_id", "=", template]], ["default_code"])
        free = [row["id"] for row in rows if row["default_code"] in (False, code)]
        if len(rows) != 1 or not free:
            raise Refused(f"{self.odoo.channel}: product {template} has its variant; another one needs options")
        return int(free[0])

    def _of_options(self, template: int, options: Sequence[Doc]) -> int:
        """The variant that Odoo makes of a product's attribute lines, once they hold these values."""
        lines = self.odoo.rows("product.template.attribute.line", [["product_tmpl_id", "=", template]],
                                ["attribute_id", "value_ids"])  # fmt: skip
        commands, wanted = list[Any](), set[int]()
        for option in options:
            attribute = self._named("product.attribute", {"name": option["name"]})
            value = self._named("product.attribute.value", {"name": option["value"], "attribute_id": attribute})
            wanted.add(value)
            line = next((line for line in lines if head(line["attribute_id"]) == attribute), None)
            if line is None:
                commands.append([0, 0, {"attribute_id": attribute, "value_ids": [[6, 0, [value]]]}])
            elif value not in line["value_ids"]:
                commands.append([1, line["id"], {"value_ids": [[4, value, 0]]}])
        if commands:
            self.odoo.result("product.template", "write", [template], {"attribute_line_ids": commands})
        values = {
            row["id"]: head(row["product_attribute_value_id"])
            for row in self.odoo.rows(
                "product.template.attribute.value", [["product_tmpl_id", "=", template]], ["product_attribute_value_id"]
            )
        }
        rows = self.odoo.rows("product.product", [["product_tmpl_id", "=", template], ["active", "=", True]],
                               ["default_code", "product_template_attribute_value_ids"])  # fmt: skip
        for row in rows:
            has = {values.get(id) for id in row["product_template_attribute_value_ids"]}
            if has >= wanted and row["default_code"] is False:
                return int(row["id"])
        raise Refused(f"{self.odoo.channel}: product {template} makes no free variant of these options")

    def _named(self, model: str, values: Doc) -> int:
        domain = [[name, "=", value] for name, value in values.items()]
        found = self.odoo.rows(model, domain, ["name"], limit=1)
        return int(found[0]["id"]) if found else self.made(model, values)

    def _price(self, resource: str, write: Write) -> Receipt:
        """A fixed price of a variant in a list."""
        if write.op == "update":
            if "@" in str(write.id):
                raise Refused(f"{self.odoo.channel}: price {write.id} is that of all variants; change it in Odoo")
            names = ("fixed_price", "min_quantity", "date_start", "date_end")
            values = {name: or_false(write.doc[name]) for name in names if name in write.doc}
            self.odoo.result("product.pricelist.item", "write", [id_of(write)], values)
            return self.receipt(resource, id_of(write))
        found = self.by_key(resource, write) if write.attempt > 1 else None
        if found is not None:
            return Receipt(outcome="applied", id=str(found["id"]), doc=found)
        return self.receipt(resource, self.made("product.pricelist.item", self._item(write.doc)))

    def _item(self, doc: Doc) -> Doc:
        values = {name: or_false(value) for name, value in doc.items() if name not in ("list", "product")}
        values |= {"pricelist_id": self._one("product.pricelist", "name", str(doc["list"])), "compute_price": "fixed",
                   "applied_on": "0_product_variant", "product_id": int(doc["product"])}  # fmt: skip
        return values

    # ── sales ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _order(self, resource: str, write: Write) -> Receipt:
        """A sale, found by our reference or created, then led to what the document asks for."""
        doc = write.doc
        if write.op == "update" and not {"state", "order_line", "delivered"} & set(doc):
            told = {name: or_false(doc[name]) for name in TOLD if name in doc}
            self.odoo.result("sale.order", "write", [id_of(write)], told)
            return self.receipt("orders", id_of(write))
        if write.op == "update":
            found = next(iter(self.odoo.documents_of("orders", [["id", "in", [id_of(write)]]])), None)
            if found is None:
                raise Refused(f"{self.odoo.channel}: sale {write.id} does not exist")
            self._agree(found, doc)
        else:
            found = self.by_key("orders", write) if write.attempt > 1 else None
        if found is None:
            id = self.made("sale.order", self._sale(write))
            found = self.odoo.rows("sale.order", [["id", "=", id]], FIELDS["sale.order"])[0]
        self._lead(found, write.doc)
        return self.receipt("orders", int(found["id"]))

    def _lead(self, sale: Doc, doc: Doc) -> None:
        """Afterwards the sale is confirmed, delivered or cancelled, as the document says."""
        wanted, id = doc.get("state"), int(sale["id"])
        changed = {name: doc[name] for name in TOLD if name in doc and or_false(doc[name]) != sale[name]}
        if changed:
            self.odoo.result("sale.order", "write", [id], {name: or_false(value) for name, value in changed.items()})
        if wanted == "cancel" and sale["state"] != "cancel":
            self.odoo.result("sale.order", "action_cancel", [id], context={"disable_cancel_warning": True})
        elif wanted == "sale" and sale["state"] in DRAFTS:
            self._confirm(sale, doc)
        if doc.get("delivered") is True and wanted != "cancel":
            for picking in self.odoo.rows("stock.picking", [["sale_id", "=", id], OPEN], ["state"]):
                self.odoo.result("stock.picking", "write", [int(picking["id"])], {"note": HANDED_OVER})
                self.moves.validate(int(picking["id"]), None)

    def _confirm(self, sale: Doc, doc: Doc) -> None:
        made, paid = Decimal(sale["amount_total"]), doc.get("amount_total")
        currency, wanted = sale["currency_id"][1], doc.get("currency")
        problem: Refused | None = None
        if (paid is not None and abs(made - Decimal(paid)) >= Decimal("0.005")) or wanted not in (None, currency):
            problem = Refused(
                f"{self.odoo.channel}: Odoo makes {made} {currency} of {sale['name']}, the buyer paid {paid}: "
                "are the taxes of its products included in prices? It was cancelled again"
            )
        try:
            if problem is None:
                self.odoo.result("sale.order", "action_confirm", [int(sale["id"])])
                return
        except Refused as fault:
            problem = fault
        self.odoo.result("sale.order", "action_cancel", [int(sale["id"])], context={"disable_cancel_warning": True})
        raise problem

    def _agree(self, sale: Doc, doc: Doc) -> None:
        """Raises Refused when the document's lines are no longer those of the sale: a person changes them."""
        if "order_line" not in doc or doc.get("state") == "cancel":
            return
        sent = {line[KEY]: Decimal(line["product_uom_qty"]) for line in doc["order_line"]}
        held = {line[KEY]: Decimal(line["product_uom_qty"]) for line in sale["order_line"] if line[KEY]}
        if sent != held:
            raise Refused(f"{self.odoo.channel}: {sale['name']} is {sale['state']}; change its lines in Odoo")

    def _sale(self, write: Write) -> Doc:
        """The values of a new sale; every line makes up what was paid for it, to the last digit."""
        doc = write.doc
        partner = (
            int(doc["partner"]) if doc.get("partner") is not None else self._buyer(doc.get("buyer") or {}, write.key)
        )
        lines = [
            [0, 0, {KEY: line[KEY], "product_id": int(line["product"]), "name": line.get("name") or line[KEY],
                    "product_uom_qty": pieces, "price_unit": price, "discount": 0, **self._tax(line.get("tax_rate"))}]
            for line in doc["order_line"]
            for pieces, price in parted(Decimal(line["product_uom_qty"]), Decimal(line["total"]))
        ]  # fmt: skip
        lines += [
            self._charge(charge) for charge in doc.get("charges") or [] if Decimal(charge.get("amount") or 0) != 0
        ]
        values = {"origin": write.key, "client_order_ref": doc.get("client_order_ref"), "partner_id": partner,
                  "partner_shipping_id": self._address(partner, doc.get("shipping")), "order_line": lines,
                        PAYMENT: doc.get(PAYMENT)}  # fmt: skip
        values |= {name: doc[name] for name in ("date_order",) if doc.get(name) is not None}
        if doc.get("list_in") is not None:
            values["pricelist_id"] = self._list_in(str(doc["list_in"]))
        if doc.get("warehouse") is not None:
            values["warehouse_id"] = int(doc["warehouse"])
        if "company" in self.odoo.options:
            values["company_id"] = int(self.odoo.options["company"])
        return {name: or_false(value) for name, value in values.items()}

    def _tax(self, rate: Any) -> Doc:
        """The tax of a line that was sold at a rate of which the setting `taxes` names Odoo's."""
        named = {Decimal(str(one)): str(name) for one, name in (self.odoo.options.get("taxes") or {}).items()}
        if rate is None or Decimal(str(rate)) not in named:
            return {}
        field = older(self.odoo.version, "sale.order.line").get("tax_ids") or "tax_ids"
        return {field: [[6, 0, [self._one("account.tax", "name", named[Decimal(str(rate))])]]]}

    def _charge(self, charge: Doc) -> list[Any]:
        kind, amount = str(charge["kind"]), Decimal(charge["amount"])
        code = (self.odoo.options.get("charges") or {}).get(kind)
        if code is None:
            raise Refused(f"{self.odoo.channel}: no product for {kind} of a sale; name its reference under `charges`")
        product = self._one("product.product", "default_code", str(code))
        return [0, 0, {"product_id": product, "name": kind, "product_uom_qty": 1, "price_unit": amount,
                       "is_delivery": kind == "delivery"}]  # fmt: skip

    def _list_in(self, currency: str) -> int:
        """A price list of the currency, since a sale's currency is that of its list."""
        if ("list in", currency) not in self._known:
            domain: list[Any] = [["currency_id.name", "=", currency], ["active", "=", True]]
            found = self.odoo.rows("product.pricelist", domain, ["name"], limit=1)
            if not found:
                raise Refused(f"{self.odoo.channel}: Odoo has no price list in {currency}; add one for its sales")
            self._known["list in", currency] = int(found[0]["id"])
        return self._known["list in", currency]

    def _buyer(self, buyer: Doc, key: str) -> int:
        """The partner of a buyer without an account: found by e-mail or telephone, else made."""
        for field, operator in (("email", "=ilike"), ("phone", "=")):
            if buyer.get(field) is not None:
                found = self.odoo.rows("res.partner", [[field, operator, buyer[field]], ["parent_id", "=", False]],
                                        ["name"], limit=1)  # fmt: skip
                if found:
                    return int(found[0]["id"])
        said = [buyer[name] for name in ("name", "email", "phone") if buyer.get(name) is not None]
        values: Doc = {**WALK_IN} if not said else {"name": said[0], "ref": key}
        known = self.odoo.rows("res.partner", [["ref", "=", values["ref"]]], ["name"], limit=1)
        if known:
            return int(known[0]["id"])
        told = {name: or_false(buyer.get(name)) for name in ("email", "phone")}
        return self.made("res.partner", {**values, **told})

    def _address(self, partner: int, wanted: Doc | None) -> int:
        """The partner's delivery address that says the same, or else a new one; the partner itself without one."""
        if not wanted:
            return partner
        names = ("name", "street", "street2", "city", "zip", "country_code", "phone")
        sent = {name: or_false(wanted.get(name)) for name in names}
        for row in self.odoo.rows("res.partner", [["parent_id", "=", partner], ["type", "=", "delivery"]], names):
            if all(row[name] == sent[name] for name in names):
                return int(row["id"])
        return self.made("res.partner", {**self._values("customers", sent), "parent_id": partner, "type": "delivery"})


def as_sent(doc: Doc, sent: Doc) -> Doc:
    """A record the way it is written, as far as something was sent: links as ids, false as null."""
    flat = _flat(sent)
    found = {name: doc[name] for name in flat if name in doc}
    for name, value in found.items():
        if isinstance(value, list):
            found[name] = head(value)
        elif value is False and not isinstance(flat[name], bool):
            found[name] = "" if flat[name] == "" else None
        elif name == "lang" and isinstance(value, str) and isinstance(flat[name], str):
            found[name] = flat[name] if value.startswith(flat[name]) else value
    return found


def _flat(sent: Doc) -> Doc:
    """What of a document stands in the record, under the record's names."""
    return {LINKS.get(name, name): value for name, value in sent.items() if name not in APART}

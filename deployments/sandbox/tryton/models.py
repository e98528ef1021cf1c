"""What the simulated Tryton knows: its models, their fields, and how its refusals name both.

What surprises here: as in Tryton, a product answers for fields of its template (``via``), a price is per company, and
``total``, ``list_price_used``, ``email`` and their like are computed (trade.py). Taken from trytond 8.0.12 and
trytond_sale_point 8.0.0 (PyPI, read 2026-11-23); fields that nobody here asks for are left out, and asking for one is
the KeyError that it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field: ``of`` and ``inverse`` of a relation, ``via`` the link through which another record has it."""

    type: str = "char"
    label: str = ""
    of: str = ""
    inverse: str = ""
    required: bool = False
    default: Any = None
    digits: int | None = None
    via: str = ""
    computed: bool = False
    among: tuple[str | None, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model: what people call it, and its fields beside the usual ones."""

    label: str
    fields: Mapping[str, Field]


def _link(of: str, label: str = "", **more: Any) -> Field:
    return Field(type="many2one", of=of, label=label, **more)


def _rows(of: str, inverse: str, **more: Any) -> Field:
    return Field(type="one2many", of=of, inverse=inverse, **more)


_ACTIVE = Field(type="boolean", label="Active", default=True)
_PRICE = Field(type="numeric", digits=4)
_MONEY = Field(type="numeric", computed=True)
_STATES: Final = ("open", "done", "posted", "cancelled")
USUAL: Mapping[str, Field] = {
    "create_date": Field(type="timestamp"), "last_modified_at": Field(type="timestamp"),
    "_timestamp": Field(computed=True),
}  # fmt: skip
MODELS: Mapping[str, Model] = {
    "res.lang": Model(label="Language", fields={"code": Field()}),
    "country.country": Model(label="Country", fields={"code": Field(), "name": Field()}),
    "currency.currency": Model(label="Currency", fields={"code": Field(), "name": Field()}),
    "party.party": Model(label="Party", fields={
        "name": Field(label="Name"), "code": Field(label="Code"), "active": _ACTIVE, "lang": _link("res.lang"),
        "email": Field(computed=True), "phone": Field(computed=True),
        "addresses": _rows("party.address", "party"), "identifiers": _rows("party.identifier", "party"),
        "contact_mechanisms": _rows("party.contact_mechanism", "party"),
    }),
    "party.address": Model(label="Address", fields={
        "party": _link("party.party", "Party", required=True), "street_unstructured": Field(), "city": Field(),
        "postal_code": Field(), "country": _link("country.country", "Country"), "active": _ACTIVE,
        "sequence": Field(type="integer"),
    }),
    "party.identifier": Model(label="Party Identifier", fields={
        "party": _link("party.party", "Party", required=True), "type": Field(), "code": Field(required=True),
    }),
    "party.contact_mechanism": Model(label="Contact Mechanism", fields={
        "party": _link("party.party", "Party", required=True), "type": Field(), "value": Field(), "active": _ACTIVE,
        "sequence": Field(type="integer"),
    }),
    "product.uom": Model(label="Unit of Measure", fields={"name": Field(), "symbol": Field(label="Symbol")}),
    "account.tax": Model(label="Tax", fields={"name": Field(), "rate": Field(type="numeric")}),
    "product.category": Model(label="Product Category", fields={
        "name": Field(label="Name", required=True), "accounting": Field(type="boolean", default=False),
        "customer_taxes": Field(type="many2many", of="account.tax", default=()),
    }),
    "product.template": Model(label="Product Template", fields={
        "name": Field(label="Name", required=True), "code": Field(label="Code"), "active": _ACTIVE,
        "type": Field(label="Type", required=True, default="goods", among=("goods", "assets", "service")),
        "salable": Field(type="boolean", default=False), "consumable": Field(type="boolean", default=False),
        "default_uom": _link("product.uom", "Default UoM", required=True), "sale_uom": _link("product.uom", "Sale UoM"),
        "account_category": _link("product.category", "Account Category"),
        "list_price": Field(type="numeric", label="List Price", digits=4),
        "gross_price": Field(type="numeric", label="Gross Price", digits=4),
        "products": _rows("product.product", "template"),
    }),
    "product.product": Model(label="Product", fields={
        "template": _link("product.template", "Product Template", required=True), "active": _ACTIVE,
        "suffix_code": Field(label="Suffix Code"), "code": Field(label="Code"), "description": Field(type="text"),
        "list_price": Field(type="numeric", label="List Price", digits=4),
        "gross_price": Field(type="numeric", label="Gross Price", digits=4),
        "list_price_used": Field(type="numeric", computed=True),
        "gross_price_used": Field(type="numeric", computed=True),
        "identifiers": _rows("product.identifier", "product"),
        **{name: Field(via="template") for name in (
            "name", "type", "salable", "consumable", "default_uom", "sale_uom", "account_category")},
    }),
    "product.identifier": Model(label="Product Identifier", fields={
        "product": _link("product.product", "Product", required=True),
        "type": Field(label="Type", among=(None, "ean", "isan", "isbn", "isil", "isin", "ismn", "brand", "mpn")),
        "code": Field(label="Code", required=True),
    }),
    "stock.location": Model(label="Stock Location", fields={
        "name": Field(label="Name", required=True), "code": Field(label="Code"), "active": _ACTIVE,
        "type": Field(label="Location type", default="storage"), "warehouse": _link("stock.location"),
        "storage_location": _link("stock.location"), "output_location": _link("stock.location"),
    }),
    "sale.point": Model(label="Point of Sale", fields={
        "name": Field(label="Name", required=True), "prefix": Field(), "tax_included": Field(type="boolean",
                                                                                           default=True),
        "storage_location": _link("stock.location", "Storage Location", required=True),
    }),
    "sale.point.payment.method": Model(label="Point of Sale Payment Method", fields={
        "name": Field(label="Name", required=True), "cash": Field(type="boolean", default=False), "active": _ACTIVE,
    }),
    "sale.point.cash.session": Model(label="Point of Sale Cash Session", fields={
        "point": _link("sale.point", "Point", required=True), "state": Field(default="open"),
        "previous_session": _link("sale.point.cash.session"),
        "end_amount": Field(type="numeric", digits=2, label="End Amount", default=0),
        "start_amount": _MONEY, "balance": _MONEY, "payments": _rows("sale.point.payment", "session"),
    }),
    "sale.point.sale": Model(label="Sale Point Sale", fields={
        "point": _link("sale.point", "Point", required=True), "number": Field(label="Number"),
        "date": Field(type="date", label="Date"), "state": Field(label="State", default="open", among=_STATES),
        "lines": _rows("sale.point.sale.line", "sale"), "payments": _rows("sale.point.payment", "sale"),
        "currency": _link("currency.currency", computed=True), "total": _MONEY, "amount_paid": _MONEY,
        "amount_to_pay": _MONEY,
    }),
    "sale.point.sale.line": Model(label="Sale Point Line", fields={
        "sale": _link("sale.point.sale", "Sale", required=True),
        "product": _link("product.product", "Product", required=True),
        "quantity": Field(type="float", label="Quantity", required=True),
        "unit": _link("product.uom", computed=True),
        "unit_list_price": Field(type="numeric", label="Unit List Price", digits=4, required=True),
        "unit_gross_price": Field(type="numeric", label="Unit Gross Price", digits=4, required=True),
    }),
    "sale.point.payment": Model(label="Sale Point Payment", fields={
        "sale": _link("sale.point.sale", "Sale", required=True),
        "method": _link("sale.point.payment.method", "Method", required=True),
        "amount": Field(type="numeric", digits=2, label="Amount"), "session": _link("sale.point.cash.session"),
    }),
}  # fmt: skip

"""Documents of an order and of a stock level, their schemas, and the mappings whose speed is measured.

The order has 5.9 KB, 1 to 4 lines, and maps to 31 values of the header and 10 per line; the stock level 190 bytes, 8
values.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec

from mappings.language import Mapping, compile  # the word for it

CONTEXT: dict[str, Any] = {
    "channel": "shop-kz",
    "company": {"country": "KZ", "currency": "KZT"},
    "settings": {},
    "now": "2026-01-01T00:00:00Z",
    "run": "bench",
}


def _text(**extra: Any) -> dict[str, Any]:
    return {"type": "string", **extra}


def _object(properties: dict[str, Any], *, null: bool = False, optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": ["object", "null"] if null else "object", "properties": properties, "required": required}


_NULL_TEXT = {"type": ["string", "null"]}
_MONEY = _object({"shopMoney": _object({"amount": _text(), "currencyCode": _text()}), "presentmentMoney": _object({})})
_ADDRESS = _object(
    {name: _NULL_TEXT for name in ("name", "address1", "city", "province", "zip", "countryCode", "phone")}, null=True
)
ORDER_SCHEMA = _object(
    {
        "id": _text(),
        "name": _text(),
        "createdAt": _text(format="date-time"),
        "currencyCode": _text(),
        "displayFinancialStatus": _text(enum=["PAID", "PENDING", "REFUNDED"]),
        "displayFulfillmentStatus": _text(enum=["UNFULFILLED", "FULFILLED"]),
        "cancelledAt": {"type": ["string", "null"], "format": "date-time"},
        "note": _NULL_TEXT,
        "test": {"type": "boolean"},
        "customer": _object(
            {"id": _text(), "displayName": _text(), "email": _NULL_TEXT, "phone": _NULL_TEXT}, null=True
        ),
        "shippingAddress": _ADDRESS,
        "billingAddress": _ADDRESS,
        "tags": {"type": "array", "items": _text()},
        "totalPriceSet": _MONEY,
        "totalShippingPriceSet": _MONEY,
        "totalTaxSet": _MONEY,
        "totalDiscountsSet": _MONEY,
        "sourceName": _NULL_TEXT,
        "customerLocale": _NULL_TEXT,
        "confirmationNumber": _NULL_TEXT,
        "poNumber": _NULL_TEXT,
        "lineItems": _object(
            {
                "nodes": {
                    "type": "array",
                    "items": _object(
                        {
                            "id": _text(),
                            "title": _text(),
                            "variantTitle": _NULL_TEXT,
                            "sku": _NULL_TEXT,
                            "vendor": _NULL_TEXT,
                            "quantity": {"type": "integer"},
                            "variant": _object({"id": _text()}, null=True),
                            "requiresShipping": {"type": "boolean"},
                            "originalUnitPriceSet": _MONEY,
                            "originalTotalSet": _MONEY,
                            "discountAllocations": {"type": "array", "items": _object({"allocatedAmountSet": _MONEY})},
                        }
                    ),
                }
            }
        ),
    }
)
STOCK_SCHEMA = _object(
    {
        "inventoryItemId": _text(),
        "variantId": _text(),
        "locationId": _text(),
        "available": {"type": "integer"},
        "updatedAt": _text(format="date-time"),
        "active": {"type": "boolean"},
        "batch": _NULL_TEXT,
        "source": _text(),
        "tracked": {"type": "boolean"},
    }
)

ORDER_MAPPING = """
platform: bench
resource: orders
forms: {money: {amount: amount, currency: currencyCode}, moment: {zone: UTC}, quantity: {unit: each}}
inward:
  order:
    number: name
    placed_at: createdAt
    status: {from: displayFulfillmentStatus, table: {UNFULFILLED: confirmed, FULFILLED: shipped}}
    payment: {from: displayFinancialStatus, table: {PAID: paid, PENDING: open, REFUNDED: refunded}}
    customer: {from: customer.id, ref: customer, otherwise: wait}
    currency: currencyCode
    buyer: {from: customer, fields: {name: displayName, email: email, phone: phone}}
    address:
      from: shippingAddress
      fields:
        {name: name, street: address1, city: city, region: province, postcode: zip, country: countryCode, phone: phone}
    shipping: totalShippingPriceSet.shopMoney
    total: totalPriceSet.shopMoney
    handed_over: = sourceName == 'pos'
    attributes:
      fields:
        note: note
        test: test
        cancelled_at: {from: cancelledAt, as: moment}
        tax: {from: totalTaxSet.shopMoney, as: money}
        discounts: {from: totalDiscountsSet.shopMoney, as: money}
        first_tag: = first(tags)
        locale: {from: customerLocale, default: = 'ru'}
        confirmation: confirmationNumber
        po: poNumber
        billing_name: billingAddress.name
        billing_city: billingAddress.city
        channel: context.channel
    lines:
      each: lineItems.nodes
      fields:
        key: id
        variant: {from: variant.id, ref: variant}
        sku: sku
        name: title
        quantity: quantity
        price: originalUnitPriceSet.shopMoney
        gross: {from: originalTotalSet.shopMoney, as: money}
        discount:
          "= sum((money(d.allocatedAmountSet.shopMoney) for d in discountAllocations), start=zero(doc.currencyCode))"
        total: = out.gross - out.discount
        vendor: vendor
"""
STOCK_MAPPING = """
platform: bench
resource: levels
id: inventoryItemId
forms: {quantity: {unit: each, kind: available}, moment: {zone: UTC}}
inward:
  stock:
    variant: {from: variantId, ref: variant}
    location: {from: locationId, ref: location}
    quantity: available
    as_of: updatedAt
    attributes: {fields: {active: active, batch: batch, source: upper(source), tracked: tracked}}
""".replace("source: upper(source)", "source: = upper(source)")


def _exact(kind: str) -> dict[str, Any]:
    parts = ("amount", "currency") if kind == "money" else ("value", "unit")
    properties: dict[str, Any] = {part: _text() for part in parts}
    if kind != "money":
        properties["kind"] = {"enum": ["ordered"] if kind == "ordered" else ["on_hand", "available"]}
    return {"type": ["object", "null"], "properties": properties}


CANONICAL: dict[str, Any] = {
    "customer": {},
    "variant": {},
    "location": {},
    "order": {
        "type": "object",
        "properties": {
            **{name: _NULL_TEXT for name in ("number", "status", "payment", "currency")},
            "placed_at": _text(format="date-time"),
            "customer": {"type": ["string", "null"], "x-ref": "customer"},
            "buyer": {"type": ["object", "null"]},
            "address": {"type": ["object", "null"]},
            "shipping": _exact("money"),
            "total": _exact("money"),
            "handed_over": {"type": "boolean"},
            "attributes": {"type": "object"},
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        **{name: _NULL_TEXT for name in ("key", "sku", "name", "vendor")},
                        "variant": {"type": ["string", "null"], "x-ref": "variant"},
                        "quantity": _exact("ordered"),
                        **{name: _exact("money") for name in ("price", "gross", "discount", "total")},
                    },
                },
            },
        },
        "required": ["number", "total"],
    },
    "stock": {
        "type": "object",
        "properties": {
            "variant": _text(**{"x-ref": "variant"}),
            "location": _text(**{"x-ref": "location"}),
            "quantity": _exact("available"),
            "as_of": _text(format="date-time"),
            "attributes": {"type": "object"},
        },
        "required": ["variant", "location", "quantity"],
    },
}


# -- documents --------------------------------------------------------------------------------------------------------
def _money(random_: random.Random) -> dict[str, Any]:
    amount = {"amount": f"{random_.randint(0, 99999)}.{random_.randint(0, 99):02d}", "currencyCode": "KZT"}
    return {"shopMoney": amount, "presentmentMoney": dict(amount)}


def orders(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Orders of about 5.9 KB, with 1 to 4 lines and now and then a null, as decoded from JSON."""
    r = random.Random(seed)
    docs = []
    for n in range(count):
        person = f"Покупатель {n}"
        address = {
            "name": person,
            "address1": f"Абая {n}",
            "city": "Алматы",
            "province": None,
            "zip": "050000",
            "countryCode": "KZ",
            "phone": None,
            "padding": "x" * 300,
        }
        docs.append(
            {
                "id": f"gid://shop/Order/{n}",
                "name": f"#{n}",
                "createdAt": f"2026-03-{n % 27 + 1:02d}T09:00:00+05:00",
                "currencyCode": "KZT",
                "displayFinancialStatus": "PAID",
                "displayFulfillmentStatus": "UNFULFILLED",
                "cancelledAt": None,
                "note": None if n % 3 else "call",
                "test": False,
                "customer": None
                if n % 10 == 0
                else {"id": f"c{n % 50}", "displayName": person, "email": f"b{n}@example.com", "phone": None},
                "shippingAddress": address,
                "billingAddress": None if n % 4 == 0 else address,
                "tags": ["a", "b"] if n % 2 else [],
                "totalPriceSet": _money(r),
                "totalShippingPriceSet": _money(r),
                "totalTaxSet": _money(r),
                "totalDiscountsSet": _money(r),
                "sourceName": "web",
                "customerLocale": None,
                "confirmationNumber": f"C{n}",
                "poNumber": None,
                "padding": "y" * 1600,
                "lineItems": {
                    "nodes": [
                        {
                            "id": f"l{n}-{k}",
                            "title": f"Чайник {k}",
                            "variantTitle": None,
                            "sku": f"00{k}",
                            "vendor": "Karavan",
                            "quantity": k + 1,
                            "variant": {"id": f"v{k}"},
                            "requiresShipping": True,
                            "originalUnitPriceSet": _money(r),
                            "originalTotalSet": _money(r),
                            "discountAllocations": [{"allocatedAmountSet": _money(r)}] * (k % 2),
                            "padding": "z" * 400,
                        }
                        for k in range(n % 4 + 1)
                    ]
                },
            }
        )
    return [msgspec.json.decode(msgspec.json.encode(doc)) for doc in docs]


def levels(count: int) -> list[dict[str, Any]]:
    """Stock levels of about 190 bytes, as decoded from JSON."""
    docs = [
        {
            "inventoryItemId": f"i{n}",
            "variantId": f"v{n % 4}",
            "locationId": f"w{n % 3}",
            "available": n % 7,
            "updatedAt": "2026-03-01T09:00:00Z",
            "active": True,
            "batch": None,
            "source": "erp",
            "tracked": True,
        }
        for n in range(count)
    ]
    return [msgspec.json.decode(msgspec.json.encode(doc)) for doc in docs]


REFS: dict[tuple[str, str], str] = {
    **{("customer", f"c{n}"): f"C{n}" for n in range(50)},
    **{("variant", f"v{n}"): f"V{n}" for n in range(4)},
    **{("location", f"w{n}"): f"W{n}" for n in range(3)},
}


def compiled(text: str, schema: dict[str, Any] | None) -> Mapping:
    """A mapping of this page, with or without its source schema."""

    def load(name: str) -> str:
        raise FileNotFoundError(name)

    return compile(text, "mappings/bench/page.yaml", load=load, source_schema=schema, canonical=CANONICAL)

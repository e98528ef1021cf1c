"""The control: what a careful engineer writes for these two documents and nothing else.

It knows every field, trusts the schema as the compiled mapping does, and builds the same records.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mappings.language import InwardRecord
from tests.bench.mapping_cases import CANONICAL

_CENT = Decimal("0.01")
_PAYMENT = {"PAID": "paid", "PENDING": "open", "REFUNDED": "refunded"}
_STATUS = {"UNFULFILLED": "confirmed", "FULFILLED": "shipped"}
_ORDER_COVERS = frozenset(CANONICAL["order"]["properties"]) - {"uid"}
_STOCK_COVERS = frozenset(CANONICAL["stock"]["properties"])


def _amount(money: dict[str, Any]) -> Decimal:
    amount = Decimal(money["amount"])
    exact = amount.quantize(_CENT)
    if exact != amount:
        raise ValueError("too many digits")
    return exact


def _json(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": str(amount), "currency": currency}


def _utc(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat()[:-6] + "Z"


def hand_orders(
    docs: list[dict[str, Any]], refs: dict[tuple[str, str], str], context: dict[str, Any]
) -> list[InwardRecord]:
    """The order mapping by hand."""
    records = []
    for n, doc in enumerate(docs):
        lines = []
        for item in doc["lineItems"]["nodes"]:
            gross = _amount(item["originalTotalSet"]["shopMoney"])
            currency = item["originalTotalSet"]["shopMoney"]["currencyCode"]
            discount = Decimal("0.00")
            for allocation in item["discountAllocations"]:
                part = allocation["allocatedAmountSet"]["shopMoney"]
                if part["currencyCode"] != currency:
                    raise ValueError("mixed currencies")
                discount += _amount(part)
            unit = item["originalUnitPriceSet"]["shopMoney"]
            variant = item["variant"]
            lines.append(
                {
                    "key": item["id"],
                    "variant": None if variant is None else refs["variant", variant["id"]],
                    "sku": item["sku"],
                    "name": item["title"],
                    "quantity": {"value": str(item["quantity"]), "unit": "each", "kind": "ordered"},
                    "price": _json(_amount(unit), unit["currencyCode"]),
                    "gross": _json(gross, currency),
                    "discount": _json(discount, currency),
                    "total": _json(gross - discount, currency),
                    "vendor": item["vendor"],
                }
            )
        customer, to, bill = doc["customer"], doc["shippingAddress"], doc["billingAddress"]
        cancelled, tags, locale = doc["cancelledAt"], doc["tags"], doc["customerLocale"]
        shipping, total = doc["totalShippingPriceSet"]["shopMoney"], doc["totalPriceSet"]["shopMoney"]
        tax, discounts = doc["totalTaxSet"]["shopMoney"], doc["totalDiscountsSet"]["shopMoney"]
        values = {
            "number": doc["name"],
            "placed_at": _utc(doc["createdAt"]),
            "status": _STATUS[doc["displayFulfillmentStatus"]],
            "payment": _PAYMENT[doc["displayFinancialStatus"]],
            "customer": None if customer is None else refs["customer", customer["id"]],
            "currency": doc["currencyCode"],
            "buyer": None
            if customer is None
            else {"name": customer["displayName"], "email": customer["email"], "phone": customer["phone"]},
            "address": None
            if to is None
            else {
                "name": to["name"],
                "street": to["address1"],
                "city": to["city"],
                "region": to["province"],
                "postcode": to["zip"],
                "country": to["countryCode"],
                "phone": to["phone"],
            },
            "shipping": _json(_amount(shipping), shipping["currencyCode"]),
            "total": _json(_amount(total), total["currencyCode"]),
            "handed_over": doc["sourceName"] == "pos",
            "attributes": {
                "note": doc["note"],
                "test": doc["test"],
                "cancelled_at": None if cancelled is None else _utc(cancelled),
                "tax": _json(_amount(tax), tax["currencyCode"]),
                "discounts": _json(_amount(discounts), discounts["currencyCode"]),
                "first_tag": tags[0] if tags else None,
                "locale": "ru" if locale is None else locale,
                "confirmation": doc["confirmationNumber"],
                "po": doc["poNumber"],
                "billing_name": None if bill is None else bill["name"],
                "billing_city": None if bill is None else bill["city"],
                "channel": context["channel"],
            },
            "lines": lines,
        }
        records.append(InwardRecord(n, "order", doc["id"], values, _ORDER_COVERS, {}))
    return records


def hand_levels(
    docs: list[dict[str, Any]], refs: dict[tuple[str, str], str], context: dict[str, Any]
) -> list[InwardRecord]:
    """The stock mapping by hand."""
    records = []
    for n, doc in enumerate(docs):
        values = {
            "variant": refs["variant", doc["variantId"]],
            "location": refs["location", doc["locationId"]],
            "quantity": {"value": str(doc["available"]), "unit": "each", "kind": "available"},
            "as_of": _utc(doc["updatedAt"]),
            "attributes": {
                "active": doc["active"],
                "batch": doc["batch"],
                "source": doc["source"].upper(),
                "tracked": doc["tracked"],
            },
        }
        records.append(InwardRecord(n, "stock", doc["inventoryItemId"], values, _STOCK_COVERS, {}))
    return records

"""Enters the demo's retailer: the people whom the CRM knows, one of them sometimes twice, and the deals from before."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from deployments.demo.data import OPENED, PastOrder, Person, Retailer
from deployments.sandbox.bitrix24.state import Portal
from deployments.sandbox.notation import Doc

_DAY = timedelta(days=1)


def fill(portal: Portal, retailer: Retailer) -> None:
    """Afterwards the portal holds what the CRM knows of the retailer at the opening; nobody is told."""
    known: dict[int, str] = {}
    for n, person in enumerate(retailer.people):
        portal.opening = OPENED + timedelta(seconds=n // 40)
        if "crm" in person.known_in:
            known[n] = _person(portal, person)
    for order in retailer.orders:
        if order.known:
            portal.opening = OPENED + _DAY * (1 + order.day) + timedelta(minutes=6)
            _deal(portal, retailer, order, known.get(order.person))
    portal.opening = None


def _person(portal: Portal, person: Person) -> str:
    """Enters a person with the CRM's own spelling; gives back the id."""
    digits = person.phone
    number = f"+7 {digits[:3]} {digits[3:6]} {digits[6:8]} {digits[8:]}"
    fields: Doc = {
        "NAME": person.first, "LAST_NAME": person.last, "ADDRESS_COUNTRY": "KZ",
        "EMAIL": [{"VALUE": person.email.title(), "VALUE_TYPE": "HOME"}],
        "PHONE": [{"VALUE": number, "VALUE_TYPE": "MOBILE"}],
    }  # fmt: skip
    id = str(portal.enter("contact", fields, by="seed")["ID"])
    if person.twice:
        again = {"NAME": person.latin, "EMAIL": [{"VALUE": person.email.upper(), "VALUE_TYPE": "WORK"}],
                 "PHONE": [{"VALUE": f"8{digits}", "VALUE_TYPE": "WORK"}]}  # fmt: skip
        portal.enter("contact", again, by="seed")
    return id


def _deal(portal: Portal, retailer: Retailer, order: PastOrder, contact: str | None) -> None:
    variants = {variant.sku: variant for variant in retailer.variants()}
    prices = [variants[sku].price_in("shop") for sku in order.skus]
    deal = portal.enter("deal", {
        "TITLE": f"Order {order.number}", "STAGE_ID": "WON", "CURRENCY_ID": "KZT", "IS_MANUAL_OPPORTUNITY": "Y",
        "OPPORTUNITY": f"{sum(prices, Decimal(0)):.2f}", "CONTACT_ID": contact,
    }, by="seed")  # fmt: skip
    portal.lines(deal["ID"], [
        {"PRODUCT_NAME": variants[sku].name, "PRICE": price, "QUANTITY": 1, "TAX_INCLUDED": "Y"}
        for sku, price in zip(order.skus, prices, strict=True)
    ])  # fmt: skip

"""A retailer whose CRM is Bitrix24: buyers become contacts, their orders deals; what the CRM learns comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.bitrix24.server import play
from deployments.sandbox.people import People
from flows import steps
from flows.wiring import House
from registry import bindings
from tests.scenario.played import played, quiet

CHANNELS = """\
crm-kz:
  platform: bitrix24
  company: kz
  url: env:SERAI_CRM_URL
  secrets:
    client_id: env:SERAI_CRM_CLIENT_ID
    client_secret: env:SERAI_CRM_CLIENT_SECRET
    refresh_token: env:SERAI_CRM_REFRESH_TOKEN
    hook_secret: env:SERAI_CRM_HOOK_SECRET
  entities: {customer: on, order: on}
  receives: [customer, order]
  settings: {oauth: /, lag: 5, limits: {rate: 1000, burst: 1000}}

shop-kz:
  platform: sandbox_shop
  company: kz
  url: env:SERAI_SHOP_URL
  secrets: {token: env:SERAI_SHOP_TOKEN, hook_secret: env:SERAI_SHOP_HOOK_SECRET}
  entities: {location: on, product: on, variant: on, customer: on, order: on}

erp-kz:
  platform: sandbox_erp
  company: kz
  url: env:SERAI_ERP_URL
  secrets: {token: env:SERAI_ERP_TOKEN, hook_secret: env:SERAI_ERP_HOOK_SECRET}
  entities: {location: on, product: on, variant: on, customer: on}
  receives: [customer]
"""
AUTHORITY = """\
location: {'*': [erp-kz, shop-kz]}
product: {'*': [erp-kz, shop-kz]}
variant: {'*': [erp-kz, shop-kz]}
customer: {'*': newest}
order: {'*': origin}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[House, People]]:
    """Serai between a portal, a shop and an ERP."""
    with played(tmp_path / "project", {"crm": play}, {"channels": CHANNELS, "authority": AUTHORITY}) as found:
        yield found


def of(people: People, system: str, kind: str) -> list[dict[str, Any]]:
    return [dict(entry) for entry in people.books(system) if entry["kind"] == kind]


def test_a_buyer_is_one_contact_the_order_one_deal_and_a_number_changed_there_reaches_the_erp(
    house: tuple[House, People],
) -> None:
    """P2, P4: written once each, and nothing after quiet; sales people's further numbers stay."""
    serai, people = house
    page = people.add("shop", "products", {"handle": "KTL-1", "title": "Чайник", "published": True})
    made = people.add("shop", "variants", {"productId": page["id"], "sku": "007", "title": "Чайник", "active": True})
    people.add("shop", "prices", {"variantId": made["id"], "amountMinor": 99000, "currency": "KZT"})
    people.add("shop", "inventory", {"variantId": made["id"], "available": 5})
    bought = people.buy_in_shop({"007": 2}, email="dina@example.kz", name="Дина Ким", phone="+77010001122")
    quiet(serai)
    (deal,) = of(people, "crm", "order")
    assert (deal["number"], deal["total"], deal["currency"]) == (bought.number, "1980.00", "KZT")
    contact = str(deal["customer"])
    held = people.look("crm", "contacts", contact)
    assert [row["VALUE"] for row in held["PHONE"]] == ["+77010001122"]
    people.edit("crm", "contacts", contact, {"PHONE": [{"VALUE": "+77770000000", "VALUE_TYPE": "WORK"}]})
    people.edit_phone("crm", contact, "+7 (701) 555-66-77")
    quiet(serai)
    customers = of(people, "erp", "customer")
    assert customers[-1]["phone"] == "+77015556677"
    assert [row["VALUE"] for row in people.look("crm", "contacts", contact)["PHONE"]][1:] == ["+77770000000"]
    written = {name: len(of(people, name, "write")) for name in ("crm", "erp")}
    quiet(serai)
    assert {name: len(of(people, name, "write")) for name in written} == written
    assert len({entry["id"] for entry in of(people, "crm", "customer")}) == 1


def test_a_contact_deleted_in_a_portal_that_cannot_reach_us_is_known_by_its_kept_event(tmp_path: Path) -> None:
    """P1, P10: no list shows what is gone; the timetable asks for the queue, which is emptied once it is stored."""
    channels = CHANNELS.replace("lag: 5,", "lag: 5, events: offline,")
    with played(tmp_path / "project", {"crm": play}, {"channels": channels, "authority": AUTHORITY}) as (serai, people):
        serai.connector("crm-kz").subscribe("http://127.0.0.1:9/never")
        contact = str(people.add("crm", "contacts", {"NAME": "Dina", "LAST_NAME": "Kim"})["ID"])
        quiet(serai)
        steps.take_notices(serai)
        people.remove("crm", "contacts", contact)
        steps.pull(serai, "crm-kz", steps.resources_of(serai, "crm-kz")[0])
        assert serai.registry.inbox.depth() == {"crm-kz": 1}
        steps.take_notices(serai)
        with serai.registry.read() as tx:
            assert bindings(tx, "crm-kz", [("customer", contact)])["customer", contact].state == "gone"
        steps.pull(serai, "crm-kz", steps.resources_of(serai, "crm-kz")[0])
        assert serai.registry.inbox.depth() == {}

"""Two companies under one roof: each one's buyers and orders stay with its own systems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flows.settings import load_project
from flows.survey import survey
from mappings.language import LintErrors
from tests.databases import registry_url  # noqa: F401 (a fixture)
from tests.scenario.project import write_project
from tests.scenario.world import World, world


@pytest.fixture
def two(tmp_path: Path, registry_url: str) -> Iterator[World]:  # noqa: F811 (the fixture)
    """Both companies, on SQLite and on PostgreSQL in turn."""
    with world(tmp_path, registry_url, seed=7, abroad=True) as found:
        yield found


def rows(world: World, system: str, resource: str) -> list[Mapping[str, Any]]:
    return list(world.sandbox.systems[system].docs(resource))


def sells_in_plovdiv(world: World, sku: str) -> None:
    """What the first company sells is on sale in Plovdiv too."""
    people = world.people
    people.add("erp_bg", "products", {"code": f"P-{sku}", "title": sku, "state": "A"})
    people.add("erp_bg", "items", {"code": sku, "product": f"P-{sku}", "name": sku, "uom": "PCE", "vat": "S",
                                   "state": "A"})
    people.add("erp_bg", "prices", {"item": sku, "list": "retail-bg", "amount": "24.99", "currency": "EUR",
                                    "vat_included": True})
    people._act("erp_bg", "count", item=sku, delta=6)
    page = people.add("shop_bg", "products", {"handle": sku, "title": sku, "bodyHtml": "", "vendor": "",
                                              "productType": "", "images": [], "published": True})
    people.add("shop_bg", "variants", {"productId": page["id"], "sku": sku, "barcode": "", "title": sku, "options": {},
                                       "active": True})


def test_an_order_and_its_buyer_stay_with_their_company_and_the_crm_hears_of_both(two: World) -> None:
    """Each ERP books its own company's order in its own money; nobody's prices or stock show in the other's shop."""
    two.goods("KTL-1", on_hand=10, price="12990.00")
    sells_in_plovdiv(two, "KTL-1")
    two.go_live()
    at_home = two.people.buy_in_shop({"KTL-1": 1}, email="asel@example.kz", name="Әсел Ким")
    abroad = two.people.buy_in_shop({"KTL-1": 2}, shop="shop_bg", email="ivan@example.bg", name="Иван Петров")
    two.until_quiet()
    booked = {name: [(doc["source_number"], doc["total"], doc["currency"]) for doc in rows(two, name, "orders")]
              for name in ("erp", "erp_bg")}
    assert at_home.number == abroad.number
    assert booked == {"erp": [("1001", "12990.00", "KZT")], "erp_bg": [("1001", "49.98", "EUR")]}
    met = {name: [doc["email"] for doc in rows(two, name, "customers")] for name in ("erp", "erp_bg")}
    assert met == {"erp": ["asel@example.kz"], "erp_bg": ["ivan@example.bg"]}
    contacts = {doc["properties"]["email"] for doc in rows(two, "crm", "contacts")}
    assert contacts == {"asel@example.kz", "ivan@example.bg"}
    assert sorted(doc["properties"]["currency"] for doc in rows(two, "crm", "deals")) == ["EUR", "KZT"]
    assert [(doc["amountMinor"], doc["currency"]) for doc in rows(two, "shop_bg", "prices")] == [(2499, "EUR")]
    assert [doc["available"] for doc in rows(two, "shop_bg", "inventory")] == [4]
    assert two.parked() == []
    found = survey(two.house).counts()
    assert (found["oversell"], found["price"], found["stock"]) == (0, 0, 0)


def test_a_company_that_nobody_defined_is_named(tmp_path: Path) -> None:
    """`companies` of a channel holds names from companies.yaml only."""
    folder = write_project(tmp_path / "project", abroad=True)
    channels = folder / "channels.yaml"
    text = channels.read_text(encoding="utf-8")
    channels.write_text(text.replace("companies: [kz, bg]", "companies: [kz, ge]"), encoding="utf-8")
    with pytest.raises(LintErrors) as found:
        load_project(folder)
    assert "unknown-company: found 'ge'; one of bg, kz" in str(found.value)

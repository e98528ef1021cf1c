"""The next platform: what an engineer writes who has a vendor's OpenAPI file and knows nothing of our code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

import connectors
from deployments.console.app import create_app
from deployments.demo.data import karavan_home
from deployments.sandbox.start import Sandbox, start_sandbox
from flows.checking import check
from flows.steps import pull_all, push_all
from flows.wiring import House, opened
from registry import Tx, consent, wake
from tests.contract.bigcommerce_simulator import BigCommerce
from tests.contract.published import Published
from tests.projects import RETAIL
from tests.retailer import environment, served
from tests.unit.flows.retail import records

ROOT = Path(connectors.__file__).parents[1]
WRITTEN = (
    "connectors/platforms/bigcommerce.yaml", "mappings/bigcommerce/*.yaml", "tests/contract/bigcommerce_simulator.py"
)  # fmt: skip
AT = "almaty-wh"
ARTICLE = max(
    (one for product in karavan_home().products for one in product.variants if "erp" in one.sold_in),
    key=lambda one: one.on_hand.get(AT, 0),
)
LEVEL = {"location_id": 1, "available_to_sell": 0, "total_inventory_onhand": 0}
CHANNELS = """\
erp-kz:
  platform: sandbox_erp
  company: kz
  url: env:SERAI_ERP_URL
  secrets: {token: env:SERAI_ERP_TOKEN, hook_secret: env:SERAI_ERP_HOOK_SECRET}
  entities: {location: on, product: on, variant: on, stock: on, price: on}
shop-kz:
  platform: bigcommerce
  company: kz
  url: env:BIG_URL
  secrets: {token: env:BIG_TOKEN, hook_secret: env:BIG_HOOK_SECRET}
  settings: {price_lists: {retail: 3}}
  entities: {location: on, product: on, variant: on, stock: on, price: on, order: on}
  receives: [stock, price]
"""
AUTHORITY = """\
location: {'*': [erp-kz]}
product: {'*': [erp-kz, shop-kz]}
variant: {'*': [erp-kz, shop-kz]}
stock: {'*': [erp-kz]}
price: {'*': [erp-kz]}
order: {'*': origin}
"""
STOCK = """\
sources: {erp-kz: {figure: on_hand, restocks: source}}
shop-kz: {locations: [almaty-wh], share: 1, safety: 2}
"""


def test_a_new_rest_platform_takes_less_than_three_hundred_lines() -> None:
    """Description, mappings both ways with their tests, contract subject; schemas of native documents are JSON, cut out
    of the vendor's file. Blank lines and comments count too."""
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for pattern in WRITTEN for path in sorted(ROOT.glob(pattern))
    }
    print("\n".join(f"{count:4} {name}" for name, count in lines.items()), sum(lines.values()), "in all", sep="\n")
    assert len(lines) == 9
    assert sum(lines.values()) < 300
    assert not (ROOT / "connectors/bigcommerce.py").exists()


@pytest.fixture
def shop() -> Iterator[Published]:
    """BigCommerce as its own files describe it: a place, an article of the ERP, an order of it."""
    shop = BigCommerce().simulator()
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    shop.put("locations", {"code": "almaty-wh", "label": "Almaty", "enabled": True}, "1", at)
    shop.put("products", {"name": ARTICLE.name, "sku": "KTL", "images": []}, "174", at)
    shop.put("variants", {"product_id": 174, "sku": ARTICLE.sku, "option_values": [], "gtin": "", "upc": ""}, "79", at)
    shop.put("inventory", {"identity": {"variant_id": 79, "sku": ARTICLE.sku}, "locations": [LEVEL]}, "79", at)
    order = {"status_id": 11, "payment_status": "captured", "date_created": "Sun, 01 Mar 2026 09:00:00 +0000",
             "default_currency_code": "KZT", "total_inc_tax": "24980.0000", "shipping_cost_inc_tax": "0.0000",
             "fees": []}  # fmt: skip
    line = {"id": 65, "variant_id": 79, "sku": ARTICLE.sku, "name": ARTICLE.name, "quantity": 2,
            "applied_discounts": [], "price_inc_tax": "12490.0000", "total_inc_tax": "24980.0000",
            "discounted_total_inc_tax": "24980.0000"}  # fmt: skip
    shop.put("orders", {**order, "products": [line]}, "218", at)
    with shop.running():
        yield shop


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    found = start_sandbox()
    yield found
    found.stop()


@pytest.fixture
def house(tmp_path: Path, shop: Published, sandbox: Sandbox) -> Iterator[House]:
    """A retailer whose ERP keeps stock and prices and who sells on BigCommerce."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "platforms").mkdir()
    texts = {"companies.yaml": (RETAIL / "companies.yaml").read_text(encoding="utf-8"), "channels.yaml": CHANNELS,
             "authority.yaml": AUTHORITY, "policies/stock.yaml": STOCK}  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    described = (RETAIL / "platforms/sandbox_erp.yaml").read_text(encoding="utf-8")
    (tmp_path / "platforms/sandbox_erp.yaml").write_text(described, encoding="utf-8")
    secrets = {"BIG_URL": shop.url, "BIG_TOKEN": shop.token, "BIG_HOOK_SECRET": "h"}
    with environment({**sandbox.environment(), **secrets}), opened(tmp_path) as found:
        yield found


def sent(shop: Published, method: str, path: str) -> list[Any]:
    """The bodies that went there."""
    return [body for operation, where, _, body in shop.sent if (operation.method, where) == (method, path)]


def allow(tx: Tx) -> None:
    """A person consents to creating prices there."""
    consent(tx, "shop-kz", "price", "Aigerim")
    wake(tx, channel="shop-kz")


def test_its_products_stock_prices_and_orders_run(house: House, shop: Published) -> None:
    """P4: the article of both systems is one; the ERP's stock less the safety and its price reach the shop, the shop's
    order comes here; a second round writes nothing."""
    said = {one.what: one for one in check(house, "shop-kz")}
    assert said["orders: read"].works is True
    assert said["inventory: write"].works is None
    assert said["inventory: write"].detail.startswith("it needs store_inventory; ")
    with served(create_app(house)) as url:
        card = requests.get(url, timeout=30).text.partition('id="verified-shop-kz"')[2]
    badge = re.sub(r"<[^>]+>|\s+", " ", card.partition("</dd>")[0].partition(">")[2])
    assert badge.split() == ["contract", "vendor&#39;s", "examples", "simulator", "2026-11", "not:", "real", "system"]
    pull_all(house)
    house.registry.attempt(allow)
    push_all(house)
    (stock,) = sent(shop, "PUT", "/v3/inventory/adjustments/absolute")
    (price,) = sent(shop, "PUT", "/v3/pricelists/records")
    free = ARTICLE.on_hand[AT] - 2 - 2     # what was sold, and the safety
    assert stock == {"items": [{"location_id": 1, "variant_id": 79, "quantity": free}]}
    assert price == [{"price_list_id": 3, "variant_id": 79, "currency": "kzt", "price": Decimal(ARTICLE.price)}]
    article, order = records(house, "variant")[ARTICLE.sku], records(house, "order")["218"]
    assert [line["variant"] for line in order.values["lines"]] == [article.uid]
    assert order.values["total"] == {"amount": "24980.00", "currency": "KZT"}
    shop.put("inventory", {"locations": [{**LEVEL, "available_to_sell": free}]}, "79", datetime.now(UTC))
    pull_all(house)
    push_all(house)
    assert len(sent(shop, "PUT", "/v3/inventory/adjustments/absolute")) == 1
    assert len(sent(shop, "PUT", "/v3/pricelists/records")) == 1
    assert shop.misfits == []

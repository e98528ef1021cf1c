"""A platform that holds several price lists: those that the channel's settings name are told beside its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.shopify.server import empty, start
from flows.steps import pull_all, push_all
from flows.wiring import House, opened
from registry import Tx, consent, records_where, shown_prices
from tests.retailer import environment
from tests.unit.flows.test_prices_by_themselves import PROJECT as DATED

SAME = ("companies.yaml", "authority.yaml", "platforms/price_table.yaml", "mappings/price_table/variants.schema.json",
        "mappings/price_table/variants.yaml")
PROJECT = {
    **{name: DATED[name] for name in SAME},
    "channels.yaml": (
        "erp-kz: {platform: price_source, company: kz, url: 'env:ERP_TABLE', entities: {variant: on, price: on}}\n"
        "shop-kz: {platform: price_table, company: kz, url: 'env:SHOP_TABLE', entities: {variant: on, price: on},\n"
        "  receives: [price], settings: {price_lists: {wholesale: 77}}}\n"
    ),
    "policies/prices.yaml": "shop-kz: {markup: {by: 0.1}}\n",
    "platforms/price_source.yaml": "speaks: sql\nresources: {prices: {table: prices, id: id}}\n",
    "mappings/price_source/prices.schema.json": (
        '{"type": "object", "required": ["id", "sku", "amount", "currency", "list"], "properties": {'
        '"id": {"type": "integer"}, "sku": {"type": "string"}, "amount": {"type": "number"},'
        ' "currency": {"type": "string"}, "list": {"type": "string"}}}'
    ),
    "mappings/price_source/prices.yaml": """
platform: price_source
resource: prices
id: id
inward:
  variant: {id: sku, fields: {sku: sku, name: sku, unit: = 'each', status: = 'active'}}
  price:
    variant: {from: sku, ref: variant}
    list: list
    amount: {from: amount, as: {money: {currency: = currency}}}
    tax_mode: = 'net'
""",
    "mappings/price_table/prices.schema.json": (
        '{"type": "object", "properties": {"id": {"type": "integer"}, "variant": {"type": "integer"},'
        ' "amount": {"type": "number"}, "currency": {"type": "string"}, "list": {"type": ["integer", "null"]}}}'
    ),
    "mappings/price_table/prices.yaml": """
platform: price_table
resource: prices
outward:
  entity: price
  let: {theirs: "= lookup(context.settings.price_lists, list)"}
  drop_if: {a list that the shop does not have: = list != context.company.price_list and theirs is null}
  fields:
    variant: {from: variant, ref: variant, as: integer}
    amount: = amount(amount)
    currency: = currency(amount)
    list: theirs
""",
}


LIST = "gid://shopify/PriceList/7"


def listed(erp: Path) -> None:
    """The ERP's table: three prices of one article."""
    with closing(sqlite3.connect(erp)) as made, made:
        made.execute("CREATE TABLE prices (id integer primary key, sku text, amount numeric, currency text, list text)")
        made.executemany("INSERT INTO prices VALUES (?, 'KTL', ?, ?, ?)", [
            (1, 1000, "KZT", "retail"), (2, 800, "KZT", "wholesale"), (3, 700, "KZT", "outlet")])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[House, Path, Path]]:
    """An article with its usual price, one for wholesale buyers, one of a list for somebody else."""
    folder, erp, shop = tmp_path / "project", tmp_path / "erp.db", tmp_path / "shop.db"
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    listed(erp)
    with closing(sqlite3.connect(shop)) as made, made:
        made.execute("CREATE TABLE variants (id integer primary key, sku text)")
        made.execute("INSERT INTO variants VALUES (7, 'KTL')")
        made.execute("CREATE TABLE prices (id integer primary key, serai_key text unique, variant integer,"
                     " amount numeric, currency text, list integer)")
    with environment({"ERP_TABLE": f"sqlite:///{erp}", "SHOP_TABLE": f"sqlite:///{shop}"}), opened(folder) as found:

        def allow(tx: Tx) -> None:
            consent(tx, "shop-kz", "price", "Aigerim")

        found.registry.attempt(allow)
        yield found, erp, shop


def sync(house: House) -> int:
    """Reads both and tells the shop; how many prices were written."""
    pull_all(house, full=True)
    return sum(count for ledger in push_all(house) for (_, outcome), count in ledger.counts.items()
               if outcome == "written")


def told(shop: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(shop)) as table:
        return table.execute("SELECT amount, currency, list FROM prices ORDER BY amount DESC").fetchall()


def test_shopify_holds_the_wholesale_list_beside_the_shops_own_prices(tmp_path: Path) -> None:
    """A catalogue's fixed price is written, read back as the same record, and written again only when it moves."""
    shop = empty()
    product = shop.product({"title": "Kettle", "handle": "kettle"})
    shop.drop(next(reversed(shop.table("ProductVariant"))))
    made = shop.variant(product["id"], {"sku": "KTL", "price": "1000.00", "title": "1", "selectedOptions": [
        {"name": "Colour", "value": "ivory"}]})
    shop.put(LIST, {"name": "Wholesale", "currency": "KZT"})
    variant, serving = made["id"], start(shop)
    folder, erp = tmp_path / "project", tmp_path / "erp.db"
    channels = (
        "erp-kz: {platform: price_source, company: kz, url: 'env:ERP_TABLE', entities: {variant: on, price: on}}\n"
        "shop-kz:\n  platform: shopify\n  company: kz\n  url: env:SHOP_URL\n"
        "  secrets: {token: env:SHOP_TOKEN, hook_secret: env:SHOP_TOKEN}\n"
        "  entities: {product: on, variant: on, price: on}\n  receives: [price]\n"
        f"  settings: {{prices: net, price_lists: {{wholesale: {LIST}}}}}\n"
    )
    authority = PROJECT["authority.yaml"] + "product: {'*': [shop-kz]}\n"
    for name, text in {**PROJECT, "channels.yaml": channels, "authority.yaml": authority}.items():
        if "price_table" not in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    listed(erp)
    around = {"ERP_TABLE": f"sqlite:///{erp}", "SHOP_URL": serving.url, "SHOP_TOKEN": serving.token}
    try:
        with environment(around), opened(folder) as found:
            found.registry.attempt(lambda tx: consent(tx, "shop-kz", "price", "Aigerim"))
            assert sync(found) == 2
            assert shop.get(variant)["price"] == "1100.00"
            assert shop.prices[LIST, variant]["price"]["amount"] == "800.00"
            with closing(sqlite3.connect(erp)) as table, table:
                table.execute("UPDATE prices SET amount = 750 WHERE list = 'wholesale'")
            assert sync(found) == 1
            assert shop.get(variant)["price"] == "1100.00"
            assert shop.prices[LIST, variant]["price"]["amount"] == "750.00"
            assert sync(found) == 0
    finally:
        serving.stop()


def test_a_list_for_other_buyers_stands_in_the_shops_own_as_it_is_and_the_shown_price_is_the_channels(
    house: tuple[House, Path, Path]
) -> None:
    """The markup is of the list that the channel sells from; a list that the shop does not have reaches nobody."""
    found, erp, shop = house
    assert sync(found) == 2
    assert told(shop) == [(1100, "KZT", None), (800, "KZT", 77)]
    with closing(sqlite3.connect(erp)) as table, table:
        table.execute("UPDATE prices SET amount = 750 WHERE list = 'wholesale'")
        table.execute("UPDATE prices SET amount = 650 WHERE list = 'outlet'")
    assert sync(found) == 1
    assert told(shop) == [(1100, "KZT", None), (750, "KZT", 77)]
    assert sync(found) == 0
    with found.registry.read() as tx:
        (variant,) = {row.values["variant"] for row in records_where(tx, "price")}
        shown = {one.amount for one in shown_prices(tx, [variant], {"shop-kz"})["shop-kz", variant]}
    assert shown == {Decimal(1100)}

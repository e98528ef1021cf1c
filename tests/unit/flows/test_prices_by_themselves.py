"""A platform that holds prices with their windows is told each of them by itself; the house has a file and a table."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.ledger import Ledger
from flows.steps import pull_all, push_all
from flows.wiring import House, opened
from registry import Tx, consent, parked, records_where, shown_prices
from tests.retailer import environment

COLUMNS = ("code", "sku", "amount", "kind", "group", "pieces", "starts", "ends")
NOW = datetime.now(UTC).replace(microsecond=0)
WEEK, NEXT = (NOW - timedelta(days=1), NOW + timedelta(days=6)), (NOW + timedelta(days=6), NOW + timedelta(days=13))
PROJECT = {
    "companies.yaml": "kz: {name: K, country: KZ, currency: KZT, tax: 0.16, price_list: retail, zone: Asia/Almaty}\n",
    "authority.yaml": "variant: {'*': [erp-kz]}\nprice: {'*': [erp-kz]}\n",
    "channels.yaml": (
        "erp-kz: {platform: price_file, company: kz, url: 'file:in', entities: {variant: on, price: on}}\n"
        "shop-kz: {platform: price_table, company: kz, url: 'env:PRICE_TABLE', entities: {variant: on, price: on},\n"
        "  receives: [price]}\n"
    ),
    "platforms/price_file.yaml": (
        "speaks: files\n"
        "resources: {prices: {path: 'prices-*.csv', id: code, format: csv, whole: true, rest: 0}}\n"
    ),
    "platforms/price_table.yaml": (
        "speaks: sql\n"
        "resources:\n"
        "  variants: {table: variants, id: id}\n"
        "  prices: {table: prices, id: id, reference: serai_key, write: [create, update, delete]}\n"
    ),
    "mappings/price_file/prices.schema.json": (
        '{"type": "object", "required": ["code", "sku", "amount", "kind", "group", "pieces", "starts", "ends"],'
        ' "properties": {'
        + ", ".join(f'"{name}": {{"type": "string"}}' for name in COLUMNS) + "}}"
    ),
    "mappings/price_file/prices.yaml": """
platform: price_file
resource: prices
id: code
inward:
  variant: {id: sku, fields: {sku: sku, name: sku, unit: = 'each', status: = 'active'}}
  price:
    variant: {from: sku, ref: variant}
    list: = context.company.price_list
    amount: {from: amount, as: {money: {currency: = context.company.currency}}}
    tax_mode: = 'net'
    kind: "= 'sale' if kind == 'sale' else null"
    group: = null if group == '' else group
    min_quantity: {from: = null if pieces == '' else pieces, as: decimal}
    valid_from: {from: = null if starts == '' else starts, as: {moment: {zone: UTC}}}
    valid_to: {from: = null if ends == '' else ends, as: {moment: {zone: UTC}}}
""",
    "mappings/price_table/variants.schema.json": (
        '{"type": "object", "required": ["id", "sku"], "properties": {"id": {"type": "integer"},'
        ' "sku": {"type": "string"}}}'
    ),
    "mappings/price_table/variants.yaml": """
platform: price_table
resource: variants
inward:
  variant: {required: false, fields: {sku: sku}}
""",
    "mappings/price_table/prices.schema.json": (
        '{"type": "object", "properties": {"id": {"type": "integer"}, "variant": {"type": "integer"},'
        ' "amount": {"type": "number"}, "kind": {"type": ["string", "null"]}, "who": {"type": ["string", "null"]},'
        ' "pieces": {"type": ["number", "null"]}, "starts": {"type": ["string", "null"]},'
        ' "ends": {"type": ["string", "null"]}}}'
    ),
    "mappings/price_table/prices.yaml": """
platform: price_table
resource: prices
outward:
  entity: price
  fields:
    variant: {from: variant, ref: variant, as: integer}
    amount: = amount(amount)
    kind: kind
    who: group
    pieces: {from: min_quantity, as: decimal}
    starts: valid_from
    ends: valid_to
""",
}


@dataclass(kw_only=True)
class Shop:
    """The house, the file it reads and the table it writes."""

    house: House
    folder: Path
    table: Path
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    files: int = 0

    def list(self, code: str, amount: str, window: tuple[datetime, datetime] | None = None, **more: str) -> None:
        """The file has this price of the kettle now."""
        edges = ("", "") if window is None else tuple(f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in window)
        self.rows[code] = {**dict.fromkeys(COLUMNS, ""), "code": code, "sku": "KTL", "amount": amount,
                           "starts": edges[0], "ends": edges[1], **more}  # fmt: skip

    def sync(self) -> list[Ledger]:
        """The file is written anew, read whole, and the table told."""
        self.files += 1
        draft = self.folder / "in" / f"prices-{self.files:03}.part"
        with draft.open("w", newline="", encoding="utf-8") as out:
            lines = csv.DictWriter(out, COLUMNS)
            lines.writeheader()
            lines.writerows(self.rows.values())
        draft.rename(draft.with_suffix(".csv"))
        return [*pull_all(self.house, full=True), *push_all(self.house)]

    def told(self) -> list[tuple[Any, ...]]:
        """(amount, kind, for whom, from how many, from when) in the table, the highest first."""
        with closing(sqlite3.connect(self.table)) as table:
            return table.execute("SELECT amount, kind, who, pieces, starts FROM prices ORDER BY amount DESC").fetchall()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An empty table with one article, and a file with its usual price."""
    folder, table = tmp_path / "project", tmp_path / "shop.db"
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "in").mkdir()
    with closing(sqlite3.connect(table)) as made, made:
        made.execute("CREATE TABLE variants (id integer primary key, sku text)")
        made.execute("INSERT INTO variants VALUES (7, 'KTL')")
        made.execute("CREATE TABLE prices (id integer primary key, serai_key text unique, variant integer,"
                     " amount numeric, kind text, who text, pieces numeric, starts text, ends text)")
    with environment({"PRICE_TABLE": f"sqlite:///{table}"}), opened(folder) as house:

        def allow(tx: Tx) -> None:
            consent(tx, "shop-kz", "price", "Aigerim")

        house.registry.attempt(allow)
        found = Shop(house=house, folder=folder, table=table)
        found.list("usual", "100")
        yield found


def test_each_price_is_told_with_its_window_and_the_usual_one_stays(shop: Shop) -> None:
    """P7: a sale, one ahead of its time, one for a group, one from ten pieces on; a second run tells nothing."""
    shop.list("now", "80", WEEK, kind="sale")
    shop.list("next", "75", NEXT, kind="sale")
    shop.list("staff", "70", group="staff")
    shop.list("ten", "60", pieces="10")
    shop.list("past", "60", (WEEK[0] - timedelta(days=9), WEEK[0]), kind="sale")
    shop.list("never", "55", (NEXT[1], NEXT[0]), kind="sale")
    shop.sync()
    usual, starts = (100, None, None, None, None), [f"{at[0]:%Y-%m-%dT%H:%M:%SZ}" for at in (WEEK, NEXT)]
    assert shop.told() == [
        usual, (80, "sale", None, None, starts[0]), (75, "sale", None, None, starts[1]),
        (70, None, "staff", None, None), (60, None, None, 10, None),
    ]  # fmt: skip
    assert sum(ledger.total("written") for ledger in shop.sync()) == 0
    with shop.house.registry.read() as tx:
        seen = shown_prices(tx, _variants(shop), {"shop-kz"})
    assert [str(one.amount) for rows in seen.values() for one in rows] == ["100.00"]


def test_a_price_that_its_source_no_longer_lists_is_taken_back_and_may_come_again(shop: Shop) -> None:
    """P10: a sale ends when somebody deletes it, too; the usual price, which the platform keeps, stays as it was."""
    shop.list("now", "80", WEEK, kind="sale")
    shop.sync()
    assert [row[0] for row in shop.told()] == [100, 80]
    sale = shop.rows.pop("now")
    shop.sync()
    assert [row[0] for row in shop.told()] == [100]
    shop.rows["now"] = sale
    shop.sync()
    assert [row[0] for row in shop.told()] == [100, 80]


def test_two_sales_that_contradict_each_other_are_held_and_the_usual_price_goes(shop: Shop) -> None:
    """Nobody may pick one of them, the platform neither."""
    shop.list("one", "80", WEEK, kind="sale")
    shop.list("other", "75", (WEEK[0], WEEK[1] + timedelta(days=1)), kind="sale")
    shop.sync()
    assert [row[0] for row in shop.told()] == [100]
    with shop.house.registry.read() as tx:
        assert [row.rule for row in parked(tx)] == ["overlap", "overlap"]
    del shop.rows["other"]
    shop.sync()
    assert [row[0] for row in shop.told()] == [100, 80]


def _variants(shop: Shop) -> list[str]:
    with shop.house.registry.read() as tx:
        return [record.uid for record in records_where(tx, "variant")]

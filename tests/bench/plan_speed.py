"""How long a plan takes over 10,000 articles, each with its price and stock, on a shop and at the tills.

What surprises here: nothing is served over HTTP. Documents are accepted as if they had been read, and what the channels
were told is what a rehearsal over this registry itself told them; a plan asks no system anyhow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors.base import Doc
from deployments.demo.day import fresh_project
from flows import steps
from flows.apply import first_release
from flows.plan import plan
from flows.rehearsal import Rehearsal
from flows.wiring import House, open_house
from registry import Tx, consent, open_registry, save_cursor, set_mode
from tests.databases import fresh_postgres, fresh_sqlite

COUNT = 10_000
PAGE = 1_000
PER_PRODUCT = 4
STAMPS = {"created_at": "2026-03-01T14:00:00+05:00", "changed_at": "2026-03-01T14:00:00+05:00"}
TITLE = """\
extends: sandbox_shop/products
platform: sandbox_shop
resource: products
outward:
  entity: product
  fields:
    title: "= name + ' · new'"
"""
PRICE = """\
extends: sandbox_shop/prices
platform: sandbox_shop
resource: prices
outward:
  entity: price
  fields:
    amountMinor: = int(amount(gross) * 101)
"""
NAME = """\
extends: sandbox_erp/items
platform: sandbox_erp
resource: items
inward:
  variant:
    name: = upper(name)
"""


def measure(count: int, url: str, folder: Path) -> list[dict[str, Any]]:
    """Seconds of each plan, and what it found."""
    project = fresh_project(folder / "project")
    registry = open_registry(url)
    house = open_house(project, registry=registry)
    _filled(house, count)
    first_release(house, "bench")
    rows = [_planned("nothing changed", house)]
    for name, file, text in (
        ("a row of products", "sandbox_shop/products.yaml", TITLE),
        ("a row of prices", "sandbox_shop/prices.yaml", PRICE),
        ("and a row inward of articles", "sandbox_erp/items.yaml", NAME),
    ):  # fmt: skip
        path = project / "mappings" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        rows.append(_planned(name, house))
    house.close()
    return rows


def _planned(name: str, house: House) -> dict[str, Any]:
    began, cpu = time.perf_counter(), time.process_time()
    made = plan(house)
    return {
        "name": name, "seconds": round(time.perf_counter() - began, 1), "cpu": round(time.process_time() - cpu, 1),
        "writes": len(made.writes), "looked at": sum(part.writes + part.unchanged for part in made.parts),
        "mapped anew": made.realigned[0],
    }  # fmt: skip


def _filled(house: House, count: int) -> None:
    """Articles in the ERP, bound and told everywhere."""
    channels = ("erp-kz", "shop-kz", "pos-kz")

    def ready(tx: Tx) -> None:
        for name in channels:
            for entity in house.channel(name).entities:
                set_mode(tx, name, entity, "on", "bench", "")
                consent(tx, name, entity, "bench")
            for resource, mapping in house.of(name).inward.items():
                cursor = {"at": {}, "taken": list(mapping.inward), "whole": True}
                save_cursor(tx, name, resource, "live", cursor, tx.now)

    house.registry.attempt(ready)
    stage = Rehearsal(project=house.project, registry=house.registry, mappings=house.mappings)
    for resource, docs in _documents(count):
        for start in range(0, len(docs), PAGE):
            steps.accept(stage, "erp-kz", resource, docs[start : start + PAGE], asked_at=house.registry.now())
    steps.push_all(stage, channels=channels)


def _documents(count: int) -> Iterator[tuple[str, list[Doc]]]:
    skus = [f"SKU-{n:06}" for n in range(count)]
    codes = [f"P-{n:06}" for n in range(count // PER_PRODUCT)]
    yield "locations", [{"code": "almaty-wh", "name": "Warehouse", "type": "W", "state": "A", **STAMPS}]
    yield "products", [
        {"code": code, "title": f"Чайник {code}", "text": None, "brand": "Karavan", "group": "Чайники", "images": [],
         "state": "A", **STAMPS} for code in codes
    ]  # fmt: skip
    yield "items", [
        {"code": sku, "product": codes[n // PER_PRODUCT], "name": f"Чайник {sku}", "barcode": None, "features": {},
         "uom": "PCE", "vat": "S", "state": "A", "revision": 1, **STAMPS} for n, sku in enumerate(skus)
    ]  # fmt: skip
    yield "prices", [
        {"code": f"retail:{sku}", "item": sku, "list": "retail", "amount": f"{1000 + n}.00", "currency": "KZT",
         "vat_included": True, "valid_from": None, "valid_to": None, **STAMPS} for n, sku in enumerate(skus)
    ]  # fmt: skip
    yield "stock", [
        {"code": f"{sku}@almaty-wh", "item": sku, "location": "almaty-wh", "on_hand": "10", "uom": "PCE", **STAMPS}
        for sku in skus
    ]  # fmt: skip


def main() -> None:
    """Prints the figures on SQLite and PostgreSQL."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plan_speed", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="articles")
    parser.add_argument("--sqlite", action="store_true", help="SQLite alone")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with fresh_sqlite(folder / "sqlite") as url:
            _print("SQLite", measure(asked.count, url, folder / "one"))
        if not asked.sqlite:
            with fresh_postgres() as url:
                _print("PostgreSQL", measure(asked.count, url, folder / "two"))


def _print(database: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(f"{database}: {row.pop('name')}: " + ", ".join(f"{value} {name}" for name, value in row.items()))


if __name__ == "__main__":
    main()

"""The books: from them alone the truth can be told."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.demo.data import LAST_KETTLE
from deployments.sandbox import start_sandbox
from deployments.sandbox.people import People
from tests.unit.sandbox.conftest import asking
from tests.unit.sandbox.test_documents import a_busy_day
from tests.unit.sandbox.test_writes import SALE


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_movements_add_up_to_what_lies_and_what_is_shown(tmp_path: Path, seed: int) -> None:
    """Stock movements sum to the ERP's figures; each channel's figures and prices are the last ones booked."""
    sandbox = start_sandbox(seed=seed, folder=tmp_path)
    people, ask = People(sandbox.url), asking(sandbox)
    a_busy_day(people, seed)
    people.receive_goods(LAST_KETTLE, "almaty-1", 3)
    ask("erp", "POST", "/orders", {**SALE, "handed_over": True, "location": "almaty-1"})
    people.ship(order=ask("erp", "POST", "/orders", SALE).body["number"])
    ask("shop", "PATCH", "/inventory/81005", {"available": 77})

    moved: dict[str, Decimal] = {}
    for entry in people.books("erp"):
        if entry["kind"] == "stock":
            code = f"{entry['sku']}@{entry['location']}"
            moved[code] = moved.get(code, Decimal(0)) + Decimal(entry["delta"])
            assert Decimal(entry["now"]) == moved[code]
    assert moved == {doc["code"]: Decimal(doc["on_hand"]) for doc in sandbox.systems["erp"].docs("stock")}
    assert moved[f"{LAST_KETTLE}@almaty-1"] == 2
    assert moved[f"{LAST_KETTLE}@almaty-wh"] == 0

    shop, market = sandbox.systems["shop"], sandbox.systems["market"]
    sku_of = {doc["id"]: doc["sku"] for doc in shop.docs("variants")}
    figures = {
        "shop": {sku_of[doc["variantId"]]: str(doc["available"]) for doc in shop.docs("inventory")},
        "market": {doc["sellerSku"]: doc["available"] for doc in market.docs("stocks")},
    }
    prices = {
        "shop": {sku_of[doc["variantId"]]: Decimal(doc["amountMinor"]) / 100 for doc in shop.docs("prices")},
        "market": {doc["sellerSku"]: Decimal(doc["price"]["amount"]) for doc in market.docs("prices")},
        "erp": {doc["item"]: Decimal(doc["amount"]) for doc in sandbox.systems["erp"].docs("prices")},
        "pos": {doc["sku"]: Decimal(doc["price"]) for doc in sandbox.systems["pos"].docs("prices")},
    }
    for system, expected in figures.items():
        shown: dict[str, str] = {}
        for entry in people.books(system):
            if entry["kind"] == "shown":
                assert entry["was"] == shown.get(entry["sku"])
                shown[entry["sku"]] = entry["now"]
        assert shown == expected
    for system, wanted in prices.items():
        booked = {e["sku"]: Decimal(e["now"]) for e in people.books(system) if e["kind"] == "price"}
        assert booked == wanted
    sandbox.stop()


def test_every_order_sale_and_write_is_booked_with_its_moment_and_stands_on_disk(tmp_path: Path) -> None:
    """Orders carry lines and totals, refused writes their code; the file holds what /_books told, in order."""
    sandbox = start_sandbox(folder=tmp_path)
    people, ask = People(sandbox.url), asking(sandbox)
    start = len(people.books("shop"))
    placed = people.buy_in_shop({LAST_KETTLE: 1}, email="a@example.kz", name="Айгерім Ким")
    ask("shop", "PATCH", f"/orders/{placed.id}", {"status": "PROCESSING"})
    ask("shop", "PATCH", f"/orders/{placed.id}", {"status": "LOST"})
    entries = people.books("shop", start)
    assert [entry["kind"] for entry in entries] == ["customer", "order", "shown", "change", "write", "write"]
    order, write, refused = entries[1], entries[4], entries[5]
    assert (order["number"], order["total"], order["lines"][0]["sku"]) == (placed.number, "24990.00", LAST_KETTLE)
    assert (write["status"], write["changed"]) == (200, True)
    assert (refused["status"], refused["code"], refused["changed"]) == (422, "invalid", False)
    assert all(entry["at"].endswith("+00:00") for entry in entries)
    till = people.sell_at_till("almaty-2", {LAST_KETTLE: 1})
    sale = people.books("pos")[-1]
    assert (sale["kind"], sale["id"], sale["store"], sale["total"]) == ("sale", till.id, "almaty-2", "24990.00")
    told = {system: people.books(system) for system in sandbox.systems}
    while_running = {system: (tmp_path / f"{system}.jsonl").read_text(encoding="utf-8") for system in told}
    sandbox.stop()
    for system, lines in told.items():
        on_disk = (tmp_path / f"{system}.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in on_disk] == lines
        assert [json.loads(line) for line in while_running[system].splitlines()] == lines
        assert [entry["n"] for entry in lines] == list(range(1, len(lines) + 1))

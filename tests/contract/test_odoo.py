"""What Odoo alone does to a connector: versions, races, emptied quants, seconds that rows share, companies, rules."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from connectors.base import Doc, Receipt, Write
from connectors.errors import Misconfigured, RetryLater
from connectors.odoo import Odoo
from connectors.odoo_facts import KEY, parted
from deployments.demo.data import karavan_home
from deployments.sandbox.books import Books
from deployments.sandbox.odoo.fill import ADMIN, empty, fill
from deployments.sandbox.odoo.records import write
from deployments.sandbox.odoo.server import DATABASE, LOGIN, Running, start
from tests.contract.harness import EARLY, Fault, Reply, ports_with
from tests.contract.odoo_simulator import TOKEN, Simulated
from tests.listening import listening

OLD = {"user": LOGIN, "database": DATABASE}


@contextmanager
def running(version: int = 19) -> Iterator[Running]:
    """The retailer's Odoo, over HTTP."""
    db = empty(Books("erp", None), version)
    fill(db, karavan_home(7))
    serving = start(db)
    try:
        yield serving
    finally:
        serving.stop()


def connected(serving: Running, **options: Any) -> Odoo:
    """A connector to the company in Almaty."""
    older = OLD if serving.db.version < 19 else {}
    own = {
        "secrets": {"token": "env:T", "hook_secret": "env:H"},
        "company": 1,
        "lag": 5,
        "version": serving.db.version,
        "quarantine": "Quarantine",
    }
    charges = {"charges": {"delivery": "DELIVERY", "surcharge": "SURCHARGE", "discount": "DISCOUNT"}}
    return Odoo(
        channel="erp-kz", url=serving.url, options={**own, **charges, **older, **options},
        ports=ports_with({"token": serving.token, "hook_secret": "hook"}),
    )  # fmt: skip


def act(serving: Running, verb: str, **ask: Any) -> Doc:
    """What somebody does in Odoo."""
    data = json.dumps(ask).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{serving.url}/_act/{verb}", data=data)) as answer:
        found: Doc = json.loads(answer.read())
    return found


def docs(connector: Odoo, resource: str, cursor: Any = None) -> tuple[dict[str, Doc], Any]:
    """What a read tells, and the cursor after it."""
    pages = list(connector.read(resource, cursor))
    return {str(doc["id"]): doc for page in pages for doc in page.docs}, pages[-1].cursor


def sale(connector: Odoo, sku: str, **more: Any) -> Doc:
    """An order of three pieces for ten."""
    (variant,) = connector.rows("product.product", [["default_code", "=", sku]], ["name"])
    line = {KEY: "li_1", "product": variant["id"], "name": "Kettle", "product_uom_qty": Decimal(3), "total": "10.00"}
    return {
        "client_order_ref": "2001", "state": "sale", "delivered": False, "x_serai_payment": "open", "partner": None,
        "buyer": {"name": "Дина", "email": "dina@example.kz", "phone": None}, "warehouse": 1, "currency": "KZT",
        "order_line": [line], "charges": [], "amount_total": Decimal("10.00"), **more,
    }  # fmt: skip


def placed(connector: Odoo, doc: Doc, key: str = "k-1", attempt: int = 1) -> Receipt:
    """The receipt of an order."""
    (found,) = connector.write("orders", [Write(key=key, op="create", doc=doc, attempt=attempt)])
    return found


@pytest.mark.parametrize("version", [16, 17, 18, 19])
def test_every_version_tells_the_same_documents_and_takes_the_same_order(version: int) -> None:
    """The names of older versions and the older way of calling stay inside the connector."""
    with running(version) as serving:
        connector = connected(serving)
        connector.check()
        variants, _ = docs(connector, "variants")
        stock, _ = docs(connector, "stock")
        orders, _ = docs(connector, "orders")
        goods = [doc for doc in variants.values() if doc["type"] != "service"]
        assert len(goods) == 331
        assert len(stock) == 331 * 5
        assert {doc["order_line"][0]["product_uom_id"][1] for doc in orders.values()} == {"Units"}
        receipt = placed(connector, sale(connector, "KTL-777-RED", delivered=True))
        assert receipt.outcome == "applied", receipt.detail
        assert receipt.doc is not None
        assert (receipt.doc["state"], receipt.doc["delivery_status"]) == ("sale", "full")
        line = {"line": "li_1", "quantity": Decimal(2), "to": "quarantine"}
        back = {"order_id": int(str(receipt.id)), "warehouse": 2, "lines": [line]}
        (returned,) = connector.write("returns", [Write(key="r-1", op="create", doc=back)])
        assert returned.outcome == "applied", returned.detail
        assert act(serving, "on_hand", item="KTL-777-RED", location="almaty-1") == {"on_hand": "2.0"}
        aside = connector.fetch("stock", ["4@2"])["4@2"]
        assert aside is not None
        assert (aside["qty_available"], aside["quarantined"]) == (2, 2)


def test_what_lies_there_and_what_is_promised_are_told_apart_and_an_emptied_quant_is_seen() -> None:
    """A sale takes from free_qty; goods that are all gone leave no quant behind, and the next read says zero (P1)."""
    with running() as serving:
        connector = connected(serving)
        before, cursor = docs(connector, "stock")
        (kettle,) = [doc for doc in before.values() if doc["product_id"][0] == 4 and doc["warehouse_id"][0] == 1]
        assert (kettle["qty_available"], kettle["free_qty"]) == (1, 1)
        one = sale(connector, "KTL-777-RED")
        one["order_line"][0]["product_uom_qty"] = Decimal(1)
        receipt = placed(connector, one)
        after, cursor = docs(connector, "stock", cursor)
        assert (after["4@1"]["qty_available"], after["4@1"]["free_qty"]) == (1, 0)
        assert act(serving, "ship", source_number="2001")["tracking"] is not None
        assert [key for key in serving.db.quants if key[0] == 4] == []
        gone, _ = docs(connector, "stock", cursor)
        assert (gone["4@1"]["qty_available"], gone["4@1"]["free_qty"]) == (0, 0)
        shipments, _ = docs(connector, "shipments")
        (mine,) = [doc for doc in shipments.values() if str(doc["sale_id"][0]) == receipt.id]
        assert [(move["line"], move["quantity"]) for move in mine["move_ids"]] == [("li_1", 1)]


def test_rows_that_one_write_stamped_alike_come_once_each_whatever_the_page() -> None:
    """P1: a bulk write gives hundreds of rows one stamp, which Odoo tells without its fraction; pages are seconds."""
    made = Simulated()
    ids = [made.enter("res.partner", {"name": f"P{n}"}, EARLY + timedelta(microseconds=7)) for n in range(8)]
    connector = Odoo(channel="erp-kz", url=made.url, ports=ports_with({"token": TOKEN}),
                     options={"page_size": 3, "lag": 0, "company": 1})  # fmt: skip
    with made.running():
        _, cursor = docs(connector, "customers")
        made.moment = EARLY + timedelta(hours=2, microseconds=123_456)
        made.db.transact(lambda: write(made.db, "res.partner", ids, {"comment": "x"}, ADMIN))
        late = made.enter("res.partner", {"name": "later"}, EARLY + timedelta(hours=2, seconds=1, microseconds=5))
        told = [str(doc["id"]) for page in connector.read("customers", cursor) for doc in page.docs]
        assert sorted(told, key=int) == [str(id) for id in [*ids, late]]


def test_a_lost_race_is_for_later_and_what_odoo_refuses_is_no_unknown() -> None:
    """P3: every failure that Odoo itself tells was rolled back; a misspelt field is one, although it is a 500."""
    with running() as serving:
        connector = connected(serving)
        urllib.request.urlopen(urllib.request.Request(f"{serving.url}/_control", data=b'{"conflict": 1}'))
        with pytest.raises(RetryLater, match="SerializationFailure"):
            list(connector.write("customers", [Write(key="c", op="create", doc={"name": "A"})]))
        wrong = Write(key="c", op="create", doc={"name": "A", "favourite": "tea"})
        (receipt,) = connector.write("customers", [wrong])
        assert receipt.outcome == "rejected"
        assert "Invalid field 'favourite'" in receipt.detail
        assert [one["code"] for one in serving.db.books.after(0) if one["kind"] == "write"] == [
            "psycopg2.errors.SerializationFailure", "builtins.ValueError"]  # fmt: skip


def test_a_sale_that_was_created_but_not_confirmed_is_led_on_and_not_made_again() -> None:
    """P2: the answer to the confirmation was lost before it was done; the second attempt finds the quotation."""
    made = Simulated()
    made.enter("res.partner", {"name": "Dina"}, EARLY)
    made.enter("product.template", {"name": "Kettle", "default_code": "K", "is_storable": True}, EARLY)
    connector = Odoo(channel="erp-kz", url=made.url, ports=ports_with({"token": TOKEN}), options={"company": 1})
    with made.running():
        doc = sale(connector, "K", partner=1)
        made.befall(Fault(reply=Reply(status=500), carried_out=True))
        assert placed(connector, doc).outcome == "unknown"
        (found,) = connector.settle("orders", [Write(key="k-1", op="create", doc=doc)])
        assert (found.outcome, found.id) == ("rejected", None)
        assert "created but not confirmed" in found.detail
        again = placed(connector, doc, attempt=2)
        assert (again.outcome, again.id) == ("applied", "1")
        assert again.doc is not None
        assert again.doc["state"] == "sale"
        assert len(made.db.rows["sale.order"]) == 1


def test_a_total_that_odoo_makes_another_is_refused_and_nothing_is_left_reserved() -> None:
    """The buyer paid what the buyer paid: a sale of another total is cancelled, never adjusted in silence."""
    with running() as serving:
        connector = connected(serving)
        receipt = placed(connector, sale(connector, "KTL-777-RED", amount_total=Decimal("11.00")))
        assert receipt.outcome == "rejected"
        assert "Odoo makes 10.0 KZT" in receipt.detail
        assert "the buyer paid 11.00" in receipt.detail
        orders, _ = docs(connector, "orders")
        assert [doc["state"] for doc in orders.values() if doc["origin"] == "k-1"] == ["cancel"]
        assert not any(one.doc["reserved_quantity"] for one in serving.db.rows["stock.quant"].values())


def test_a_company_sees_its_own_and_no_key_opens_another() -> None:
    """Multi-company: one database, two companies, a channel each."""
    with running() as serving:
        home, _ = docs(connected(serving), "locations")
        abroad, _ = docs(connected(serving, company=2, places={"PLVWH": "plovdiv-wh"}), "locations")
        assert sorted(doc["code"] for doc in home.values()) == ["ALM1", "ALM2", "ALMWH", "AST1", "MKTAL"]
        assert sorted(doc["place"] for doc in abroad.values()) == ["PLV1", "plovdiv-wh"]
        prices, _ = docs(connected(serving, company=2), "prices")
        assert {doc["list"] for doc in prices.values()} == {"retail-bg"}
        with pytest.raises(Misconfigured, match="companies"):
            docs(connected(serving, company=3), "locations")


def test_a_rule_tells_of_a_change_and_the_notice_names_the_document() -> None:
    """Odoo 17 posts by automation rules: a stock row by product and warehouse, a sale by its id."""
    with listening() as ear, running() as serving:
        connector = connected(serving)
        connector.subscribe(f"{ear.url}/hooks/erp-kz")
        act(serving, "count", item="007", location="almaty-1", on_hand=40)
        assert serving.rules.settled(10)
        notices = {
            (notice.resource, notice.id)
            for request in ear.heard
            for notice in connector.receive(request).notices
        }
        (item,) = connector.rows("product.product", [["default_code", "=", "007"]], ["name"])
        assert ("stock", f"{item['id']}@2") in notices
        assert connector.fetch("stock", [f"{item['id']}@2"])[f"{item['id']}@2"]["qty_available"] == 40  # type: ignore[index]


def test_goods_on_their_way_and_a_till_s_shift_are_told() -> None:
    """What suppliers announced comes with its day; a shift that a till's link entered is one receipt of its session."""
    with running() as serving:
        connector = connected(serving)
        act(serving, "order_goods", item="007", location="almaty-wh", delivery="PO-7", quantity=6, on="2026-12-05")
        (item,) = connector.rows("product.product", [["default_code", "=", "007"]], ["name"])
        id = f"{item['id']}@1"
        stock = connector.fetch("stock", [id])[id]
        assert stock is not None
        assert [(one["key"], one["product_uom_qty"], one["date"][:10]) for one in stock["expected"]] == [
            ("PO-7", 6, "2026-12-05")]  # fmt: skip
        shift = {"number": "Z2-1", "register": "1", "since": "2026-03-01T09:00:00+05:00", "receipts": ["R2-1"],
                 "until": "2026-03-01T21:00:00+05:00"}  # fmt: skip
        act(
            serving,
            "post_shift",
            store="almaty-2",
            shift=shift,
            lines=[{"item": "007", "quantity": "2", "sum": "99.90"}],
        )
        (receipt,) = docs(connector, "pos_orders")[0].values()
        assert (receipt["pos_reference"], receipt["session"]["stop_at"]) == ("SHIFT Z2-1", "2026-03-01 16:00:00")
        assert [(line["qty"], line["price_subtotal_incl"]) for line in receipt["lines"]] == [(2, Decimal("99.9"))]
        assert receipt["warehouse_id"][0] == 3


@given(pieces=st.integers(1, 60), total=st.integers(0, 2_000_000))
@settings(max_examples=60, deadline=None)
def test_a_line_s_parts_make_up_its_total_to_the_last_digit(pieces: int, total: int) -> None:
    """No unit price may round a buyer's money away: parts differ by one unit of the last digit."""
    paid = Decimal(total) / 100
    parts = parted(Decimal(pieces), paid)
    assert sum(units * price for units, price in parts) == paid
    assert sum(units for units, _ in parts) == pieces
    assert len(parts) <= 2
    assert max(price for _, price in parts) - min(price for _, price in parts) <= Decimal("0.01")

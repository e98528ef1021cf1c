"""The simulated Tryton as tills: what its cashiers do, what it refuses, and that it hears of nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors import CATALOG
from connectors.base import Connector, Notice, Write
from connectors.errors import RetryLater
from deployments.sandbox.people import People, Refusal
from deployments.sandbox.tryton.database import Failure
from deployments.sandbox.tryton.fill import empty, store
from deployments.sandbox.tryton.server import Running, start
from deployments.sandbox.tryton.trade import SALE, is_ean
from tests.contract.harness import ports_with

EAN = "4006381333931"


@pytest.fixture
def tills() -> Iterator[Running]:
    """A store with one till, which sells a kettle of 100 tenge."""
    db = empty()
    db.transact(lambda: store(db, "almaty-1", "Dostyk", "1-"))
    running = start(db)
    connect(running).close()
    list(connect(running).write("variants", [article("007")]))
    list(connect(running).write("prices", [price(1, "116.00", "100.0000")]))
    yield running
    running.stop()


def connect(tills: Running, **options: Any) -> Connector:
    """A connector on it, whose clock is the tills'."""
    ports = ports_with({"user": tills.user, "password": tills.password})
    ports.clock.now = tills.db.now  # type: ignore[method-assign]  # both stand in one process
    secrets = {"user": "env:TEST_USER", "password": "env:TEST_PASSWORD"}
    return CATALOG["tryton_point"](
        channel="pos-kz", url=tills.url, ports=ports, options={"secrets": secrets, "timeout": 5, **options}
    )


def people(tills: Running) -> People:
    return People("http://127.0.0.1:1", {"pos": tills.url})


def article(code: str, ean: str | None = None, name: str = "Чайник") -> Write:
    doc = {"code": code, "template": {"name": name}, "ean": ean, "default_uom": {"symbol": "u"}, "active": True}
    return Write(key=f"k-{code}", op="create", doc=doc)


def change(id: str, **doc: Any) -> Write:
    return Write(key=f"u-{id}", op="update", id=id, doc=doc)


def price(product: int, gross: str, net: str) -> Write:
    doc = {"product": product, "gross_price": Decimal(gross), "list_price": Decimal(net)}
    return Write(key=f"p-{product}", op="create", doc=doc)


def read(connector: Connector, resource: str) -> list[dict[str, Any]]:
    return [doc for page in connector.read(resource) for doc in page.docs]


def heard(connector: Connector) -> list[Notice]:
    return [one for found in connector.kept() for one in found if isinstance(one, Notice)]


def test_what_is_sold_is_a_receipt_with_its_number_its_tender_and_the_drawers_session(tills: Running) -> None:
    """A receipt tells what was sold at which price, and cash the session of the drawer it lies in."""
    cash = people(tills).sell_at_till("almaty-1", {"007": 2}, tender="CASH")
    people(tills).sell_at_till("almaty-1", {"007": 1}, tender="CARD", phone="87011234567")
    one, other = read(connect(tills), "receipts")
    assert (cash.number, cash.total, one["number"], one["state"]) == ("1-1", Decimal("232.00"), "1-1", "done")
    (paid,), (by_card,) = one["payments"], other["payments"]
    assert (paid["method"]["name"], paid["amount"], paid["session"]["state"]) == ("Cash", Decimal("232.00"), "open")
    assert (by_card["method"]["name"], by_card["amount"], by_card["session"]) == ("Card", Decimal("116.00"), None)
    assert "party" not in other, "a receipt knows no buyer"
    booked = [entry for entry in tills.db.books.after(0) if entry["kind"] == "sale"]
    assert [(entry["id"], entry["total"], entry["store"]) for entry in booked] == [
        ("1-1", "232.00", "almaty-1"), ("1-2", "116.00", "almaty-1")]  # fmt: skip


def test_what_nobody_priced_or_what_is_off_sale_is_not_sold(tills: Running) -> None:
    """The till asks the server for a price; without one nothing is rung up."""
    (made,) = connect(tills).write("variants", [article("008")])
    list(connect(tills).write("variants", [change("1", active=False)]))
    for sku in ("008", "007", "GHOST"):
        with pytest.raises(Refusal, match="not_sold"):
            people(tills).sell_at_till("almaty-1", {sku: 1})
    list(connect(tills).write("prices", [price(int(str(made.id)), "0.00", "0.0000")]))
    assert people(tills).sell_at_till("almaty-1", {"008": 1}).total == 0


def test_a_store_without_a_line_writes_slips_that_are_entered_later_and_posted(tills: Running) -> None:
    """Nobody reads what is on paper; with the line back each slip is a receipt, and the drawer's session is closed."""
    us = people(tills)
    us.cut_off("almaty-1")
    slip = us.sell_at_till("almaty-1", {"007": 1}, tender="CASH")
    us.sell_at_till("almaty-1", {"007": 3}, tender="CARD")
    assert slip.number == "slip 1"
    assert read(connect(tills), "receipts") == []
    shift = us.back_online("almaty-1")
    found = read(connect(tills), "receipts")
    assert [(doc["number"], doc["state"], doc["total"]) for doc in found] == [
        ("1-1", "posted", Decimal("116.00")), ("1-2", "posted", Decimal("348.00"))]  # fmt: skip
    assert found[0]["payments"][0]["session"]["state"] == "closed"
    assert us.look("pos", "shifts", shift)["receipts"] == ["1-1", "1-2"]
    assert us.look("pos", "receipts", "1-2")["rows"] == [{"sku": "007", "qty": Decimal(3), "sum": "348.00"}]
    us.sell_at_till("almaty-1", {"007": 1}, tender="CASH")
    (next_one,) = [doc for doc in read(connect(tills), "receipts") if doc["number"] == "1-3"]
    assert next_one["payments"][0]["session"]["id"] != int(shift), "the next day's drawer is another session"


def test_goods_of_a_receipt_come_back_on_it_and_the_money_leaves_the_drawer(tills: Running) -> None:
    """The receipt is opened again; what it did not sell is nobody's to give back here, and a card is paid in cash."""
    us = people(tills)
    sold = us.sell_at_till("almaty-1", {"007": 2}, tender="CARD")
    assert us.bring_to_till("almaty-1", sold.number, {"007": 1}) == Decimal("116.00")
    (doc,) = read(connect(tills), "receipts")
    assert [(line["quantity"], line["product"]["code"]) for line in doc["lines"]] == [(2.0, "007"), (-1.0, "007")]
    assert [(row["amount"], row["method"]["name"]) for row in doc["payments"]] == [
        (Decimal("232.00"), "Card"), (Decimal("-116.00"), "Cash")]  # fmt: skip
    assert (doc["number"], doc["state"], doc["total"]) == ("1-1", "done", Decimal("116.00"))
    with pytest.raises(Refusal, match="unknown_order"):
        us.bring_back("almaty-1", "1001", {"007": 1})


def test_an_article_goes_out_with_its_barcode_and_a_wrong_one_stops_only_itself(tills: Running) -> None:
    """P6, P7: codes and names as they are; Tryton checks the digit, and a code is unique among what is sold."""
    till = connect(tills)
    writes = [article("1E5", EAN), article("0", "4006381333932"), article("007"), article("12.50")]
    receipts = list(till.write("variants", writes))
    assert [receipt.outcome for receipt in receipts] == ["applied", "rejected", "rejected", "applied"]
    assert "is not valid" in receipts[1].detail
    assert "must be unique" in receipts[2].detail
    held = {doc["code"]: doc for doc in read(till, "variants")}
    assert sorted(held) == ["007", "12.50", "1E5"]
    assert [row["code"] for row in held["1E5"]["identifiers"]] == [EAN]
    assert is_ean("0") is False


def test_an_article_is_renamed_given_another_barcode_and_none_and_taken_off_sale(tills: Running) -> None:
    """Each change reaches what it is about; a write that says what is there already changes nothing."""
    till = connect(tills)
    (made,) = till.write("variants", [article("1E5", EAN)])
    id = str(made.id)
    (changed,) = till.write("variants", [change(id, template={"name": "Самовар"}, ean="96385074", code="1E6")])
    assert changed.doc is not None
    assert (changed.doc["template"]["name"], changed.doc["code"]) == ("Самовар", "1E6")
    assert [row["code"] for row in changed.doc["identifiers"]] == ["96385074"]
    stamp = changed.doc["_timestamp"]
    (same,) = till.write("variants", [change(id, template={"name": "Самовар"}, ean="96385074", code="1E6")])
    assert same.doc is not None
    assert same.doc["_timestamp"] == stamp
    (bare,) = till.write("variants", [change(id, ean=None, active=False)])
    assert bare.doc is not None
    assert (bare.doc["identifiers"], bare.doc["active"]) == ([], False)


def test_the_name_of_several_products_is_left_to_whoever_made_them_so(tills: Running) -> None:
    """Two products of one template are called alike: to name one would rename the other."""
    tills.db.transact(lambda: tills.db.create("product.template", {
        "name": "Set", "code": "S-", "default_uom": 1, "sale_uom": 1, "salable": True,
        "products": [["create", [{"suffix_code": "A"}, {"suffix_code": "B"}]]],
    }))  # fmt: skip
    one = tills.db.search("product.product", [["code", "=", "S-A"]])[0]
    (renamed,) = connect(tills).write("variants", [change(str(one), template={"name": "Other"}, code="S-C")])
    assert renamed.doc is not None
    assert (renamed.doc["template"]["name"], renamed.doc["code"]) == ("Set", "S-C")
    (refused,) = connect(tills).write("variants", [change(str(one), code="X-1")])
    assert refused.outcome == "rejected"
    assert "begins so" in refused.detail


def test_prices_go_out_together_and_one_that_tryton_refuses_stops_no_other(tills: Running) -> None:
    """P6, P7: many in one call; what has too many decimals is refused by itself, 0 is a price."""
    till = connect(tills)
    made = [int(str(receipt.id)) for receipt in till.write("variants", [article(f"N{n}") for n in range(4)])]
    writes = [price(made[0], "0.10", "0.0862"), price(made[1], "1.12345", "1"), price(made[2], "0.00", "0.0000")]
    receipts = list(till.write("prices", writes))
    assert [receipt.outcome for receipt in receipts] == ["applied", "rejected", "applied"]
    assert "exceeds the limit" in receipts[1].detail
    together = list(till.write("prices", [price(made[0], "5.00", "4.3103"), price(made[3], "7.00", "6.0345")]))
    assert [receipt.id for receipt in together if receipt.outcome == "applied"] == [str(made[0]), str(made[3])]
    held = {doc["id"]: doc["gross_price_used"] for doc in read(till, "prices")}
    assert [held[id] for id in made] == [Decimal("5.00"), None, Decimal("0.00"), Decimal("7.00")]
    before = [entry for entry in tills.db.books.after(0) if entry["kind"] == "price" and entry["list"] == "tills"]
    assert [entry["now"] for entry in before] == ["116.00", "0.10", "0.00", "5.00", "7.00"]


def test_a_price_whose_answer_was_lost_is_there_and_settled_by_its_article(tills: Running) -> None:
    """P3: unknown, never rejected; what it is about tells."""
    till = connect(tills, timeout=1)
    till.check()
    people(tills).temper("pos", "lose_answer", next=1, on="POST /product.product", seconds=0)
    write = Write(key="p", op="update", id="1", doc={"gross_price": Decimal("58.00"), "list_price": Decimal("50.0000")})
    (lost,) = till.write("prices", [write])
    assert lost.outcome == "unknown"
    (settled,) = till.settle("prices", [write])
    assert (settled.outcome, settled.id) == ("applied", "1")


def test_a_price_written_over_somebody_elses_change_is_refused(tills: Running) -> None:
    """P3: Tryton's optimistic lock: the record was modified in the meanwhile."""
    (doc,) = read(connect(tills), "prices")
    seen = doc["_timestamp"]
    tills.db.wall = lambda: doc_moment + timedelta(seconds=5)
    doc_moment = tills.db.rows["product.product"][1].at
    tills.db.transact(lambda: tills.db.write("product.product", [1], {"gross_price": Decimal(9)}))
    write = Write(key="p", op="update", id="1", doc={"gross_price": Decimal("58.00")}, expected=seen)
    (refused,) = connect(tills).write("prices", [write])
    assert refused.outcome == "rejected"
    assert "modified in the meanwhile" in refused.detail


def test_without_a_category_or_with_two_a_new_article_is_a_persons_to_decide(tills: Running) -> None:
    """Accounts and taxes of an article are its category's: nobody guesses which."""
    tills.db.transact(lambda: tills.db.create("product.category", {"name": "Books", "accounting": True}))
    (refused,) = connect(tills).write("variants", [article("N1")])
    assert refused.outcome == "rejected"
    assert "settings: {category: …}" in refused.detail
    (made,) = connect(tills, category="Goods").write("variants", [article("N1")])
    (unknown,) = connect(tills, category="Toys").write("variants", [article("N2")])
    (bundle,) = connect(tills, category="Goods").write(
        "variants", [Write(key="k", op="create", doc={"code": "N3", "default_uom": {"symbol": "box"}})])  # fmt: skip
    assert (made.outcome, unknown.outcome, bundle.outcome) == ("applied", "rejected", "rejected")
    assert "no unit with symbol box" in bundle.detail


def test_receipts_are_heard_of_by_asking_and_each_change_is_one_delivery(tills: Running) -> None:
    """P1, P2: Tryton calls nobody. A change is told once, unless nobody stored it, and again to whoever asks for the
    first time, under the same name; what changed again has another. Nobody asks before it is time."""
    us, till = people(tills), connect(tills, looks_every=0)
    assert heard(till) == []
    sold = us.sell_at_till("almaty-1", {"007": 2}, tender="CASH")
    next(till.kept())
    (first,) = heard(till)
    assert (first.resource, first.id) == ("receipts", "1")
    assert heard(till) == []
    assert heard(connect(tills)) == [first]
    us.bring_to_till("almaty-1", sold.number, {"007": 1})
    (again,) = heard(till)
    assert (again.id, again.delivery == first.delivery, again.at > first.at) == ("1", False, True)
    patient = connect(tills, looks_every=3600)
    assert heard(patient) == [again]
    assert list(patient.kept()) == [], "it is not time yet"


def test_the_tills_are_heard_of_when_somebody_asked_twice_since(tills: Running) -> None:
    """The second question says that what the first was told is stored."""
    us, till = people(tills), connect(tills, looks_every=0)
    assert us.notices_sent("pos", 0)
    us.sell_at_till("almaty-1", {"007": 1})
    assert not us.notices_sent("pos", 0)
    list(till.kept())
    assert not us.notices_sent("pos", 0)
    list(till.kept())
    assert us.notices_sent("pos", 0)


def test_a_session_that_ended_is_opened_again_and_bad_weather_is_told_as_such(tills: Running) -> None:
    """401 without a word is a new log-in, 429 a wait; nothing is lost by either."""
    till = connect(tills)
    assert [doc["code"] for doc in read(till, "variants")] == ["007"]
    tills.api.end_sessions()
    assert [doc["code"] for doc in read(till, "variants")] == ["007"]
    people(tills).temper("pos", "throttle", next=9, seconds=7, on="GET /product.product")
    with pytest.raises(RetryLater):
        read(till, "variants")
    people(tills).calm("pos")
    assert len(read(till, "variants")) == 1


def test_a_refusal_undoes_the_whole_call(tills: Running) -> None:
    """Of two articles in one call with a bad barcode between them nothing is left, and no book tells of it."""
    db, before = tills.db, len(tills.db.books.after(0))
    row = {"default_uom": 1, "name": "A"}
    bad = {**row, "products": [["create", [{"identifiers": [["create", [{"type": "ean", "code": "1"}]]]}]]]}
    with pytest.raises(Failure):
        db.transact(lambda: [db.create("product.template", values) for values in ({**row, "code": "Z"}, bad)])
    assert db.one("product.template", code="Z") is None
    assert list(db.codes.get("Z", ())) == []
    assert len(db.books.after(0)) == before
    assert db.one(SALE) is None

"""What Bitrix24 does to a connector, in front of the simulated portal over HTTP: rows, batches, limits, documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from connectors import oauth
from connectors.base import Write
from connectors.bitrix24 import Bitrix24
from connectors.errors import Misconfigured, RetryLater
from deployments.demo.data import karavan_home
from deployments.sandbox.bitrix24 import catalogue, orders
from deployments.sandbox.bitrix24.api import Bucket
from deployments.sandbox.bitrix24.fill import fill
from deployments.sandbox.bitrix24.server import Running, empty, start
from deployments.sandbox.bitrix24.state import Portal
from flows.mapping_files import PACKAGE, compile_file
from mappings.commerce.orders.balance import imbalance
from tests.contract.harness import ports_with
from tests.listening import listening


@pytest.fixture
def running() -> Iterator[Running]:
    """A portal with one store and three articles, ten pieces each, that serves and notifies."""
    found = start(filled(empty()))
    yield found
    found.stop()


def filled(portal: Portal) -> Portal:
    """One store and three articles."""
    portal.opening = datetime.now(UTC) - timedelta(days=1)
    store = {**catalogue.STORE, "title": "Almaty", "code": "almaty-1", "address": "Abay 1"}
    store |= {"dateCreate": portal.stamp(), "dateModify": portal.stamp()}
    portal.put("store", store)
    for number in range(3):
        made = catalogue.article(portal, "product", {"name": f"Kettle {number}", "xmlId": f"K{number}"})
        catalogue.move(portal, made["id"], 1, Decimal(10), why="opening")
    portal.opening = None
    return portal


def connect(running: Running, **given: Any) -> Bitrix24:
    secrets = given.pop("secrets", {"webhook": running.webhook, "hook_secret": running.hook_secret})
    options = {"secrets": {name: f"env:{name}" for name in secrets}, "catalogue": 23, "offers": 24, "responsible": 1}
    options |= {"oauth": running.doors, **given.pop("options", {})}
    return Bitrix24(channel="crm-kz", url=running.url, options=options, ports=ports_with(secrets), **given)


def write(op: str, doc: dict[str, Any], key: str = "k", id: str | None = None, **given: Any) -> Write:
    return Write(key=key, op=op, doc=doc, id=id, **given)  # type: ignore[arg-type]  # one of the three words


def contact(running: Running, **fields: Any) -> str:
    return str(running.portal.enter("contact", fields, by="people")["ID"])


def phones(running: Running, id: str) -> list[str]:
    return [row["VALUE"] for row in running.portal.get("contact", id)["PHONE"]]


def test_a_number_that_is_written_takes_the_place_of_the_first_and_is_never_one_more(running: Running) -> None:
    """P2: a row without an id would be added; what else sales people entered stays, what stands twice goes."""
    rows = [{"VALUE": "+7 701 000 00 01", "VALUE_TYPE": "WORK"}, {"VALUE": "+77010000003", "VALUE_TYPE": "HOME"},
            {"VALUE": "+77010000002", "VALUE_TYPE": "HOME"}]  # fmt: skip
    id, connector = contact(running, NAME="Dina", PHONE=rows), connect(running)
    doc = {"NAME": "Дина & Ко", "PHONE": [{"VALUE": "+77010000002", "VALUE_TYPE": "MOBILE"}]}
    for attempt in range(2):
        (receipt,) = connector.write("contacts", [write("update", doc, f"k{attempt}", id)])
        assert receipt.outcome == "applied"
    assert phones(running, id) == ["+77010000002", "+77010000003"]
    held = running.portal.get("contact", id)
    assert (held["NAME"], held["PHONE"][0]["VALUE_TYPE"]) == ("Дина & Ко", "WORK")
    (settled,) = connector.settle("contacts", [write("update", doc, "k", id)])
    assert settled.outcome == "applied"
    gone = {"PHONE": [{"VALUE": "", "VALUE_TYPE": "MOBILE"}]}
    list(connector.write("contacts", [write("update", gone, "k3", id)]))
    assert phones(running, id) == ["+77010000003"]


def test_what_a_customer_wrote_is_no_command(running: Running) -> None:
    """P7: text that looks like a reference to another call goes by itself, and arrives as it is."""
    other = contact(running, NAME="Other", COMMENTS="secret")
    texts = ["$result[w0_0]", "a=1&fields[NAME]=b%20?#+", "007", "строка\nвторая"]
    writes = [write("create", {"NAME": text, "COMMENTS": f"{n}"}, f"k{n}") for n, text in enumerate(texts)]
    receipts = list(connect(running).write("contacts", writes))
    assert [receipt.outcome for receipt in receipts] == ["applied"] * len(texts)
    assert [running.portal.get("contact", receipt.id)["NAME"] for receipt in receipts] == texts
    assert running.portal.get("contact", other)["COMMENTS"] == "secret"


def test_fifty_writes_are_one_request_and_their_deals_have_their_lines(running: Running) -> None:
    """P14: a batch is one call of the two a second; a later command knows what an earlier one made."""
    lines = [{"PRODUCT_NAME": "Kettle", "PRICE": Decimal("3.3333"), "QUANTITY": 3, "TAX_INCLUDED": "Y"}]
    deal = {"TITLE": "Order 1001", "OPPORTUNITY": Decimal("10.00"), "IS_MANUAL_OPPORTUNITY": "Y", "rows": lines}
    asked = running.api.bucket.asked
    receipts = list(connect(running).write("deals", [write("create", deal, f"k{n}") for n in range(25)]))
    assert running.api.bucket.asked == asked + 1
    assert {receipt.outcome for receipt in receipts} == {"applied"}
    held = connect(running).fetch("deals", [str(receipts[7].id)])[str(receipts[7].id)]
    assert held is not None
    assert (held["OPPORTUNITY"], held["rows"][0]["PRICE"]) == ("10.00", Decimal("3.3333"))
    books = [entry for entry in running.portal.books.after(0) if entry["kind"] == "order"]
    assert {entry["number"] for entry in books} == {"1001"}


def test_a_deal_whose_lines_are_refused_is_not_left_behind(running: Running) -> None:
    """P6: half a deal would be taken for a whole one."""
    bad = {"TITLE": "Order 7", "rows": [{"PRODUCT_ID": "x", "PRICE": 1, "QUANTITY": 1}]}
    good = {"TITLE": "Order 8", "rows": [{"PRODUCT_NAME": "Cup", "PRICE": 1, "QUANTITY": 1}]}
    first, second = connect(running).write("deals", [write("create", bad, "a"), write("create", good, "b")])
    assert (first.outcome, second.outcome) == ("rejected", "applied")
    assert "PRODUCT_ID" in first.detail
    assert [row.doc["TITLE"] for row in running.portal.table("deal").values()] == ["Order 8"]


def test_what_a_reader_may_not_see_is_not_taken_for_deleted(running: Running) -> None:
    """P10: a list leaves it out in silence; asked for by its number it is denied, not absent."""
    id = contact(running, NAME="Dina")
    connector = connect(running)
    assert connector.fetch("contacts", [id, "999", "x"])["999"] is None
    running.api.silent = {"contact"}
    assert [doc for page in connector.read("contacts") for doc in page.docs] == []
    with pytest.raises(Misconfigured, match="scope `crm` is missing"):
        connector.fetch("contacts", [id])


def test_a_long_list_is_read_ten_pages_at_a_time_and_each_page_resumes(running: Running) -> None:
    """P1, P14: pages follow each other inside a batch; what changes meanwhile shifts none of them."""
    running.portal.opening = datetime.now(UTC)
    ids = [contact(running, NAME=f"{n}") for n in range(1, 1_061)]
    running.portal.opening = None
    asked, found = running.api.bucket.asked, []
    for n, page in enumerate(connect(running).read("contacts")):
        found += [doc["ID"] for doc in page.docs]
        if n == 3:
            running.portal.drop("contact", ids[0], "?")
            late = contact(running, NAME="late")
        if n == 7:
            rest = [doc["ID"] for later in connect(running).read("contacts", page.cursor) for doc in later.docs]
    assert found == [*ids, late]
    assert rest == found[400:]
    assert running.api.bucket.asked == asked + 5 + 4
    order = orders.place(running.portal, {"store": 1, "lines": [{"sku": "K0", "quantity": 1, "price": "1"}]})
    assert [doc["id"] for page in connect(running).read("orders") for doc in page.docs] == [order["id"]]


def test_the_throttle_is_obeyed_and_tells_the_accounts_other_workers() -> None:
    """P14: 503 QUERY_LIMIT_EXCEEDED was not carried out; so says the receipt that is not there."""
    told: list[float] = []
    clock = [0.0]
    found = start(filled(empty()), bucket=Bucket(clock=lambda: clock[0]))
    try:
        connector = connect(found)
        budget: Any = connector.ports.budget
        budget.refused = lambda after, bucket="": told.append(after)
        for _ in range(50):
            connector.check()
        with pytest.raises(RetryLater) as caught:
            list(connector.write("contacts", [write("create", {"NAME": "Dina"})]))
        assert told == [caught.value.after] == [2]
        assert found.portal.table("contact") == {}
        clock[0] += caught.value.after
        assert [one.outcome for one in connector.write("contacts", [write("create", {"NAME": "Dina"})])] == ["applied"]
    finally:
        found.stop()


def test_a_method_without_time_left_waits_until_its_oldest_minute_is_forgotten(running: Running) -> None:
    """P14: only that method, and as long as its own last answer said."""
    connector = connect(running)
    clock: Any = connector.ports.clock
    clock.at = datetime.now(UTC)
    running.api.meter.limit = 0.03
    list(connector.read("contacts"))
    list(connector.read("contacts"))
    with pytest.raises(RetryLater) as caught:
        list(connector.read("contacts"))
    assert 590 <= caught.value.after <= 601
    connector.check()
    first, second = (write("create", {"NAME": name}, name) for name in ("A", "B"))
    running.api.meter.limit = 0.0
    running.api.meter.baskets.clear()
    rest = connector.write("contacts", [first, second])
    assert next(rest).outcome == "applied"
    with pytest.raises(RetryLater):
        next(rest)
    assert len(running.portal.table("contact")) == 1


def test_a_call_too_early_before_one_that_was_carried_out_takes_no_receipt_along(running: Running) -> None:
    """P3: within a batch only the method without time left is refused; its write is open, and done once when tried."""
    id, connector = contact(running, NAME="Dina"), connect(running)
    spent = {int(datetime.now(UTC).timestamp() // 60): [1.0, datetime.now(UTC).timestamp()]}
    running.api.meter.baskets["crm.contact.add"] = spent
    running.api.meter.limit = 0.5
    made, changed = write("create", {"NAME": "Aigerim"}, "a"), write("update", {"NAME": "Дина"}, "b", id)
    first, second = connector.write("contacts", [made, changed])
    assert (first.outcome, second.outcome) == ("unknown", "applied")
    (settled,) = connector.settle("contacts", [made])
    assert settled.detail.startswith("not found")
    running.api.meter.baskets.clear()
    again = write("create", {"NAME": "Aigerim"}, "a", attempt=2)
    for _ in range(2):
        (receipt,) = connector.write("contacts", [again])
        assert receipt.outcome == "applied"
    assert [row.doc["NAME"] for row in running.portal.table("contact").values()] == ["Дина", "Aigerim"]


def test_stock_is_moved_by_documents_and_what_is_sold_meanwhile_stays_sold(running: Running) -> None:
    """P2, P3: a figure becomes a receipt or a write-off of the difference, once, however often it is tried."""
    connector, place = connect(running), "1201@1"
    (held,) = connector.fetch("stock", [place]).values()
    assert held is not None
    row = {"productId": 1201, "storeId": 1, "currency": "KZT"}
    orders.place(running.portal, {"store": 1, "lines": [{"sku": "K0", "quantity": 4, "price": "100"}]})
    (receipt,) = connector.write("stock", [write("update", {**row, "quantity": Decimal(7)}, "s1", place)])
    assert (receipt.outcome, receipt.id) == ("applied", place)
    lying = catalogue.lying(running.portal, 1201, 1)
    assert (lying["amount"], lying["quantityReserved"]) == (11, 4)
    running.faults.command({"fault": "lose_answer", "next": 1, "on": "POST"})
    (lost,) = connector.write("stock", [write("update", {**row, "quantity": Decimal("0.5")}, "s2", place)])
    assert lost.outcome == "unknown"
    (settled,) = connector.settle("stock", [write("update", {**row, "quantity": Decimal("0.5")}, "s2", place)])
    assert (settled.outcome, settled.id) == ("applied", place)
    assert catalogue.lying(running.portal, 1201, 1)["amount"] == Decimal("4.5")
    moved = [entry["delta"] for entry in running.portal.books.after(0) if entry["kind"] == "stock"]
    assert moved[3:] == ["1", "-6.5"]
    asked = running.api.bucket.asked
    (same,) = connector.write("stock", [write("update", {**row, "quantity": Decimal("0.5")}, "s3", place)])
    assert (same.outcome, running.api.bucket.asked) == ("applied", asked + 1)
    (never,) = connector.write("stock", [write("create", {**row, "storeId": 9, "quantity": Decimal(1)}, "s4")])
    assert never.outcome == "rejected"
    assert [r.doc["status"] for r in running.portal.table("document").values()] == ["Y", "Y"]


def test_a_draft_that_a_lost_connection_left_is_deleted_and_made_anew(running: Running) -> None:
    """P15: a document that was made and not conducted moved nothing."""
    method = dict(running.api.methods)["catalog.document.add"]
    method({"fields": {"docType": "S", "currency": "KZT", "responsibleId": 1, "docNumber": "s1"}})
    row = {"productId": 1201, "storeId": 1, "currency": "KZT", "quantity": 12}
    again = write("update", row, "s1", "1201@1", attempt=2)
    connector = connect(running)
    (settled,) = connector.settle("stock", [again])
    assert (settled.outcome, settled.detail[:9]) == ("rejected", "not found")
    (receipt,) = connector.write("stock", [again])
    assert receipt.outcome == "applied"
    assert catalogue.lying(running.portal, 1201, 1)["amount"] == 12
    assert [row.doc["status"] for row in running.portal.table("document").values()] == ["Y"]


def test_an_order_comes_whole_and_adds_up_to_the_last_unit(running: Running) -> None:
    """P7: a list tells the order alone; with tax on top and contained, discounts and delivery the figures balance."""
    buyer = contact(running, NAME="Dina")
    on_top = {"sku": "K0", "quantity": 3, "price": "333.335", "discount": "0.335", "vat": "0.12", "vat_included": False}
    lines = [on_top, {"sku": "K1", "quantity": 1, "price": "1160", "vat": "0.16"}]
    ask = {"store": 1, "lines": lines, "contact": buyer, "shipping": "1000", "paid": True}
    order = orders.place(running.portal, ask)
    connector = connect(running)
    (doc,) = [doc for page in connector.read("orders") for doc in page.docs]
    assert doc["KEY"] == f"O_{order['id']}"
    mapping = compile_file(None, PACKAGE / "bitrix24" / "orders.yaml")
    company = {"name": "Karavan", "country": "KZ", "currency": "KZT"}
    context = {"channel": "crm-kz", "company": company, "settings": {}, "now": "2026-03-01T00:00:00Z", "run": "1"}
    refs = {("variant", "1201"): "v0", ("variant", "1202"): "v1", ("customer", buyer): "c"}
    result = mapping.map_inward([doc], refs, context)
    assert [str(fault) for fault in result.faults] == []
    (record,) = result.records
    assert (record.id, record.values["payment"]) == (doc["KEY"], "paid")
    assert imbalance(record.values) is None
    orders.change(running.portal, {"id": order["id"], "to": "shipped"})
    held = connector.fetch("orders", [doc["KEY"], "O_999", "7"])
    assert held["O_999"] is held["7"] is None
    shipped = held[doc["KEY"]]
    assert shipped is not None
    assert shipped["deducted"] == "Y"


def test_an_article_is_changed_as_what_it_is_and_a_price_is_one_of_its_type(running: Running) -> None:
    """P2: a variation has methods of its own; a second price of a type is refused and found again."""
    head = running.portal.table("product")[1201].doc["id"]
    offer = catalogue.article(running.portal, "offer", {"name": "Kettle red", "xmlId": "K0-R"}, parent=head)
    connector = connect(running)
    writes = [write("update", {"name": "Kettle blue"}, "a", str(offer["id"])),
              write("update", {"name": "Pot"}, "b", "1202"),
              write("create", {"name": "Cup", "xmlId": "007", "measure": 5, "active": "Y"}, "c")]  # fmt: skip
    receipts = list(connector.write("products", writes))
    assert [receipt.outcome for receipt in receipts] == ["applied"] * 3
    assert running.portal.table("offer")[offer["id"]].doc["name"] == "Kettle blue"
    assert receipts[2].doc is not None
    assert (receipts[2].doc["xmlId"], receipts[2].id) == ("007", str(receipts[2].doc["id"]))
    price = {"productId": 1202, "catalogGroupId": 1, "price": Decimal("0.10"), "currency": "KZT"}
    (made,) = connector.write("prices", [write("create", price, "p")])
    (twice,) = connector.write("prices", [write("create", price, "q")])
    assert (made.outcome, twice.outcome) == ("applied", "rejected")
    (found,) = connector.settle("prices", [write("create", price, "q")])
    assert (found.outcome, found.id) == ("applied", made.id)
    (changed,) = connector.write("prices", [write("update", {**price, "price": Decimal("12490.5")}, "r", made.id)])
    assert changed.doc is not None
    assert changed.doc["price"] == Decimal("12490.5")
    pages = [page for name in ("products", "offers") for page in connector.read(name)]
    read = {str(doc["id"]): doc["type"] for page in pages for doc in page.docs}
    assert (read["1201"], read["1202"], read[str(offer["id"])]) == (3, 1, 4)


def test_a_company_and_a_contact_of_one_number_are_two(running: Running) -> None:
    """P2: companies are called CO_1, in documents, fetches, receipts and notices alike."""
    contact(running, NAME="Dina")
    connector = connect(running)
    (receipt,) = connector.write("companies", [write("create", {"TITLE": "Karavan"}, "k")])
    assert receipt.id == "CO_1"
    (change,) = connector.write("companies", [write("update", {"TITLE": "Karavan Home"}, "l", "CO_1")])
    assert change.outcome == "applied"
    held = connector.fetch("companies", ["CO_1", "1"])
    assert held["1"] is None
    assert held["CO_1"] is not None
    assert held["CO_1"]["TITLE"] == "Karavan Home"
    (found,) = connector.settle("companies", [write("create", {"TITLE": "Karavan"}, "k", attempt=2)])
    assert (found.outcome, found.id) == ("applied", "CO_1")


def test_news_are_hints_and_say_which_record_they_are_about(running: Running) -> None:
    """P2, P13: events of an application, each once; one that nobody answered is not told again."""
    with listening() as ear:
        secrets = {"client_id": running.client_id, "client_secret": running.client_secret,
                   "refresh_token": running.refresh_token, "hook_secret": running.hook_secret}  # fmt: skip
        connector = connect(running, secrets=secrets)
        for _ in range(2):
            connector.subscribe(f"{ear.url}/hooks/crm-kz")
        id = contact(running, NAME="Dina")
        running.portal.enter("company", {"TITLE": "Karavan"}, by="people")
        running.portal.met({"OWNER_ID": id})
        catalogue.article(running.portal, "product", {"name": "Tea"})
        order = orders.place(running.portal, {"store": 1, "lines": [{"sku": "K0", "quantity": 1, "price": "1"}]})
        assert running.hooks.settled(10)
        notices = [notice for request in ear.heard for notice in connector.receive(request).notices]
        told = [("contacts", id), ("companies", "CO_1"), ("activities", "1"), ("products", "1204"),
                ("orders", f"O_{order['id']}")]  # fmt: skip
        assert [(notice.resource, notice.id) for notice in notices] == told
    with pytest.raises(Misconfigured, match="outgoing webhook"):
        connect(running).subscribe("http://127.0.0.1:1/hooks")


def test_a_token_of_an_hour_is_renewed_once_and_its_successor_kept(running: Running) -> None:
    """P15: the refresh token changes with each renewal; the new one is stored before it is used."""
    secrets = {"client_id": running.client_id, "client_secret": running.client_secret,
               "refresh_token": running.refresh_token}  # fmt: skip
    connector = connect(running, secrets=secrets)
    connector.check()
    first = connector.ports.tokens.load()[1]
    assert first["refresh_token"] == running.api.refresh != running.refresh_token
    running.api.tokens = {token: datetime.now(UTC) - timedelta(seconds=1) for token in running.api.tokens}
    connector.check()
    second = connector.ports.tokens.load()[1]
    assert second["refresh_token"] == running.api.refresh != first["refresh_token"]
    assert connector.granted() == {"crm", "catalog", "sale"}


def test_a_person_consents_once_and_the_portal_is_open(running: Running) -> None:
    """P13: the page is the portal's, the tokens the authorization server's."""
    secrets = {"client_id": running.client_id, "client_secret": running.client_secret}
    connector = connect(running, secrets=secrets)
    with pytest.raises(Misconfigured, match="serai connect"):
        connector.check()
    back = "http://127.0.0.1:9/callback"
    page = oauth.consent_address(connector.auth, f"{connector.url}/", connector.ports, back, "s-1", "verifier")
    assert page.startswith(f"{running.doors}/oauth/authorize/")
    told = requests.get(page, allow_redirects=False, timeout=5).headers["Location"]
    code = dict(parse_qsl(urlsplit(told).query))
    assert code["state"] == "s-1"
    oauth.take_code(connector.auth, connector.ports, connector.post_form, code["code"], back, "verifier")
    connector.check()


def test_the_demos_people_and_deals_stand_in_the_portal_at_the_opening() -> None:
    """Each person the CRM knows once, some of them twice, and a deal for every order that it knows."""
    portal, retailer = empty(), karavan_home(7)
    fill(portal, retailer)
    known = [person for person in retailer.people if "crm" in person.known_in]
    assert len(portal.table("contact")) == len(known) + sum(person.twice for person in known)
    deals = [entry for entry in portal.books.after(0) if entry["kind"] == "order"]
    assert len(deals) == sum(order.known for order in retailer.orders) == len(portal.table("deal"))
    assert {row.doc["STAGE_ID"] for row in portal.table("deal").values()} == {"WON"}
    assert portal.opening is None

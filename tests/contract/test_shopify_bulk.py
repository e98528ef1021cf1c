"""Full reads of Shopify by bulk operations: few points, the same documents as by pages, and what may become of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Doc, Page
from connectors.errors import RetryLater, ShapeChanged
from connectors.shopify import Shopify
from connectors.shopify_bulk import BULKS, taken
from deployments.sandbox.shopify.api import Bucket
from deployments.sandbox.shopify.bulk import unfit
from deployments.sandbox.shopify.orders import enter_customer
from deployments.sandbox.shopify.server import Running, empty, start
from deployments.sandbox.shopify.state import Shop
from flows import wiring
from flows.ledger import Stretch
from flows.pull import pull
from tests.contract.test_shopify import PLACE, connect, filled
from tests.retailer import environment

LIST = "gid://shopify/PriceList/7"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A shop with forty articles of two variants at two places, customers, a price list."""
    found = start(many(filled(empty())), bucket=Bucket(maximum=1e9, restore=1e6))
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def even_tempered(running: Running) -> None:
    """Each test begins with a shop that answers at once and that nobody asked."""
    running.api.bulks.seconds, running.api.bulks.fails, running.api.bulks.jobs = 0.0, [], {}
    running.api.bulks.downloads = running.api.bulks.leaks = 0
    running.faults.command({"clear": True})


def many(shop: Shop) -> Shop:
    """Everything that is read in bulk, some of it with what JSON finds hard."""
    shop.opening = datetime.now(UTC) - timedelta(hours=1)
    other = "gid://shopify/Location/5"
    shop.put(other, {"legacyResourceId": "5", "name": "Astana", "isActive": True, "fulfillsOnlineOrders": True,
                     "address": {}})  # fmt: skip
    shop.put(LIST, {"name": "wholesale", "currency": "KZT"})
    for number in range(37):
        files = [{"originalSource": f"https://img.example/{number}-{n}.png", "alt": "Чайник\u2028 \"0\""}
                 for n in range(number % 13)]  # fmt: skip
        product = shop.product({"title": f"Pot {number}", "handle": f"pot-{number}", "files": files})
        for size in ("S", "L"):
            chosen = [{"name": "Size", "value": size}]
            made = shop.variant(product["id"], {"sku": f"P{number}-{size}", "price": "0.10", "selectedOptions": chosen})
            shop.stock(made["item"], PLACE, available=number)
            shop.stock(made["item"], other, available=-number)
            shop.prices[LIST, made["id"]] = {"variantId": made["id"], "compareAtPrice": None,
                                             "price": {"amount": "0.10", "currencyCode": "KZT"}}  # fmt: skip
        enter_customer(shop, {"email": f"b{number}@example.test", "lastName": "007"})
    shop.opening = None
    return shop


def bulky(running: Running, **options: Any) -> Shopify:
    connector = connect(running)
    connector.options = {**connector.options, "bulk": 0, "bulk_part": 3_000, **options}
    return Shopify(channel="shop-kz", url=running.url, options=connector.options, ports=connector.ports)


def by_id(pages: list[Page]) -> dict[str, Doc]:
    docs = [doc for page in pages for doc in page.docs]
    found = {str(doc["id"]): doc for doc in docs}
    assert len(found) == len(docs)
    return found


@pytest.mark.parametrize("resource", sorted(BULKS))
def test_in_bulk_comes_what_comes_by_pages_and_any_part_can_be_the_last_before_a_crash(
    running: Running, resource: str
) -> None:
    """P1, P15: to the last value; a part's cursor given to a fresh connector yields the same rest, without asking
    Shopify to begin again."""
    by_pages = by_id(list(bulky(running, bulk=10**9).read(resource)))
    pages = list(bulky(running).read(resource))
    assert by_id(pages) == by_pages
    assert len(pages) > 3
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert len(running.api.bulks.jobs) == 1
    for index in (0, 1, len(pages) // 2, len(pages) - 2):
        stored = json.loads(json.dumps(pages[index].cursor))
        rest = [page for page in bulky(running).read(resource, stored) if page.docs]
        assert [page.docs for page in rest] == [page.docs for page in pages[index + 1 :]]
        assert [page.asked_at for page in rest] == [page.asked_at for page in pages[index + 1 :]]
    assert len(running.api.bulks.jobs) == 1
    assert "signature" not in json.dumps([page.cursor for page in pages])
    assert running.api.bulks.leaks == 0, "the file's address was told our credential"


def test_changes_since_a_full_read_in_bulk_are_read_by_pages(running: Running) -> None:
    """P1: the watermark is the operation's begin at the latest: what changed while it ran is found."""
    connector = bulky(running)
    clock: Any = connector.ports.clock
    clock.at = datetime.now(UTC)
    running.api.bulks.seconds = 0.3
    scan = connector.read("products")
    pages = [next(scan)]
    changed = next(iter(running.shop.table("Product")))
    running.shop.product({"title": "Renamed while it ran"}, id=changed)
    pages += scan
    assert {page.asked_at for page in pages} == {pages[0].asked_at}
    assert by_id(pages)[changed]["title"] != "Renamed while it ran"
    later = by_id(list(connector.read("products", pages[-1].cursor)))
    assert later[changed]["title"] == "Renamed while it ran"
    assert len(running.api.bulks.jobs) == 1


def test_a_full_read_costs_as_many_points_as_it_asks_questions_not_as_it_brings_documents() -> None:
    """P14: 20,000 variants would cost 100,000 points by pages."""
    shop = filled(empty())
    shop.opening = datetime.now(UTC)
    product = shop.product({"title": "Cup"})
    for number in range(600):
        shop.variant(product["id"], {"sku": f"C{number}", "title": str(number)})
    found = start(shop)
    try:
        connector = connect(found)
        before = found.api.bucket.spent
        assert len([doc for page in connector.read("variants") for doc in page.docs]) == 604
        assert found.api.bucket.spent - before <= 20
        few = len([doc for page in connector.read("products") for doc in page.docs])
        assert (few, len(found.api.bulks.jobs)) == (4, 1), "what is little is there sooner by pages"
    finally:
        found.stop()


@pytest.mark.parametrize("code", ["TIMEOUT", "INTERNAL_SERVER_ERROR", "ACCESS_DENIED", "EXPIRED"])
def test_what_a_failed_operation_had_by_then_is_never_taken_for_all_there_is(running: Running, code: str) -> None:
    """P1, P10: half a list would look like deletions; the list is read by pages instead."""
    running.api.bulks.fails = [code]
    found = by_id(list(bulky(running).read("inventory")))
    assert len(found) == 37 * 2 * 2 + 3
    assert running.api.bulks.downloads == 0


def test_an_address_that_ended_is_asked_for_again_and_the_part_is_read_once(running: Running) -> None:
    """P1, P13: it is as good as a credential, and lives as long as Shopify likes."""
    connector = bulky(running)
    scan = connector.read("variants")
    pages = [next(scan), next(scan)]
    running.api.bulks.end_addresses()
    pages += scan
    assert len(by_id(pages)) == 37 * 3 + 3


def test_as_many_operations_as_may_run_are_waited_for(running: Running) -> None:
    """P14: five at a time; the sixth is no error of the data."""
    running.api.bulks.seconds = 60.0
    for _ in range(5):
        next(iter(bulky(running).read("variants")))
    with pytest.raises(RetryLater, match="limit reached"):
        next(iter(bulky(running).read("variants")))


def test_a_pull_that_ended_while_shopify_worked_goes_on_with_the_same_operation(
    running: Running, tmp_path: Path
) -> None:
    """P1, P15: its id is committed before anybody waits for it; another process goes on where the first one stood."""
    files = {
        "companies.yaml": "kz: {name: Karavan Home, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n",
        "authority.yaml": "product: {'*': [shop]}\n",
        "channels.yaml": "shop: {platform: shopify, company: kz, url: env:BULK_URL, secrets: {token: env:BULK_TOKEN,"
        " hook_secret: env:BULK_TOKEN}, entities: {product: on}, settings: {bulk: 0, bulk_part: 3000}}\n",
    }
    (tmp_path / "project").mkdir()
    for name, lines in files.items():
        (tmp_path / "project" / name).write_text(lines, encoding="utf-8")
    running.api.bulks.seconds = 0.5
    ledgers = []
    with environment({"BULK_URL": running.url, "BULK_TOKEN": running.token}):
        for records in (0, 10**9):
            with wiring.opened(tmp_path / "project") as house:
                ledgers.append(pull(house, "shop", "products", stretch=Stretch(seconds=1e9, records=records)))
    assert [(ledger.more, ledger.total("created")) for ledger in ledgers] == [(True, 0), (False, 40)]
    assert len(running.api.bulks.jobs) == 1


def test_a_file_that_is_none_is_refused_and_nothing_of_it_is_believed(running: Running) -> None:
    """P1: neither half a line nor a page of HTML in between."""
    connector = bulky(running)
    scan = connector.read("variants")
    next(scan)
    (job,) = running.api.bulks.jobs.values()
    job.data = job.data[:500] + b"<html>" + job.data[506:]
    with pytest.raises(ShapeChanged, match="bulk operation cannot be used"):
        list(scan)


def test_a_part_ends_where_a_record_ends_however_the_bytes_fall() -> None:
    """P1: for every place at which the file may be cut, each line is taken once, and a record's lines together."""
    rows = [{"id": "1"}, {"id": "a", "__parentId": "1"}, {"id": "2"}, {"id": "3"}, {"id": "ж", "__parentId": "3"}]
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    for together in (False, True):
        for cut in range(1, len(data)):
            first, used = taken(data[:cut], whole=False, together=together)
            rest, left = taken(data[used:], whole=True, together=together)
            assert first + rest == rows
            assert used + left == len(data)
            assert used <= cut
            assert not together or "__parentId" not in rest[0]


def test_the_simulated_shop_refuses_what_shopify_would(running: Running) -> None:
    """So that a question that Shopify refuses cannot pass here."""
    bad = {
        "{ shop { name } }": "at least one connection",
        "{ nodes(ids: []) { id } }": "top-level node",
        "{ products { edges { node { title variants { edges { node { id } } } } } } }": "must select the 'id'",
        "{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }": "within a list",
        "{ products { edges { node { nothing } } } }": "nothing",
    }
    for question, why in bad.items():
        assert why in (unfit(running.api.schema, question) or "")
    assert [unfit(running.api.schema, bulk.text) for bulk in BULKS.values()] == [None] * len(BULKS)

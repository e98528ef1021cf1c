"""What is due goes out: one write per change, never blindly again, never an echo."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.errors import Misconfigured, RetryLater
from deployments.switches import set_pause
from flows import deciding, steps
from registry import hops_of
from tests.scenario.world import LONG, World
from tests.unit.flows.retail import (
    again,
    allow,
    items,
    live,
    outbox,
    product,
    records,
    take,
    tried,
    values,
    written,
)

SHOP = ("erp-kz", "shop-kz")


def rename(retail: World, sku: str, name: str) -> None:
    retail.people.rename_item(sku, name)


def shop_doc(retail: World, resource: str, field: str, value: str) -> dict[str, object]:
    return next(dict(doc) for doc in retail.sandbox.systems["shop"].docs(resource) if doc[field] == value)


def test_a_create_without_an_answer_is_settled_on_both_databases(kettles_on_each: World) -> None:
    """P3, P2: the ERP takes a reference twice; Serai looks for its own before it says anything again."""
    settled(kettles_on_each, "lose_answer")


@pytest.mark.parametrize("temper", ["fail_after", "fail"])
def test_a_create_without_an_answer_is_settled_by_our_reference_and_never_made_twice(
    kettles: World, temper: str
) -> None:
    """P3, P2: whether the sale arrived or not, the ERP has it once in the end."""
    settled(kettles, temper)


def settled(world: World, temper: str) -> None:
    """An order whose creation got no answer is in the ERP once, and nothing is open."""
    placed = world.buy("shop", {"KTL-1": 2})
    world.people.temper("erp", temper, on="POST /orders", next=1)
    again(world, *SHOP)
    for _ in range(2):
        world.pass_time(LONG)
        again(world, *SHOP)
    booked = [doc for doc in world.sandbox.systems["erp"].docs("orders") if doc["source_number"] == placed.number]
    assert len(booked) == 1
    assert not [key for key in outbox(world.house) if key.startswith("erp-kz order")]
    assert list(records(world.house, "order")) == [placed.number]


def test_an_order_is_looked_for_before_it_is_created(kettles: World) -> None:
    """P2: a registry put back from a copy believes that the sale was never sent; the ERP has it, and keeps one."""
    kettles.buy("shop", {"KTL-1": 1})
    kettles.people.temper("erp", "lose_answer", on="POST /orders", next=1)
    for resource in ("customers", "orders"):
        steps.pull(kettles.house, "shop-kz", resource)
    steps.push(kettles.house, "erp-kz", "customer")
    steps.push(kettles.house, "erp-kz", "order")
    assert len(list(kettles.sandbox.systems["erp"].docs("orders"))) == 1
    with kettles.registry.engine.begin() as conn:
        changed = conn.exec_driver_sql(
            "UPDATE outbox SET state = 'due', attempt = 0, due_at = 0, claimed_until = NULL "
            "WHERE channel = 'erp-kz' AND entity = 'order'"
        )
        assert changed.rowcount == 1
    assert steps.push(kettles.house, "erp-kz", "order").total("written") == 1
    assert len(list(kettles.sandbox.systems["erp"].docs("orders"))) == 1


def test_what_a_platform_made_of_our_write_is_no_edit_of_its_own(
    kettles: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3, P4: a shop that answers nothing and keeps names short is read, not corrected; a person's edit still is."""
    connector = kettles.house.connector("shop-kz", "write")
    write = connector.write
    monkeypatch.setattr(connector, "write", lambda resource, writes: (
        replace(receipt, doc=None) for receipt in write(resource, writes)
    ))
    rename(kettles, "KTL-1", "Чайник с длинным именем")
    again(kettles, "erp-kz")
    assert steps.push(kettles.house, "shop-kz", "variant").total("written") == 1
    id, marks = kettles.shop_id("KTL-1"), kettles.marks()
    kettles.people.edit("shop", "variants", id, {"title": "Чайник с дл"})
    for _ in range(2):
        again(kettles, *SHOP)
    assert written(kettles, marks, "shop") == []
    kettles.people.edit("shop", "variants", id, {"title": "Renamed by hand"})
    again(kettles, *SHOP)
    assert written(kettles, marks, "shop") == [f"variants update {id}"]
    assert values(kettles.house, "variant", "KTL-1")["name"] == "Чайник с длинным именем"


def test_a_write_of_one_field_leaves_alone_what_people_edit_in_the_others(kettles: World) -> None:
    """Between our last look and our write somebody mends a barcode in the shop: the new title does not undo it."""
    before = shop_doc(kettles, "variants", "sku", "KTL-1")
    kettles.people.edit("shop", "variants", str(before["id"]), {"barcode": "4006381333931"})
    rename(kettles, "KTL-1", "Чайник новый")
    for resource in steps.resources_of(kettles.house, "erp-kz"):
        steps.pull(kettles.house, "erp-kz", resource)
    steps.push(kettles.house, "shop-kz", "variant")
    after = shop_doc(kettles, "variants", "sku", "KTL-1")
    assert (after["title"], after["barcode"]) == ("Чайник новый", "4006381333931")
    assert before["barcode"] != after["barcode"]
    ledger = steps.push(kettles.house, "shop-kz", "variant")
    assert ledger.total("written") == 0, "what the shop was told is known whole"


def test_an_update_without_an_answer_is_simply_told_again(kettles: World) -> None:
    """P3: an absolute value may supersede one whose outcome nobody knows; in the end the shop holds it."""
    rename(kettles, "KTL-1", "Чайник новый")
    kettles.people.temper("shop", "lose_answer", on="PATCH /variants", next=1)
    kettles.people.temper("shop", "lose_answer", on="POST /variants", next=1)
    again(kettles, *SHOP)
    for _ in range(3):
        kettles.pass_time(LONG)
        again(kettles, *SHOP)
    assert shop_doc(kettles, "variants", "sku", "KTL-1")["title"] == "Чайник новый"
    assert not [key for key in outbox(kettles.house) if key.startswith("shop-kz")]


def test_a_rejected_write_is_parked_with_the_platforms_words_and_goes_out_after_replay(retail: World) -> None:
    """P6: one write the platform turns down is a person's; the others go out."""
    people = retail.people
    for sku in ("KTL-1", "KTL-2"):
        retail.goods(sku, on_hand=10, listed=False)
    allow(retail, "shop-kz")
    again(retail, "erp-kz")
    for resource in steps.resources_of(retail.house, "shop-kz"):
        steps.pull(retail.house, "shop-kz", resource)
    steps.push(retail.house, "shop-kz", "product")
    gone = next(doc["id"] for doc in retail.sandbox.systems["shop"].docs("products") if doc["handle"] == "P-KTL-1")
    people.remove("shop", "products", gone)
    ledger = steps.push(retail.house, "shop-kz", "variant")
    assert (ledger.total("written"), ledger.total("parked")) == (1, 1)
    (row,) = items(retail.house, "parked", channel="shop-kz")
    assert (row.direction, row.entity, row.rule) == ("outward", "variant", "rejected")
    assert "serai replay" in str(row.remedy)
    assert row.message


def test_one_edit_gives_one_write_to_each_other_channel_and_none_after(retail: World) -> None:
    """P4: a phone number changed in the shop reaches ERP and CRM once; whatever they answer is no edit."""
    retail.goods("KTL-1", on_hand=10)
    people = ("erp-kz", "shop-kz", "crm-kz")
    live(retail, *people)
    retail.buy("shop", {"KTL-1": 1}, who=1)
    live(retail, *people)
    account = shop_doc(retail, "customers", "email", "buyer1@example.kz")
    marks = retail.marks()
    retail.people.edit_phone("shop", str(account["id"]), "8 (701) 999-88-77")
    live(retail, *people)
    wrote = {name: [line for line in written(retail, marks, name) if line.startswith(("customers", "contacts"))]
             for name in ("erp", "crm", "shop")}
    assert [len(wrote["erp"]), len(wrote["crm"]), wrote["shop"]] == [1, 1, []]
    marks = retail.marks()
    for _ in range(3):
        retail.step("pull_all", full=True)
        again(retail, *people)
    assert {name: written(retail, marks, name) for name in ("erp", "crm", "shop")} == {"erp": [], "crm": [], "shop": []}
    (record,) = records(retail.house, "customer").values()
    assert record.values["phone"] == "+77019998877"


def test_a_field_that_a_channel_cannot_hold_is_not_its_edit(retail: World) -> None:
    """P4: the tills keep no picture of names beyond their own form; reading it back makes no write and no change."""
    retail.goods("KTL-1", on_hand=10, price="1990.50")
    everywhere = ("erp-kz", "shop-kz", "pos-kz")
    live(retail, *everywhere)
    name, marks = values(retail.house, "variant", "KTL-1")["name"], retail.marks()
    for _ in range(2):
        for channel in everywhere:
            for resource in steps.resources_of(retail.house, channel):
                steps.pull(retail.house, channel, resource, full=True)
        again(retail, *everywhere)
    assert [written(retail, marks, system) for system in ("erp", "shop", "pos")] == [[], [], []]
    assert values(retail.house, "variant", "KTL-1")["name"] == name


def test_an_edit_without_authority_is_put_back_once(kettles: World) -> None:
    """P4: somebody renames a product in the shop; the ERP's name comes back with one write, and then it is quiet."""
    page = shop_doc(kettles, "products", "handle", "P-KTL-1")
    marks = kettles.marks()
    kettles.people.edit("shop", "products", str(page["id"]), {"title": "Renamed by hand"})
    for _ in range(3):
        again(kettles, *SHOP)
    assert shop_doc(kettles, "products", "handle", "P-KTL-1")["title"] == "Чайник KTL-1"
    assert written(kettles, marks, "shop") == [f"products update {page['id']}"]
    assert written(kettles, marks, "erp") == []


def test_what_the_channel_holds_already_is_adopted_without_a_write(retail: World) -> None:
    """First contact writes only what differs: a page that says all the record says is left alone."""
    retail.goods("KTL-1", on_hand=10, listed=False)
    retail.people.add("shop", "products", {
        "handle": "P-KTL-1", "title": "Чайник KTL-1", "bodyHtml": "", "vendor": "Karavan", "productType": "Чайники",
        "images": [], "published": True})
    marks = retail.marks()
    live(retail, *SHOP)
    assert [line for line in written(retail, marks, "shop") if line.startswith("products")] == []


def test_nothing_is_created_on_a_channel_before_a_person_consents(retail: World) -> None:
    """First contact: what the channel lacks waits until somebody has read the match report."""
    retail.goods("KTL-1", on_hand=10, listed=False)
    again(retail, *SHOP)
    assert list(retail.sandbox.systems["shop"].docs("products")) == []
    assert outbox(retail.house)["shop-kz product waiting"] == 1
    steps.accept_exact(retail.house, "shop-kz", "Aigerim")
    again(retail, *SHOP)
    assert [doc["handle"] for doc in retail.sandbox.systems["shop"].docs("products")] == ["P-KTL-1"]


def test_a_write_that_misses_a_reference_waits_for_it_and_needs_no_person(retail: World) -> None:
    """A variant whose page is not in the shop yet is waiting, not parked; the page's creation lets it go."""
    retail.goods("KTL-1", on_hand=10, listed=False)
    allow(retail, "shop-kz")
    again(retail, "erp-kz")
    for resource in steps.resources_of(retail.house, "shop-kz"):
        steps.pull(retail.house, "shop-kz", resource)
    first = steps.push(retail.house, "shop-kz", "variant")
    assert first.total("waiting") == 1
    assert items(retail.house) == []
    steps.push(retail.house, "shop-kz", "product")
    assert steps.push(retail.house, "shop-kz", "variant").total("written") == 1


def test_the_red_button_stops_writes_and_leaves_reading_alone(kettles: World) -> None:
    """Pausing a channel sends nothing and loses nothing; orders are still read, and all goes out afterwards."""
    set_pause(kettles.house, "shop-kz", paused=True, who="Aigerim", because="looks odd")
    rename(kettles, "KTL-1", "Чайник новый")
    kettles.buy("shop", {"KTL-1": 1})
    marks = kettles.marks()
    again(kettles, *SHOP)
    assert tried(kettles, marks, "shop") == 0
    assert len(records(kettles.house, "order")) == 1
    assert "paused" in steps.push(kettles.house, "shop-kz", "variant").note
    set_pause(kettles.house, "shop-kz", paused=False, who="Aigerim", because="all well")
    again(kettles, *SHOP)
    assert shop_doc(kettles, "variants", "sku", "KTL-1")["title"] == "Чайник новый"


def test_a_platform_that_asks_to_wait_gets_what_is_due_afterwards(retail: World) -> None:
    """P14, P1: nothing that was not sent is forgotten, and what was sent is not sent again."""
    for n in range(3):
        retail.goods(f"KTL-{n}", on_hand=10)
    live(retail, *SHOP)
    for n in range(3):
        rename(retail, f"KTL-{n}", f"Чайник новый {n}")
    again(retail, "erp-kz")
    retail.people.temper("shop", "throttle", next=1, seconds=7)
    with pytest.raises(RetryLater) as busy:
        steps.push(retail.house, "shop-kz", "variant")
    assert busy.value.after >= 7
    assert steps.push(retail.house, "shop-kz", "variant").read == 0
    retail.pass_time(60)
    assert steps.push(retail.house, "shop-kz", "variant").total("written") == 3


def test_a_token_without_the_right_to_write_is_named_and_nothing_is_lost(
    kettles: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person reads which right is missing; once it is there, what was due goes out."""
    rename(kettles, "KTL-1", "Чайник новый")
    again(kettles, "erp-kz")
    with monkeypatch.context() as poor:
        poor.setenv("SERAI_SHOP_TOKEN", kettles.sandbox.readers["shop"])
        with pytest.raises(Misconfigured, match="write:variants") as said:
            steps.push(kettles.worker(), "shop-kz", "variant")
    assert kettles.sandbox.readers["shop"] not in str(said.value)
    kettles.pass_time(LONG)
    assert steps.push(kettles.house, "shop-kz", "variant").total("written") == 1


def test_the_platform_tells_of_our_order_before_we_read_its_answer(kettles: World) -> None:
    """P2: the ERP's notice of the sale that we create arrives before our receipt is kept: one order, one record."""
    placed = kettles.buy("shop", {"KTL-1": 1})
    for resource in ("customers", "orders", "inventory"):
        steps.pull(kettles.house, "shop-kz", resource)
    steps.push(kettles.house, "erp-kz", "customer")
    kettles.people.temper("erp", "lose_answer", on="POST /orders", next=1)
    steps.push(kettles.house, "erp-kz", "order")
    ledger = steps.pull(kettles.house, "erp-kz", "orders")
    assert ledger.read == 1
    assert list(records(kettles.house, "order")) == [placed.number]
    kettles.pass_time(LONG)
    live(kettles, *SHOP)
    assert len(list(kettles.sandbox.systems["erp"].docs("orders"))) == 1
    assert list(records(kettles.house, "order")) == [placed.number]


def test_the_key_of_a_create_is_the_same_at_each_attempt(kettles: World) -> None:
    """P2: the reference under which the ERP may find our order is fixed before the first attempt."""
    kettles.buy("shop", {"KTL-1": 1})
    kettles.people.temper("erp", "fail", on="POST /orders", next=2)
    for _ in range(5):
        again(kettles, *SHOP)
        kettles.pass_time(LONG)
    references = {
        entry["reference"] for entry in kettles.sandbox.systems["erp"].books.after(0)
        if entry["kind"] == "write" and entry["resource"] == "orders" and entry["reference"]
    }
    (doc,) = kettles.sandbox.systems["erp"].docs("orders")
    assert references == {doc["reference"]}


def test_a_change_while_a_write_is_under_way_is_told_too(kettles: World) -> None:
    """P1: what changes between decision and answer is due again, so that the last value arrives."""
    rename(kettles, "KTL-1", "First")
    again(kettles, "erp-kz")
    crossed: list[str] = []

    def meanwhile(what: str) -> None:
        if what.startswith(("PATCH shop/variants", "POST shop/variants")) and not crossed:
            crossed.append(what)
            rename(kettles, "KTL-1", "Second")
            steps.pull(other, "erp-kz", "items")

    other = kettles.worker(owner="another")
    kettles.house.border.before = meanwhile
    for _ in range(3):
        steps.push(kettles.house, "shop-kz", "variant")
    kettles.house.border.before = lambda what: None
    other.close()
    assert crossed
    assert shop_doc(kettles, "variants", "sku", "KTL-1")["title"] == "Second"


@pytest.mark.parametrize("tells_after", [0, LONG])
def test_an_answer_that_comes_after_another_worker_took_over_is_not_taken_for_the_last_word(
    kettles_on_each: World, tells_after: float
) -> None:
    """P1, P5: whoever waited for it was suspended for so long that its write was no longer its own."""
    world = kettles_on_each
    rename(world, "KTL-1", "First")
    again(world, "erp-kz")
    overtaken: list[str] = []

    def suspended(what: str) -> None:
        if "shop/variants" in what and not overtaken:
            overtaken.append(what)
            world.pass_time(LONG)
            rename(world, "KTL-1", "Second")
            thread = threading.Thread(target=overtake)
            thread.start()
            thread.join()

    def overtake() -> None:
        steps.pull(other, "erp-kz", "items")
        steps.settle(other, "shop-kz", "variant")
        world.pass_time(tells_after)
        steps.push(other, "shop-kz", "variant")

    other = world.worker(owner="another")
    world.house.border.answered = suspended
    steps.push(world.house, "shop-kz", "variant")
    other.close()
    assert overtaken
    world.pass_time(LONG)
    steps.push(world.house, "shop-kz", "variant")
    assert shop_doc(world, "variants", "sku", "KTL-1")["title"] == "Second"
    rename(world, "KTL-1", "First")
    steps.pull(world.house, "erp-kz", "items")
    steps.push(world.house, "shop-kz", "variant")
    assert shop_doc(world, "variants", "sku", "KTL-1")["title"] == "First"


def test_a_change_while_a_page_is_looked_at_is_told_instead_of_what_it_was(
    kettles: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: on SQLite nobody waits while a page is rendered; what changes meanwhile never goes out as it was."""
    rename(kettles, "KTL-1", "First")
    again(kettles, "erp-kz")
    render = deciding.views
    looks: list[str] = []

    def meanwhile(*given: Any) -> Any:
        seen = render(*given)
        if not looks:
            rename(kettles, "KTL-1", "Second")
            steps.pull(other, "erp-kz", "items")
        looks.append("")
        return seen

    other = kettles.worker(owner="another")
    monkeypatch.setattr(deciding, "views", meanwhile)
    marks = kettles.marks()
    ledgers = [steps.push(kettles.house, "shop-kz", "variant") for _ in range(2)]
    other.close()
    assert shop_doc(kettles, "variants", "sku", "KTL-1")["title"] == "Second"
    assert len(written(kettles, marks, "shop")) == 1
    assert sum(ledger.total("written") for ledger in ledgers) == 1
    assert all(ledger.balanced for ledger in ledgers)
    assert len(looks) > 1


def test_each_write_leaves_one_hop_with_its_key(retail: World) -> None:
    """P11: a published value leads back to the write that published it."""
    retail.goods("KTL-1", on_hand=10, listed=False)
    live(retail, *SHOP)
    uid = records(retail.house, "product")["P-KTL-1"].uid
    with retail.registry.read() as tx:
        hops = [hop for hop in hops_of(tx, uid) if hop.direction == "outward"]
    assert [(hop.channel, hop.detail) for hop in hops] == [("shop-kz", "create")]
    assert str(hops[0].key).startswith("serai-")


def test_only_what_is_not_told_yet_is_due(kettles: World) -> None:
    """A push with nothing due sends nothing and says so."""
    marks = kettles.marks()
    take(kettles, "erp-kz", "products", [product("P-KTL-1", "Чайник KTL-1")], kettles.house.registry.now())
    ledger = steps.push(kettles.house, "shop-kz", "product")
    assert (ledger.total("written"), tried(kettles, marks, "shop")) == (0, 0)



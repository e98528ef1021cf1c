"""What becomes of documents: merged by authority, never twice, never older over newer, a bad one never in the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from flows import steps
from tests.scenario.world import LONG, World
from tests.unit.flows.retail import (
    ASKED,
    binding,
    item,
    items,
    later,
    live,
    mode,
    outbox,
    product,
    records,
    take,
    values,
)


def shop_customer(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "email": "kim@example.kz", "firstName": "Kim", "lastName": "Li", "phone": "+77011234567",
            "locale": "ru-KZ", "defaultAddress": None, "createdAt": "2026-03-01T09:00:00Z",
            "updatedAt": "2026-03-01T09:00:00Z", **more}


def erp_customer(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "reference": None, "name": "Kim Li", "first_name": "Kim", "last_name": "Li",
            "email": "kim@example.kz", "phone": None, "lang": None, "address": None, "blocked": False,
            "created_at": "2026-03-01T14:00:00+05:00", "changed_at": "2026-03-01T14:00:00+05:00", **more}


def test_each_field_comes_from_the_channel_with_authority_whoever_speaks_last(retail: World) -> None:
    """Authority decides field by field: a newer name from the shop does not replace the ERP's, a newer phone does."""
    take(retail, "erp-kz", "customers", [erp_customer("C1", first_name="Kimberly", phone="+77010000001")])
    take(retail, "shop-kz", "customers", [shop_customer("9", firstName="Kimmy", phone="+77010000002")], later(10))
    (record,) = records(retail.house, "customer").values()
    assert record.values["given_name"] == "Kimberly"
    assert record.values["phone"] == "+77010000002"
    take(retail, "erp-kz", "customers", [erp_customer("C1", first_name="Kimberly", phone="+77010000003")], later(20))
    (record,) = records(retail.house, "customer").values()
    assert record.values["phone"] == "+77010000003"


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["erp", "shop", "crm"]))
def test_the_order_in_which_channels_first_speak_does_not_change_who_decides(retail: World, order: list[str]) -> None:
    """The record's name is the ERP's wherever it came from first; only `newest` fields depend on time."""
    mark = f"{''.join(name[0] for name in order)}@example.kz"
    docs = {
        "erp": ("erp-kz", "customers", erp_customer(f"C-{mark}", name="From ERP", email=mark)),
        "shop": ("shop-kz", "customers", shop_customer(f"S-{mark}", lastName="shop", email=mark, phone=None)),
        "crm": ("crm-kz", "contacts", {
            "id": f"M-{mark}", "archived": False, "createdAt": "2026-03-01T09:00:00.000Z",
            "updatedAt": "2026-03-01T09:00:00.000Z",
            "properties": {"external_id": "", "firstname": "From", "lastname": "CRM", "fullname": "From CRM",
                           "email": mark}}),
    }
    for seconds, name in enumerate(order):
        channel, resource, doc = docs[name]
        take(retail, channel, resource, [doc], later(seconds))
    (record,) = [r for r in records(retail.house, "customer").values() if r.values["email"] == mark]
    assert record.values["name"] == "From ERP"


def test_a_field_that_a_document_does_not_mention_stays(retail: World) -> None:
    """Absent is not null: a sparse document changes only what it speaks of (P7)."""
    take(retail, "erp-kz", "products", [product("A", group="Чайники")])
    sparse = product("A", title="Новый")
    del sparse["group"]
    take(retail, "erp-kz", "products", [sparse], later(1))
    assert values(retail.house, "product", "A")["category"] == "Чайники"
    take(retail, "erp-kz", "products", [product("A", title="Новый", group=None)], later(2))
    assert values(retail.house, "product", "A")["category"] is None


def test_the_same_document_again_changes_nothing(retail: World) -> None:
    """P2: a page that is read twice leaves records, contributions and outbox as they were."""
    docs = [product("A"), product("B")]
    take(retail, "erp-kz", "products", docs)
    before = records(retail.house, "product"), outbox(retail.house)
    ledger = take(retail, "erp-kz", "products", docs, later(1))
    assert ledger.counts == {("product", "unchanged"): 2}
    after = records(retail.house, "product"), outbox(retail.house)
    assert {k: (r.uid, r.hash) for k, r in before[0].items()} == {k: (r.uid, r.hash) for k, r in after[0].items()}
    assert before[1] == after[1]


def test_a_page_asked_for_before_what_we_know_is_skipped_and_read_once_more(retail: World) -> None:
    """P5: an old page that arrives late never takes a newer value back; the document is fetched instead."""
    retail.people.add("erp", "products", product("A", "Newest"))
    take(retail, "erp-kz", "products", [product("A", "Newer")], later(60))
    ledger = take(retail, "erp-kz", "products", [product("A", "Old")], ASKED)
    assert ledger.counts == {("product", "skipped"): 1, ("product", "updated"): 1}
    assert [reason for reason in ledger.reasons if "stale" in reason]
    assert values(retail.house, "product", "A")["name"] == "Newest"


def test_an_old_page_with_the_value_we_know_is_no_news_either(retail: World) -> None:
    """P5: a stale page does not set the clock of a binding back, so that a page between the two stays stale."""
    retail.people.add("erp", "products", product("A", "Newest"))
    take(retail, "erp-kz", "products", [product("A", "Newer")], later(60))
    asked = binding(retail.house, "erp-kz", "product", "A").asked_at
    take(retail, "erp-kz", "products", [product("A", "Newer")], ASKED)
    again = binding(retail.house, "erp-kz", "product", "A").asked_at
    assert asked is not None
    assert again is not None
    assert again >= asked


def test_an_item_waits_for_what_it_refers_to_and_is_taken_when_that_comes(retail: World) -> None:
    """A missing reference is not an error: the variant waits for its product and needs no person."""
    people, house = retail.people, retail.house
    people.add("erp", "products", product("P"))
    people.add("erp", "items", item("A", "P"))
    first = steps.pull(house, "erp-kz", "items")
    assert first.counts == {("variant", "waiting"): 1}
    assert [(row.kind, row.awaits) for row in items(house)] == [("waiting", ("product", "P"))]
    steps.pull(house, "erp-kz", "products")
    second = steps.pull(house, "erp-kz", "items")
    assert second.total("created") == 1
    assert items(house) == []
    assert values(house, "variant", "A")["product"] == records(house, "product")["P"].uid


def test_two_channels_that_bring_the_same_new_article_make_one_record(retail_on_each: World) -> None:
    """P2: the SKU is the key, whoever comes first."""
    world = retail_on_each
    take(world, "erp-kz", "products", [product("P")])
    take(world, "erp-kz", "items", [item("A", "P")])
    take(world, "market-kz", "offers", [
        {"sellerSku": "A", "title": "Чайник", "barcode": None, "state": "ON_SALE",
         "createdAt": "2026-03-01T09:00:00.000Z", "updatedAt": "2026-03-01T09:00:00.000Z"}])
    assert list(records(world.house, "variant")) == ["A"]


def test_a_nul_within_a_text_is_kept_as_it_came(retail_on_each: World) -> None:
    """P7: what can be held is held exactly, on both databases."""
    take(retail_on_each, "erp-kz", "products", [product("A", "Чай\x00ник")])
    assert values(retail_on_each.house, "product", "A")["name"] == "Чай\x00ник"


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb"])
def test_text_that_no_database_holds_parks_one_of_two_hundred_and_fifty(retail_on_each: World, bad: str) -> None:
    """P6: half a character is found, the other 249 documents are taken, and the bad one is named."""
    docs = [product(f"P-{n:03}") for n in range(250)]
    docs[137]["title"] = f"Чайник{bad}"
    ledger = take(retail_on_each, "erp-kz", "products", docs)
    assert (ledger.total("created"), ledger.total("parked"), ledger.read) == (249, 1, 250)
    assert len(records(retail_on_each.house, "product")) == 249
    (row,) = items(retail_on_each.house)
    assert row.external_id == "P-137"
    assert "replay" in str(row.remedy)


@pytest.mark.parametrize("bad", ["\x00", "\ud800"])
def test_even_an_id_that_no_database_holds_stops_nothing(retail_on_each: World, bad: str) -> None:
    """P6: the id itself may be what is broken; its document is parked under a name that can be kept."""
    ledger = take(retail_on_each, "erp-kz", "products", [product("A"), product(f"B{bad}"), product("C")])
    assert (ledger.total("created"), ledger.total("parked")) == (2, 1)
    assert sorted(records(retail_on_each.house, "product")) == ["A", "C"]
    assert len(items(retail_on_each.house)) == 1


def test_a_document_that_does_not_fit_is_parked_with_field_place_and_remedy(retail: World) -> None:
    """P6: the person who mends it reads which field, where in the mapping, and the next command; no value in clear."""
    docs = [product("A"), product("B", state="Q"), product("C")]
    ledger = take(retail, "erp-kz", "products", docs)
    assert ledger.counts == {("product", "created"): 2, ("product", "parked"): 1}
    (row,) = items(retail.house, "parked")
    assert (row.channel, row.entity, row.external_id, row.field) == ("erp-kz", "product", "B", "status")
    assert row.file is not None
    assert row.file.endswith("sandbox_erp/products.yaml")
    assert row.line is not None
    assert row.line > 0
    assert row.path
    assert row.rule
    assert "serai replay" in str(row.remedy)


def test_a_parked_document_that_was_mended_leaves_the_list_by_itself(retail: World) -> None:
    """P6: nobody has to close what the next read has healed."""
    take(retail, "erp-kz", "products", [product("B", state="Q")])
    assert len(items(retail.house)) == 1
    take(retail, "erp-kz", "products", [product("B")], later(1))
    assert items(retail.house) == []


def test_a_document_parked_again_and_again_is_one_row(retail: World) -> None:
    """P6: the list names things to mend, not times that they were seen."""
    for seconds in range(3):
        take(retail, "erp-kz", "products", [product("B", state="Q")], later(seconds))
    (row,) = items(retail.house)
    assert row.times == 3


def test_replay_takes_what_was_mended_and_leaves_the_rest(retail: World) -> None:
    """P6: after the document was mended, replay makes the record; what is still wrong says so again."""
    people, house = retail.people, retail.house
    for code in ("B", "C"):
        people.add("erp", "products", product(code))
        take(retail, "erp-kz", "products", [product(code, state="Q")])
    assert len(items(house)) == 2
    people.edit("erp", "products", "C", {"title": "Mended"})
    one = [row.uid for row in items(house) if row.external_id == "C"]
    (ledger,) = steps.replay(house, one)
    assert ledger.total("created") == 1
    assert [row.external_id for row in items(house)] == ["B"]
    assert values(house, "product", "C")["name"] == "Mended"


def test_an_order_whose_money_does_not_add_up_is_parked_beside_its_record_until_it_does(retail: World) -> None:
    """A total that no line explains is never adjusted in silence; the order is known, and goes nowhere."""
    retail.goods("KTL-1", on_hand=10)
    live(retail, "erp-kz", "shop-kz")
    placed = retail.buy("shop", {"KTL-1": 1})
    doc = dict(retail.sandbox.systems["shop"].get("orders", placed.id))
    steps.pull(retail.house, "shop-kz", "customers")
    wrong = {**doc, "totalMinor": doc["totalMinor"] + 1}
    ledger = take(retail, "shop-kz", "orders", [wrong], retail.house.registry.now())
    assert ledger.total("parked") == 1
    (row,) = items(retail.house, "parked", channel="shop-kz")
    assert "0.01 KZT" in row.message
    assert row.path == "$.total"
    assert list(records(retail.house, "order")) == [placed.number]
    steps.push_all(retail.house)
    assert list(retail.sandbox.systems["erp"].docs("orders")) == []
    live(retail, "erp-kz", "shop-kz")
    assert list(records(retail.house, "order")) == [placed.number]
    assert items(retail.house, channel="shop-kz") == []


def test_shadow_reads_and_matches_and_makes_nothing(retail: World) -> None:
    """First contact: nothing enters records, nothing is sent, and nothing waits; the report says what would match."""
    mode(retail, "erp-kz", "product", "shadow")
    ledger = take(retail, "erp-kz", "products", [product("A"), product("B")])
    assert ledger.counts == {("product", "skipped"): 2}
    assert records(retail.house, "product") == {}
    assert outbox(retail.house) == {}
    assert items(retail.house) == []


def test_what_is_switched_off_leaves_no_trace_and_is_all_there_when_switched_on(retail: World) -> None:
    """P1: a channel that was off for a while loses nothing: switching on reads from page one."""
    people, house = retail.people, retail.house
    people.add("erp", "products", product("A"))
    steps.pull(house, "erp-kz", "products")
    mode(retail, "erp-kz", "product", "off")
    for code in ("B", "C"):
        people.add("erp", "products", product(code))
    people.edit("erp", "products", "A", {"title": "Edited while off"})
    off = steps.pull(house, "erp-kz", "products")
    assert "switched off" in off.note
    assert sorted(records(house, "product")) == ["A"]
    mode(retail, "erp-kz", "product", "on")
    steps.pull(house, "erp-kz", "products")
    assert sorted(records(house, "product")) == ["A", "B", "C"]
    assert values(house, "product", "A")["name"] == "Edited while off"


def test_one_entity_of_a_shared_resource_switched_off_and_on_loses_nothing(retail: World) -> None:
    """P1: orders are read on while their guests are off; switched on, the guests of old orders come in too."""
    retail.goods("KTL-1", on_hand=10)
    live(retail, "erp-kz", "shop-kz")
    mode(retail, "shop-kz", "customer", "off")
    for name in ("first", "second"):
        retail.people.buy_in_shop({"KTL-1": 1}, email=f"{name}@example.kz", name=f"{name} Kim", guest=True)
        steps.pull(retail.house, "shop-kz", "orders")
        retail.pass_time(LONG)
    assert records(retail.house, "customer") == {}
    mode(retail, "shop-kz", "customer", "on")
    live(retail, "erp-kz", "shop-kz")
    mails = {record.values["email"] for record in records(retail.house, "customer").values()}
    assert mails == {"first@example.kz", "second@example.kz"}
    assert len(records(retail.house, "order")) == 2

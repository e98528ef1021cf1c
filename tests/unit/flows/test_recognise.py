"""What was read before and is as it was costs nothing, and nothing newer is lost by that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from registry import rebind
from tests.scenario.world import World
from tests.unit.flows.retail import ASKED, binding, item, later, product, records, take, values


def everything(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that speaks of a document."""
    with world.house.registry.read() as tx:
        return {
            name: sorted(map(tuple, tx.rows(text(f"SELECT * FROM {name}"))), key=repr)
            for name in ("binding", "record", "document", "outbox", "hop", "matchkey", "link", "parked")
        }


def test_what_is_read_again_unchanged_writes_no_row_of_its_own(retail_on_each: World) -> None:
    """P2: a second read of the same documents leaves every row that speaks of them as it was, stamps included."""
    take(retail_on_each, "erp-kz", "products", [product("A"), product("B")])
    take(retail_on_each, "erp-kz", "items", [item("A1", "A")])
    before = everything(retail_on_each)
    assert take(retail_on_each, "erp-kz", "products", [product("A"), product("B")], later(5)).counts == {
        ("product", "unchanged"): 2
    }
    assert take(retail_on_each, "erp-kz", "items", [item("A1", "A")], later(5)).counts == {("variant", "unchanged"): 1}
    assert everything(retail_on_each) == before


def test_an_answer_that_was_overtaken_by_the_same_value_as_before_is_stale(retail: World) -> None:
    """P5: A, then B for a while, then A again: an answer with B that arrives last is not believed."""
    retail.people.add("erp", "products", product("A", "First"))
    take(retail, "erp-kz", "products", [product("A", "First")])
    take(retail, "erp-kz", "products", [product("A", "First")], later(20))
    ledger = take(retail, "erp-kz", "products", [product("A", "Between")], later(10))
    assert [reason for reason in ledger.reasons if "stale" in reason]
    assert values(retail.house, "product", "A")["name"] == "First"


def test_a_change_is_taken_although_others_were_read_later(retail: World) -> None:
    """P5: only who was seen in the later request is stale; the rest of an older page counts."""
    take(retail, "erp-kz", "products", [product("A", "One"), product("B", "One")])
    take(retail, "erp-kz", "products", [product("B", "One")], later(20))
    take(retail, "erp-kz", "products", [product("A", "Two")], later(10))
    assert values(retail.house, "product", "A")["name"] == "Two"


def test_a_document_is_mapped_again_when_what_it_refers_to_is_another_record_now(retail: World) -> None:
    """P2: the same document may mean something else after a person or a merge bound what it refers to anew."""
    take(retail, "erp-kz", "products", [product("A"), product("B")])
    take(retail, "erp-kz", "items", [item("A1", "A")])
    other = records(retail.house, "product")["B"].uid
    assert values(retail.house, "variant", "A1")["product"] != other
    with retail.house.registry.write() as tx:
        tx.conn.execute(text("UPDATE binding SET uid = :other WHERE entity = 'product' AND external_id = 'A'"),
                        {"other": other})
        rebind(tx, ["erp-kz"])
    take(retail, "erp-kz", "items", [item("A1", "A")], later(5))
    assert values(retail.house, "variant", "A1")["product"] == other
    again = binding(retail.house, "erp-kz", "variant", "A1").asked_at
    assert again is not None
    assert again > ASKED

"""Hard allocation where a channel takes a figure per location, beside shops that have one figure for all of theirs.

What surprises here: one retailer for all tests, each with an article of its own: ten in the warehouse, five in a store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from flows import steps
from flows.holds import hold_called
from flows.plan import Scope, plan
from registry import (
    BindingRow,
    OutboxChange,
    RecordRow,
    Tx,
    claim_keys,
    escrows,
    mark_due,
    outbox_counts,
    outbox_rows,
    owners,
    promises,
    put_bindings,
    put_escrows,
    put_held,
    put_hold,
    put_links,
    put_records,
    records_by_field,
    set_outbox,
)
from tests.databases import fresh_sqlite
from tests.scenario.shelves import MARKET, SHOP, TILLS, sell, shelf, shelved
from tests.scenario.world import LONG, World
from tests.unit.flows.retail import again, live, records

ALL = ("erp-kz", SHOP, MARKET, TILLS)


@pytest.fixture(scope="module")
def tills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The shop sells from warehouse and first store, the marketplace from the warehouse, the tills from two stores."""
    folder = tmp_path_factory.mktemp("tills")
    with fresh_sqlite(folder) as url, shelved(folder, url, 7) as found:
        yield found


def stocked(found: World, sku: str) -> World:
    """The article is there, and everywhere on show."""
    found.goods(sku, on_hand=10)
    live(found, *ALL)
    assert figures(found, sku) == {"shop": 6 + 3, "market": 4, "almaty-1": 2, "almaty-2": 2}
    return found


def figures(found: World, sku: str) -> dict[str, int]:
    return {"shop": found.shown("shop", sku), "market": found.shown("market", sku),
            "almaty-1": shelf(found, "almaty-1", sku), "almaty-2": shelf(found, "almaty-2", sku)}


def test_a_shop_is_not_raised_into_a_store_before_its_shelf_is_lowered(tills: World) -> None:
    """P8: what the tills of a store may still sell is nothing that the shop could show of that store."""
    stocked(tills, "B")
    tills.people.temper("pos", "fail", on="POST /shelves", next=50)
    tills.people.count_stock("B", "almaty-1", 2)
    steps.pull(tills.house, "erp-kz", "stock")
    tills.step("push", TILLS, "stock")
    tills.step("push", SHOP, "stock")
    assert figures(tills, "B") == {"shop": 6 + 0, "market": 4, "almaty-1": 2, "almaty-2": 2}
    tills.people.calm("pos")
    tills.people.count_stock("B", "almaty-2", 0)        # goods of another store make up for nothing
    tills.people.receive_goods("B", "almaty-1", 18)
    tills.pass_time(LONG)
    live(tills, *ALL)
    assert figures(tills, "B") == {"shop": 6 + 12, "market": 4, "almaty-1": 8, "almaty-2": 0}
    assert not sell(tills, "almaty-2", 1, "B")


def test_a_shelf_that_was_looked_at_and_is_as_before_is_known_again(tills: World) -> None:
    """P8: what nobody knows the version of is looked at; that it is what it was is an answer, and nothing waits on."""
    stocked(tills, "K")
    for _ in range(2):
        steps.pull(tills.house, TILLS, "shelves", full=True)

    def forget(tx: Tx) -> list[str]:
        (variant,) = owners(tx, [("variant", "sku", "K")]).values()
        placed = [row.uid for row in records_by_field(tx, "stock", "variant", [variant])[variant]]
        put_escrows(tx, [replace(row, version=None) for of in escrows(tx, placed, lock=True).values()
                         for row in of.values() if row.channel == TILLS])  # fmt: skip
        mark_due(tx, [(TILLS, "stock", uid, None, False, None) for uid in placed])
        return placed

    placed = tills.registry.attempt(forget)
    tills.step("push", TILLS, "stock")
    with tills.registry.read() as tx:
        waiting = [key for key, n in outbox_counts(tx).items() if key[0] == TILLS and key[2] == "waiting" and n]
        known = [row.version for of in escrows(tx, placed).values() for row in of.values() if row.channel == TILLS]
    assert waiting == []
    assert sorted(filter(None, known)) == ["1", "1"]    # of the warehouse the tills show nothing
    assert figures(tills, "K")["almaty-1"] == 2


def test_a_zero_is_told_to_every_store_whose_tills_sell_and_to_no_other_place(tills: World) -> None:
    """P8: a till sells freely what its shelf has no figure of; the warehouse is no store of theirs and gets no row."""
    tills.goods("Z", on_hand=10)
    for store in ("almaty-1", "almaty-2"):
        tills.people.count_stock("Z", store, 0)
    live(tills, *ALL)
    pos = tills.sandbox.systems["pos"]
    names = {doc["id"]: doc["code"] for doc in pos.docs("stores")}
    rows = {names[doc["store"]]: doc["units"] for doc in pos.docs("shelves") if doc["sku"] == "Z"}
    assert rows == {"almaty-1": 0, "almaty-2": 0}
    assert not sell(tills, "almaty-1", 1, "Z")


def test_a_sale_at_a_till_that_nobody_read_is_not_put_back_on_its_shelf(tills: World) -> None:
    """P8: the store takes in goods, and its shelf is told again before the receipt is read."""
    stocked(tills, "A")
    assert sell(tills, "almaty-1", 2, "A")
    tills.people.receive_goods("A", "almaty-1", 1)
    steps.pull(tills.house, "erp-kz", "stock")
    tills.people.temper("pos", "fail", on="GET /receipts", next=50)
    tills.step("push", TILLS, "stock")
    assert figures(tills, "A")["almaty-1"] <= 6 - 3 - 2
    tills.people.calm("pos")


def test_an_order_is_sent_from_where_nobody_else_may_sell_the_goods(tills: World) -> None:
    """P8: the store comes first, as long as its tills keep what they may still sell; then the warehouse sends."""
    stocked(tills, "D")
    for _ in range(2):
        tills.pass_time(5)      # the shop stamps to the second: an order of the second of our look counts as seen then
        assert tills.buy("shop", {"D": 2}) is not None
        again(tills, SHOP)
    with tills.registry.read() as tx:
        codes = {uid: code for (_, _, code), uid in owners(
            tx, [("location", "code", code) for code in ("almaty-1", "almaty-wh")]
        ).items()}
        placed = [codes[str(row.location)] for row in promises(tx, [records(tills.house, "variant")["D"].uid])]
    assert sorted(placed) == ["almaty-1", "almaty-wh"]
    assert sell(tills, "almaty-1", 2, "D")


def test_a_set_is_sold_where_its_parts_lie_and_never_beside_them(tills: World) -> None:
    """P8: min over the components at that store; components are escrowed, not SKUs."""
    stocked(tills, "E")
    part = records(tills.house, "variant")["E"].uid

    def pack(tx: Tx) -> None:
        values = {"sku": "SET-E", "name": "Two", "unit": "each", "status": "active", "components": [
            {"key": "1", "variant": part, "quantity": {"value": "2", "unit": "each", "kind": "contained"}},
        ]}
        put_records(tx, [RecordRow(uid="set-e", entity="variant", key="set-e", values=values)], new=True)
        claim_keys(tx, [("variant", "sku", "SET-E", "set-e")])
        put_links(tx, [("set-e", "variant", "components", part)], of={"set-e"})
        mapping = tills.house.of("erp-kz").inward["items"].hash
        put_bindings(tx, [BindingRow(
            channel="erp-kz", entity="variant", external_id="SET-E", uid="set-e", values=values, mapping_hash=mapping,
            resource="items", state="live",
        )])
        mark_due(tx, [(TILLS, "variant", "set-e", None, False, None)])

    tills.registry.attempt(pack)
    tills.people.receive_goods("E", "almaty-2", 3)          # eight there: four for the tills, pieces or sets
    for _ in range(3):
        live(tills, *ALL)
    pieces, sets = shelf(tills, "almaty-2", "E"), shelf(tills, "almaty-2", "SET-E")
    assert (pieces, sets) == (3, 1)
    assert not any("@" in row.uid for row in records(tills.house, "stock").values())
    assert shelf(tills, "almaty-1", "E") + 2 * shelf(tills, "almaty-1", "SET-E") <= 5
    with _shares(tills, tills_have="0"):        # P12: a plan lists them, too
        found = plan(tills.house, Scope(channel=TILLS, entity="stock")).writes
    assert {one.label: [change.after for change in one.fields] for one in found if "SET-E" in one.label} == {
        "SET-E at almaty-2": [0],
    }


@contextmanager
def _shares(found: World, *, shop_has: str = "0.6", tills_have: str) -> Iterator[None]:
    """Inside the block the file on disk gives shop and tills these shares."""
    path = found.house.project.folder / "policies" / "stock.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("share: 0.4", f"share: {tills_have}").replace("share: 0.6", f"share: {shop_has}"),
                    encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def test_a_plan_of_figures_per_place_says_what_is_then_told(tills: World) -> None:
    """P12, P8: the shelves rise only by what the shop is told to give up first."""
    stocked(tills, "C")
    with _shares(tills, shop_has="0.2", tills_have="0.8"):
        alone = plan(tills.house, Scope(channel=TILLS, entity="stock"))
    told = {one.id: [change.after for change in one.fields] for one in alone.writes if one.label == "C"}
    assert sorted(told.values()) == [[4]]       # of the first store three are the shop's until it is told


def test_the_money_at_stake_counts_what_is_shown_at_every_place(tills: World) -> None:
    """P9: a price held where stock is told per place is worth as much as one where it is told in one figure."""
    stocked(tills, "STAKE")

    def hold(tx: Tx) -> dict[str, str]:
        (variant,) = owners(tx, [("variant", "sku", "STAKE")]).values()
        found = {}
        for name in (TILLS, SHOP):
            made = put_hold(tx, channel=name, entity="price", cause="erp-kz", kind="single", because=["it moved"])
            put_held(tx, made, [(variant, b"mark", [{"before": "100.00", "after": "50.00", "currency": "KZT"}])])
            mark_due(tx, [(name, "price", variant, None, False, None)])
            set_outbox(tx, [OutboxChange(id=one.id, state="held", reason="it moved")
                            for one in outbox_rows(tx, name, "price", states=("due",), limit=9) if one.uid == variant])
            found[name] = made.uid
        return found

    held = tills.house.registry.attempt(hold)
    worth = {name: hold_called(tills.house, uid).stakes["KZT"] for name, uid in held.items()}
    assert worth == {TILLS: 50 * (2 + 2), SHOP: 50 * (6 + 3)}

"""What comes in by page, by notice and by complete scan: nothing is lost, and nothing is believed too early."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import RetryLater, ShapeChanged
from flows import steps
from flows.wiring import opened
from registry import cursors
from tests.prefect.places import write_project
from tests.scenario.world import LONG, World
from tests.unit.flows.retail import again, binding, live, mode, outbox, product, records, values, written

SHOP = ("erp-kz", "shop-kz")


def fill(retail: World, number: int) -> None:
    for n in range(number):
        retail.people.add("erp", "products", product(f"P-{n:03}"))


@pytest.mark.parametrize("page", [2, 3])
def test_a_page_missing_from_a_complete_scan_deletes_nothing(retail: World, page: int) -> None:
    """P10: a scan that skipped a page is no proof; what it did not show is asked for by id and is still there."""
    fill(retail, 205)
    steps.pull(retail.house, "erp-kz", "products")
    retail.people.temper("erp", "omit_page", on="/products", page=page)
    ledger = steps.reconcile(retail.house, "erp-kz", "products")
    assert ledger.balanced
    states = {record.values["status"] for record in records(retail.house, "product").values()}
    assert states == {"active"}
    assert len(records(retail.house, "product")) == 205


def test_a_deletion_confirmed_by_a_fetch_archives_what_the_channel_had_authority_over(kettles: World) -> None:
    """P10: what the owner says is gone is archived, not deleted, and the others are told so."""
    del kettles.sandbox.systems["erp"].tables["products"].rows["P-KTL-1"]
    steps.reconcile(kettles.house, "erp-kz", "products")
    assert values(kettles.house, "product", "P-KTL-1")["status"] == "archived"
    assert binding(kettles.house, "erp-kz", "product", "P-KTL-1").state == "gone"
    again(kettles, "shop-kz")
    (page,) = kettles.sandbox.systems["shop"].docs("products")
    assert page["published"] is False


def test_what_a_receiving_channel_lost_is_put_there_again(retail: World) -> None:
    """P10: the shop has no authority to delete an article: it is created once more."""
    retail.goods("KTL-1", on_hand=10, listed=False)
    live(retail, *SHOP)
    (page,) = retail.sandbox.systems["shop"].docs("products")
    (made,) = retail.sandbox.systems["shop"].docs("variants")
    retail.people.remove("shop", "variants", made["id"])
    retail.people.remove("shop", "products", page["id"])
    for resource in ("products", "variants"):
        steps.reconcile(retail.house, "shop-kz", resource)
    live(retail, *SHOP)
    assert values(retail.house, "product", "P-KTL-1")["status"] == "active"
    assert [doc["handle"] for doc in retail.sandbox.systems["shop"].docs("products")] == ["P-KTL-1"]
    assert [doc["sku"] for doc in retail.sandbox.systems["shop"].docs("variants")] == ["KTL-1"]


def test_when_half_a_catalogue_seems_gone_nothing_is_concluded(retail: World) -> None:
    """P9, P10: mass damage is stopped; the run says so and a person looks first."""
    fill(retail, 30)
    steps.pull(retail.house, "erp-kz", "products")
    rows = retail.sandbox.systems["erp"].tables["products"].rows
    for n in range(15):
        del rows[f"P-{n:03}"]
    ledger = steps.reconcile(retail.house, "erp-kz", "products")
    assert any("15 documents are missing" in fault for fault in ledger.faults)
    assert {record.values["status"] for record in records(retail.house, "product").values()} == {"active"}


def test_rows_committed_late_behind_the_watermark_are_found(retail: World) -> None:
    """P1: a row stamped earlier than what was read already is found by the overlap, or at the latest by reconcile."""
    fill(retail, 3)
    steps.pull(retail.house, "erp-kz", "products")
    retail.people.temper("erp", "backdate", on="/products", seconds=3)
    retail.people.add("erp", "products", product("LATE"))
    retail.people.temper("erp", "backdate", on="/products", seconds=3600)
    retail.people.add("erp", "products", product("TOO-LATE"))
    steps.pull(retail.house, "erp-kz", "products")
    assert "LATE" in records(retail.house, "product")
    steps.reconcile(retail.house, "erp-kz", "products")
    assert "TOO-LATE" in records(retail.house, "product")


@pytest.mark.parametrize(
    ("temper", "error"), [("garbage", ShapeChanged), ("fail", RetryLater), ("throttle", RetryLater)]
)
def test_an_answer_that_is_none_moves_no_cursor(retail: World, temper: str, error: type[Exception]) -> None:
    """P1: whatever comes instead of a page, the pages before are kept and the next run goes on behind them."""
    fill(retail, 250)
    retail.people.temper("erp", temper, on="GET /products", next=9)
    with pytest.raises(error, match="erp-kz") as said:
        steps.pull(retail.house, "erp-kz", "products")
    assert retail.sandbox.tokens["erp"] not in str(said.value)
    with retail.registry.read() as tx:
        assert [row for row in cursors(tx) if row.resource == "products"] == []
    retail.people.calm("erp")
    retail.pass_time(LONG)
    assert steps.pull(retail.house, "erp-kz", "products").total("created") == 250


def test_a_notice_lets_the_document_in_without_a_read(retail: World) -> None:
    """P5: a notice is a hint; the document is fetched and taken within the moment."""
    retail.goods("KTL-1", on_hand=10)
    retail.go_live()
    retail.people.rename_item("KTL-1", "Чайник новый")
    retail.hear()
    assert values(retail.house, "variant", "KTL-1")["name"] == "Чайник новый"


@pytest.mark.parametrize("temper", ["drop", "duplicate"])
def test_notices_lost_or_doubled_leave_the_same_books(retail: World, temper: str) -> None:
    """P2, P1: an order is booked once, whatever becomes of its notices; the schedule brings what they did not."""
    retail.goods("KTL-1", on_hand=10)
    retail.go_live()
    retail.people.temper("shop", temper, next=6)
    placed = retail.buy("shop", {"KTL-1": 1})
    retail.hear()
    retail.until_quiet()
    assert list(records(retail.house, "order")) == [placed.number]
    assert [doc["source_number"] for doc in retail.sandbox.systems["erp"].docs("orders")] == [placed.number]


def test_a_notice_that_comes_before_the_one_it_depends_on_waits_for_it_and_no_longer(retail: World) -> None:
    """P1: the article is announced before its product; the product's notice brings both, and nothing is read."""
    retail.goods("KTL-1", on_hand=10)
    now = retail.house.registry.now()
    retail.registry.inbox.put([("erp-kz", "d-1", "items", "KTL-1", now, None)])
    (first,) = retail.step("take_notices")
    assert first.total("waiting") == 1
    retail.registry.inbox.put([("erp-kz", "d-2", "products", "P-KTL-1", now, None)])
    told = retail.step("take_notices")
    assert [ledger.total("created") for ledger in told] == [1, 1]
    assert records(retail.house, "variant").keys() == {"KTL-1"}
    assert retail.parked() == []


def test_a_notice_of_what_is_gone_is_asked_for_before_it_is_believed(kettles: World) -> None:
    """P10: a notice alone deletes nothing: the document is fetched, and as long as it is there it stays."""
    (page,) = kettles.sandbox.systems["shop"].docs("products")
    now = kettles.house.registry.now()
    kettles.registry.inbox.put([("shop-kz", "d-1", "products", page["id"], now, None),
                               ("shop-kz", "d-2", "products", "999999", now, None)])
    kettles.step("take_notices")
    assert binding(kettles.house, "shop-kz", "product", page["id"]).state == "live"
    assert kettles.registry.inbox.waiting() == 0


def test_another_worker_that_reads_the_same_makes_it_a_note(retail: World) -> None:
    """P2: two workers on one resource: the second steps back, says so, and has changed nothing."""
    fill(retail, 120)
    other = retail.worker(owner="another")
    notes: list[str] = []

    def meanwhile(what: str) -> None:
        if what == "GET erp/products" and not notes:
            notes.append("…")
            notes.append(steps.pull(other, "erp-kz", "products").note)

    retail.house.border.before = meanwhile
    ledger = steps.pull(retail.house, "erp-kz", "products")
    other.close()
    assert notes[1:] == ["another worker reads it now"]
    assert ledger.total("created") == 120


def test_an_entity_switched_on_later_is_read_from_page_one(retail: World) -> None:
    """P1: what happened while it was off is read, though the cursor had passed it."""
    retail.goods("KTL-1", on_hand=10)
    mode(retail, "shop-kz", "variant", "off")
    again(retail, *SHOP)
    assert all(row.channel != "shop-kz" for row in bindings_of_variant(retail))
    mode(retail, "shop-kz", "variant", "on")
    live(retail, *SHOP)
    assert any(row.channel == "shop-kz" for row in bindings_of_variant(retail))


def bindings_of_variant(retail: World) -> list[object]:
    from registry import bindings_of

    uid = records(retail.house, "variant")["KTL-1"].uid
    with retail.registry.read() as tx:
        return list(bindings_of(tx, [uid], "variant").get(uid, ()))


def test_one_channel_that_is_away_stops_no_other(kettles: World) -> None:
    """One broken system is a note in its own run; the others are in agreement all the same."""
    kettles.people.temper("crm", "fail", next=200)
    kettles.people.rename_item("KTL-1", "Чайник новый")
    ledgers = again(kettles, "erp-kz", "crm-kz", "shop-kz")
    assert any(ledger.channel == "crm-kz" and ledger.note for ledger in ledgers)
    marks = [line for line in written(kettles, {"shop": 0}, "shop") if line.startswith("variants")]
    assert marks
    assert not [key for key in outbox(kettles.house) if key.startswith("shop-kz variant")]


OWN = """\
platform: {platform}
resource: payouts
id: id
inward:
  location:
    code: id
    name: id
    kind: = 'warehouse'
    status: = 'active'
"""


def test_a_mapping_of_what_a_platform_does_not_have_is_read_from_nowhere(tmp_path: Path) -> None:
    """What a platform of ours has is known by itself, and what a described one has is what its description names:
    neither an address nor a secret need be there to say what is read."""
    write_project(tmp_path)
    channels = tmp_path / "channels.yaml"
    depot = channels.read_text(encoding="utf-8")
    channels.write_text(depot + depot.replace("depot:", "shop:").replace("platform: depot", "platform: shopify"),
                        encoding="utf-8")
    for platform in ("depot", "shopify"):
        own = tmp_path / "mappings" / platform / "payouts.yaml"
        own.parent.mkdir(exist_ok=True)
        own.write_text(OWN.format(platform=platform), encoding="utf-8")
    own.with_name("payouts.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "mappings" / "depot" / "payouts.schema.json").write_text("{}", encoding="utf-8")
    with opened(tmp_path) as house:
        there = house.offered("shop")
        assert there is not None
        assert "payouts" in house.of("shop").inward
        assert ("orders" in there, "payouts" in there, house.offered("depot")) == (True, False, None)
        assert steps.resources_of(house, "shop") == ["locations"]
        assert sorted(steps.resources_of(house, "depot")) == ["payouts", "places"]

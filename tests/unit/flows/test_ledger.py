"""The account of a step: what came in is accounted for, or nothing is kept."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from flows import steps
from flows.ledger import INWARD, OUTWARD, Account, Unbalanced
from registry import load_cursor, runs
from tests.scenario.world import World
from tests.unit.flows.retail import product, records, take

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def account(direction: str = "inward") -> Account:
    return Account(run="r", channel="shop-kz", what="orders", direction=direction, started_at=NOW)  # type: ignore[arg-type]


@given(
    read=st.integers(0, 30),
    counts=st.lists(st.tuples(st.sampled_from(["order", "customer"]), st.sampled_from(INWARD), st.integers(0, 9))),
)
def test_a_page_that_does_not_add_up_never_closes(read: int, counts: list[tuple[str, str, int]]) -> None:
    """P1: whatever is counted, a page closes exactly if every item stands under one outcome."""
    page = account()
    for entity, outcome, number in counts:
        page.count(entity, outcome, number)
    if read == sum(number for _, _, number in counts):
        page.close_page(read)
        assert page.ledger(NOW).balanced
    else:
        with pytest.raises(Unbalanced, match=f"{read} items came in"):
            page.close_page(read)


@given(st.lists(st.lists(st.tuples(st.sampled_from(OUTWARD), st.integers(1, 9)), max_size=4), max_size=5))
def test_a_stretch_is_the_sum_of_its_pages(pages: list[list[tuple[str, int]]]) -> None:
    """P1: what was due is what became of it, over any number of pages."""
    whole = account("outward")
    for counts in pages:
        page = whole.page()
        for outcome, number in counts:
            page.count("stock", outcome, number)
        page.close_page(sum(number for _, number in counts))
        whole.add(page)
    ledger = whole.ledger(NOW)
    expected = Counter[str]()
    for counts in pages:
        for outcome, number in counts:
            expected[outcome] += number
    assert ledger.balanced
    assert {outcome: ledger.total(outcome) for outcome in OUTWARD} == {name: expected[name] for name in OUTWARD}
    assert ledger.read == expected.total()


def test_a_page_that_is_tried_again_is_counted_once() -> None:
    """P1: a transaction that was repeated after a deadlock leaves one account, not two."""
    page = account()
    page.count("order", "created", 3)
    page.fault("one fault")
    page.clear()
    page.count("order", "created", 3)
    page.close_page(3)
    assert (page.read, page.faults) == (3, [])


def test_the_ledger_reads_as_a_sentence() -> None:
    """Ops read what happened without a legend."""
    page = account()
    page.count("order", "created", 2)
    page.count("customer", "unchanged", 10)
    page.close_page(12)
    assert page.ledger(NOW).sentence() == "pull orders from shop-kz: 12 read = 2 created + 10 unchanged"
    paused = account("outward").ledger(NOW, note="writes are paused")
    assert paused.sentence() == "push orders to shop-kz: writes are paused"


def test_a_defect_that_loses_an_item_keeps_nothing_and_turns_the_run_red(
    retail: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: when accounting and page differ, no record is stored and the cursor does not move; mended, all comes in."""
    people, house = retail.people, retail.house
    for n in range(5):
        people.add("erp", "products", product(f"P-{n}"))
    count = Account.count

    def forgetful(self: Account, entity: str, outcome: str, number: int = 1, *, reason: str = "") -> None:
        count(self, entity, outcome, number - 1 if outcome == "created" and number > 0 else number, reason=reason)

    with monkeypatch.context() as defect:
        defect.setattr(Account, "count", forgetful)
        with pytest.raises(Unbalanced, match="nothing of this page was stored"):
            steps.pull(house, "erp-kz", "products")
    assert records(house, "product") == {}
    with house.registry.read() as tx:
        assert load_cursor(tx, "erp-kz", "products", "live") is None
    again = steps.pull(house, "erp-kz", "products")
    assert again.counts == {("product", "created"): 5}


def test_every_step_leaves_its_run(retail: World) -> None:
    """Ops see what each run read and what became of it, and that it balances."""
    take(retail, "erp-kz", "products", [product("A"), product("A"), product("B")])
    with retail.registry.read() as tx:
        (row,) = runs(tx, "erp-kz")
    assert (row.read, row.balanced, row.error) == (3, True, None)
    assert row.counts == {"product": {"created": 2, "skipped": 1}}

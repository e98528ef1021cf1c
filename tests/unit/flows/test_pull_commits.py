"""A read of several commits, on each database: whatever ends it, nothing is lost and nothing counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.base import Doc, Page
from flows import fetching, pull, steps
from flows.ledger import Ledger, Stretch
from tests.scenario.world import World
from tests.unit.flows.retail import ASKED, later, product, records, take, values

PAGE = 100
"""What the small ERP gives at a time."""


@pytest.fixture
def retail(retail_on_each: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The retailer on each database, with 350 articles; each page is a commit."""
    monkeypatch.setattr(pull, "COMMIT_RECORDS", PAGE)
    for n in range(350):
        retail_on_each.people.add("erp", "products", product(f"P-{n:03}"))
    return retail_on_each


def read(retail: World, **how: float) -> Ledger:
    return steps.pull(retail.house, "erp-kz", "products", stretch=Stretch(**{"seconds": 1e9, "records": 10**9, **how}))


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_page_lost_on_the_way_is_read_again_and_those_before_it_are_kept(
    retail: World, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """P1: where the line is cut, what was read before stands; the next run goes on behind it."""
    connector = retail.house.connector("erp-kz", "backfill")  # a first read is bulk work
    pages = connector.read

    def breaks(resource: str, cursor: Doc | None = None) -> Iterator[Page]:
        for number, page in enumerate(pages(resource, cursor)):
            if number == cut:
                raise ConnectionError("the line is cut")
            yield page

    with monkeypatch.context() as defect:
        defect.setattr(connector, "read", breaks)
        with pytest.raises(ConnectionError):
            read(retail)
    assert len(records(retail.house, "product")) == cut * PAGE
    ledger = read(retail)
    assert ledger.balanced
    assert ledger.total("created") == 350 - cut * PAGE
    assert len(records(retail.house, "product")) == 350


@pytest.mark.parametrize("failing", [0, 1, 2, 3])
def test_after_a_page_that_could_not_be_stored_none_is_stored(
    retail: World, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """P1: the cursor never moves past a page that was lost."""
    accepted = fetching.accept_page
    turns: list[int] = []

    def full_disk(*what: object, **how: object) -> set[str]:
        turns.append(len(turns))
        if turns[-1] == failing:
            raise OSError("no space left on device")
        return accepted(*what, **how)  # type: ignore[arg-type]

    with monkeypatch.context() as defect:
        defect.setattr(fetching, "accept_page", full_disk)
        with pytest.raises(OSError, match="no space left"):
            read(retail)
    assert len(records(retail.house, "product")) == failing * PAGE
    ledger = read(retail)
    assert ledger.total("created") == 350 - failing * PAGE
    assert len(records(retail.house, "product")) == 350


@pytest.mark.parametrize("number", [1, 120, 340])
@pytest.mark.parametrize("line", ["whole", "cut behind it"])
def test_an_answer_that_was_overtaken_on_its_way_is_asked_for_once_more_in_the_same_run(
    retail: World, monkeypatch: pytest.MonkeyPatch, number: int, line: str
) -> None:
    """P5: whichever commit found that an article was known newer, it is fetched, also where the next page is lost."""
    sku = f"P-{number:03}"
    retail.people.edit("erp", "products", sku, {"title": "Newest"})
    take(retail, "erp-kz", "products", [product(sku, "Newer")], later(60))
    connector = retail.house.connector("erp-kz", "backfill")
    pages = connector.read

    def late(resource: str, cursor: Doc | None = None) -> Iterator[Page]:
        for page in pages(resource, cursor):
            docs = [product(sku, "Old") if doc["code"] == sku else doc for doc in page.docs]
            yield replace(page, docs=docs, asked_at=ASKED)
            if line != "whole" and list(docs) != list(page.docs):
                raise ConnectionError("the line is cut")

    with monkeypatch.context() as defect:
        defect.setattr(connector, "read", late)
        if line == "whole":
            ledger = read(retail)
            assert ledger.balanced
            assert [reason for reason in ledger.reasons if "stale" in reason]
            assert ledger.counts == {("product", "created"): 349, ("product", "skipped"): 1, ("product", "updated"): 1}
        else:
            with pytest.raises(ConnectionError):
                read(retail)
    assert values(retail.house, "product", sku)["name"] == "Newest"


@pytest.mark.parametrize(("bound", "runs"), [({"seconds": 0.0}, 4), ({"records": 100}, 4), ({"records": 150}, 2)])
def test_a_stretch_stops_at_its_bound_and_goes_on_where_it_stopped(
    retail: World, bound: dict[str, float], runs: int
) -> None:
    """A worker gives way after a while; nothing is read twice or left out by it (P1)."""
    ledgers = [read(retail, **bound)]
    while ledgers[-1].more:
        ledgers.append(read(retail, **bound))
    assert len(ledgers) == runs
    assert sum(ledger.read for ledger in ledgers) == sum(ledger.total("created") for ledger in ledgers) == 350
    assert len(records(retail.house, "product")) == 350

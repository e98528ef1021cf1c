"""A commit costs a constant number of statements, whatever it holds.

What surprises here: below 64 rows PostgreSQL gets them in one INSERT, above by COPY, which is four statements; so its
few are a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Receipt
from flows import deciding
from flows.accept import accept_page
from flows.receipts import record_receipts
from flows.wiring import House, open_house
from registry import Registry, Tx
from tests.bench.stock_api import documents
from tests.bench.sync_speed import known, project
from tests.databases import registry_url  # noqa: F401 — the fixture: each dialect in turn

MANY = 1_000


@pytest.fixture
def house(registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:  # noqa: F811
    monkeypatch.setenv("BENCH_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SERAI_REGISTRY", registry_url)
    opened = open_house(project(tmp_path / "project"))
    yield opened
    opened.close()


def taken(house: House, docs: list[Any], outcome: str) -> int:
    """Statements of the transaction that accepts these documents, all of which end as ``outcome``."""

    def work(tx: Tx) -> int:
        at = house.registry.now()
        account = house.account("erp", "stock", "inward")
        accept_page(house, tx, account, "erp", "stock", docs, at, at)
        assert account.counts == {("stock", outcome): len(docs)}
        return tx.statements

    return house.registry.attempt(work)


@contextmanager
def counting(registry: Registry, counted: list[int]) -> Iterator[None]:
    """Adds the statements of each transaction that ends inside the block."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("read", "write"):
            patch.setattr(registry, kind, _counted(getattr(registry, kind), counted))
        yield


def _counted(
    begin: Callable[[], AbstractContextManager[Tx]], counted: list[int]
) -> Callable[[], AbstractContextManager[Tx]]:
    @contextmanager
    def transaction() -> Iterator[Tx]:
        with begin() as tx:
            yield tx
            counted.append(tx.statements)

    return transaction


def pushed(house: House, limit: int) -> tuple[int, int, int]:
    """Rows sent, statements of the transactions that decide them, and of the one that keeps their receipts."""
    group = house.of("shop").outward["stock"]
    page = house.account("shop", "stock", "outward")
    counted: list[int] = []
    with counting(house.registry, counted):
        sending = deciding.decide_page(house, page, "shop", group, limit, house.registry.now(), False)
    assert sending is not None
    receipts = [(one, Receipt(outcome="applied", id=one.write.doc["sku"], doc=one.write.doc)) for one in sending]

    def record(tx: Tx) -> None:
        record_receipts(house, tx, page, "shop", group, receipts)
        counted.append(tx.statements)

    house.registry.attempt(record)
    return len(sending), sum(counted[:-1]), counted[-1]


def test_a_page_of_a_thousand_costs_the_statements_of_a_small_one(house: House) -> None:
    """First contact, an unchanged page, an edited page, and the batch that follows from them."""
    few = 100 if house.registry.postgres else 10
    docs = documents(few + MANY)
    known(house, few + MANY)
    small, large = docs[:few], docs[few:]

    assert taken(house, small, "created") == taken(house, large, "created")
    assert taken(house, small, "unchanged") == taken(house, large, "unchanged")
    for doc in docs:
        doc["on_hand"] = "123.000"
    assert taken(house, small, "updated") == taken(house, large, "updated")
    (ten, *batch), (thousand, *whole) = pushed(house, few), pushed(house, MANY)
    assert (ten, thousand) == (few, MANY)
    assert batch == whole

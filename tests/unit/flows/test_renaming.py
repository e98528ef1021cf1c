"""A SKU is renamed, and another article takes the old one: two articles stay two, whoever is read first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from registry import bindings, owners, records
from tests.databases import sqlite_url  # noqa: F401 (fixture)
from tests.unit.flows.showroom import Showroom, product, showroom

CHANGES = st.lists(st.tuples(st.integers(1, 4), st.sampled_from("ABC")), min_size=2, max_size=10)


@pytest.fixture
def room(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Showroom]:  # noqa: F811
    with showroom(tmp_path / "project", sqlite_url, monkeypatch) as found:
        found.take("products", product())
        yield found


def article(id: str, sku: str) -> dict[str, Any]:
    return {"id": id, "sku": sku, "name": f"Чайник {id}", "gtin": None, "mpn": None, "product": "KTL",
            "status": "active"}


def bound(room: Showroom, ids: list[str]) -> dict[str, tuple[str, str]]:
    """Document → (record, SKU of the record)."""
    with room.house.registry.read() as tx:
        found = bindings(tx, "pim-kz", [("variant", id) for id in ids])
        there = records(tx, {one.uid for one in found.values() if one.uid is not None})
    return {id: (str(one.uid), there[str(one.uid)].values["sku"]) for (_, id), one in found.items()
            if one.values is not None}


def owner(room: Showroom, sku: str) -> str | None:
    with room.house.registry.read() as tx:
        return owners(tx, [("variant", "sku", sku)]).get(("variant", "sku", sku))


def test_a_new_article_with_an_old_sku_is_not_the_renamed_one(room: Showroom) -> None:
    """Renaming keeps the binding, frees the old SKU, and the article is found by the new one at once."""
    room.take("variants", article("1", "A"))
    first = bound(room, ["1"])["1"][0]
    room.take("variants", article("1", "A2"))
    assert bound(room, ["1"])["1"] == (first, "A2")
    assert (owner(room, "A2"), owner(room, "A")) == (first, None)
    assert room.take("variants", article("2", "A")).counts == {("variant", "created"): 1}
    assert bound(room, ["1", "2"])["2"][0] != first
    assert owner(room, "A") == bound(room, ["2"])["2"][0]


def test_an_article_that_comes_before_the_news_of_the_rename_waits_for_it(room: Showroom) -> None:
    """Two documents of one channel never melt into one record; the second is taken when the first is read again."""
    room.take("variants", article("1", "A"))
    assert room.take("variants", article("2", "A")).counts == {("variant", "quarantined"): 1}
    room.take("variants", article("1", "A2"))
    assert room.take("variants", article("2", "A")).counts == {("variant", "created"): 1}
    found = bound(room, ["1", "2"])
    assert [sku for _, sku in found.values()] == ["A2", "A"]
    assert len({uid for uid, _ in found.values()}) == 2


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, news=st.permutations([1, 2, 3, 4]))
def test_whatever_is_renamed_and_read_in_whatever_order_every_article_ends_as_itself(
    room: Showroom, changes: list[tuple[int, str]], news: list[int]
) -> None:
    """On a platform whose SKUs are unique at each moment; documents are read one by one, late, and in any order."""
    mark = str(room.house.registry.now().timestamp())
    truth: dict[int, str] = {}
    before = room.clock
    for n, (id, sku) in enumerate(changes):
        if sku in truth.values():
            continue
        truth[id] = sku
        if n % 3 == 2 and news[n % 4] in truth:
            told = news[n % 4]
            room.take("variants", article(f"{mark}-{told}", f"{mark}{truth[told]}"))
    for _ in range(3):
        for id in news:
            if id in truth:
                room.take("variants", article(f"{mark}-{id}", f"{mark}{truth[id]}"))
    found = bound(room, [f"{mark}-{id}" for id in truth])
    assert {id: sku for id, (_, sku) in found.items()} == {f"{mark}-{id}": f"{mark}{sku}" for id, sku in truth.items()}
    assert len({uid for uid, _ in found.values()}) == len(truth)
    assert {sku: owner(room, sku) for _, sku in found.values()} == {sku: uid for uid, sku in found.values()}
    assert room.clock > before



"""Goods that are told apart by lot, serial number or mark: lines that hand them over say which units they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows import steps
from flows.stock_view import faults
from registry import parked
from tests.unit.flows.stockroom import Stockroom, moment, stockroom

MARKS = ["0104870001000017\x1d21A", "0104870001000017\x1d21B"]
"""Codes as a scanner reads them: opaque, with the group separator."""


@pytest.fixture
def room(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stockroom]:
    """Ten pairs of shoes, each with a mark of its own, and cups that nobody tells apart."""
    items = ({"code": "K", "tracking": "marked"}, {"code": "C"})
    with stockroom(tmp_path, sqlite_url, monkeypatch, items=items) as found:
        yield found


def stands(room: Stockroom) -> list[tuple[str, str, str]]:
    """What is parked: entity, rule and message."""
    with room.house.registry.read() as tx:
        return [(row.entity, str(row.rule), str(row.message)) for row in parked(tx)]


def take(room: Stockroom, channel: str, resource: str, doc: dict[str, Any]) -> None:
    """A document comes in, whatever becomes of it."""
    assert steps.accept(room.house, channel, resource, [doc], asked_at=room.now()).balanced


def receipt(room: Stockroom, id: str, marks: list[str], units: int = 2) -> None:
    line = {"key": "1", "item": "K", "n": str(units), "units": [{"mark": mark} for mark in marks]}
    take(room, "till", "orders", {"id": id, "at": moment(room.began), "state": "delivered", "location": "st",
                                  "handed_over": True, "lines": [line, {"key": "2", "item": "C", "n": "1"}]})


def test_a_receipt_that_names_too_few_units_is_parked_beside_its_record_until_it_names_them(room: Stockroom) -> None:
    """P3: the goods have left and are reserved all the same; a person reads what is missing and what to do."""
    room.figure("K", 10, place="st")
    receipt(room, "R1", MARKS[:1])
    ((entity, rule, message),) = stands(room)
    assert (entity, rule) == ("order", "units")
    assert message == "line 1 hands over goods that are tracked by mark: 1 units say their mark, 2 are sold"
    assert room.promised("K") == [2]
    receipt(room, "R1", MARKS)
    assert (stands(room), room.promised("K")) == ([], [2])


def test_a_shipment_without_its_units_moves_nothing_until_it_names_them(room: Stockroom) -> None:
    """P3, P8: units of the order's line count; else the shipment's own line must name as many as it sends."""
    room.order("1", {"K": 2})
    room.bind("erp", "1", "S1")
    sent = {"id": "D1", "order": "S1", "at": moment(room.began), "lines": [{"line": "1", "n": "2"}]}
    take(room, "erp", "shipments", sent)
    ((entity, _, message),) = stands(room)
    assert (entity, message) == (
        "shipment", "line 1 hands over goods that are tracked by mark: 0 units say their mark, 2 are sold"
    )
    room.figure("K", 8)
    assert room.free("K") == 6                          # nobody posted the goods: their promise stands
    named = {"line": "1", "n": "2", "units": [{"mark": mark} for mark in MARKS]}
    take(room, "erp", "shipments", {**sent, "lines": [named]})
    room.figure("K", 8.0, unit="each")
    assert (stands(room), room.free("K")) == ([], 8)


def test_a_level_says_who_must_name_units_and_who_is_only_listed(
    room: Stockroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3: `warn` takes the receipt and lists it among the faults, `ignore` says nothing."""
    project = room.house.project
    lenient = replace(project, counting=replace(project.counting, units={"*": "warn"}))
    monkeypatch.setattr(room.house, "project", lenient)
    receipt(room, "R1", [])
    assert stands(room) == []
    listed = [sentence for sentence in faults(room.house) if "tracked" in sentence]
    said = "line 1 hands over goods that are tracked by mark: 0 units say their mark, 2 are sold"
    assert listed == [f"R1 of till: {said}"]
    silent = replace(project, counting=replace(project.counting, units={"*": "ignore"}))
    monkeypatch.setattr(room.house, "project", silent)
    receipt(room, "R2", [])
    assert stands(room) == []
    assert [sentence for sentence in faults(room.house) if "tracked" in sentence] == []


def test_a_unit_that_was_handed_over_twice_is_a_fault_of_the_data(room: Stockroom) -> None:
    """P8: one pair of shoes cannot leave twice; `serai stock faults` names the mark and both receipts."""
    receipt(room, "R1", MARKS)
    assert [sentence for sentence in faults(room.house) if "exists once" in sentence] == []
    receipt(room, "R2", [MARKS[1], "0104870001000017\x1d21C"])
    (sentence,) = [sentence for sentence in faults(room.house) if "exists once" in sentence]
    assert sentence.startswith(f"K: {MARKS[1]!r} was handed over in R1 and in R2")

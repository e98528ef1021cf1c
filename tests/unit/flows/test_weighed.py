"""Goods by weight, in steps, and cases of pieces: what is told is a whole number of them, and the rest is reported."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from flows.order_moves import stopped
from flows.stock_view import article
from registry import parked
from tests.unit.flows.stockroom import Stockroom, stockroom

TEA = {"code": "T", "unit": "kg", "step": "0.25"}
CASE = {"code": "B", "parts": [{"item": "K", "n": "12"}]}


@pytest.fixture
def room(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stockroom]:
    """Tea by the quarter of a kilogram, kettles, and cases of twelve."""
    with stockroom(tmp_path, sqlite_url, monkeypatch, items=({"code": "K"}, TEA, CASE)) as found:
        yield found


def test_tea_is_told_in_quarters_of_a_kilogram_and_what_is_left_over_is_said(room: Stockroom) -> None:
    """P8: 1.8 kg are 1.75 kg and 50 g; an order of half a kilogram is taken off exactly, whatever the step."""
    room.figure("T", "1.8", unit="kg")
    figure, why = room.told_by_weight("T")
    assert (figure, why["step"], why["left_over"]) == ("1.75", "0.25", "0.05")
    room.order("1", {"T": "0.5"})
    assert room.told_by_weight("T")[0] == "1.25"
    room.order("2", {"T": "0.6"})
    assert room.told_by_weight("T")[0] == "0.50"
    seen = article(room.house, "T")
    assert (sum(seen.free.values()), seen.left, seen.unit) == (Decimal("0.50"), Decimal("0.2"), "kg")
    room.figure("T", "0.2", unit="kg")
    assert Decimal(room.told_by_weight("T")[0]) == 0


def test_an_order_off_the_step_is_parked_with_what_can_be_sold_until_it_is_changed(room: Stockroom) -> None:
    """P6, P8: it reserves what it names, goes nowhere, and goes on by itself when the line is put right."""

    def stands() -> list[tuple[str, str]]:
        with room.house.registry.read() as tx:
            return [(str(row.rule), str(row.message)) for row in parked(tx)]

    room.figure("T", "1.8", unit="kg")
    line = {"n": "0.6", "unit": "kg"}
    room.order("1", {"T": line})
    assert stands() == [("step", "line 1 asks for 0.6 kg of an article that is sold in steps of 0.25: 0.50 or 0.75 can "
                                 "be sold")]
    assert room.told_by_weight("T")[0] == "1.00"
    uid = next(iter(room.orders()))
    with room.house.registry.read() as tx:
        assert "0.50 or 0.75" in stopped(tx, [uid])[uid]
    room.order("1", {"T": {**line, "n": "0.75"}})
    assert (stands(), room.told_by_weight("T")[0]) == ([], "1.00")
    room.order("2", {"T": {**line, "n": "0.3"}}, channel="till", handed_over=True, state="delivered", location="wh")
    assert stands() == []


def test_thirty_pieces_are_two_cases_and_six_loose_ones(room: Stockroom) -> None:
    """P8: nothing is rounded away: the pieces that make no case are listed."""
    room.figure("K", 30)
    room.figure("K", 5, place="st")
    assert room.told("B") == 2
    assert article(room.house, "B").loose == {"K": 35 - 24}
    room.order("1", {"B": 1})
    assert (room.told("B"), room.free("K")) == (1, 23)

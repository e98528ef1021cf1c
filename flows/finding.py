"""Orders by any number that anybody calls them: the buyer's, a channel's, the ERP's, or an id of a system.

What surprises here: a number is no key. ``#1001`` of two shops finds two orders, each with the channel that says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.wiring import House
from mappings.commerce.orders.figures import buyer_pays, expected_payout, seller_price
from registry import Binding, EditRow, NumberRow, bindings_of, edits_of, open_inward, orders_by_number, records

PARTY = {"id": "id", "channel": "number", "buyer": "buyer's number", "erp": "ERP's number"}
"""Whose number it is, in words."""
FIGURES = ("buyer_pays", "seller_price", "payout")


@dataclass(frozen=True, kw_only=True)
class Found:
    """An order that goes by the number: who calls it so, where it is, what it comes to, what was edited of it."""

    uid: str
    called: tuple[str, ...]
    at: Mapping[str, str]
    values: Mapping[str, Any]
    wrong: str | None
    edits: Sequence[EditRow]

    def row(self) -> dict[str, Any]:
        """As JSON, without anything of the buyer."""
        figures = {name: None for name in FIGURES} if self.values.get("total") is None else three_figures(self.values)
        return {
            "order": self.uid, "called": list(self.called), "at": dict(self.at),
            "number": self.values.get("number"), "status": self.values.get("status"),
            "payment": self.values.get("payment"), "placed_at": self.values.get("placed_at"),
            **figures, "wrong": self.wrong,
            "edits": [f"{edit.at:%Y-%m-%d %H:%M} {edit.channel}: {edit.detail}" for edit in self.edits],
        }


def three_figures(order: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What the buyer pays, what the seller sold it for, and what the channel pays out: as its reports say, else as
    expected after the fees of its policy."""
    payout = order.get("payout")
    return {"buyer_pays": buyer_pays(order), "seller_price": seller_price(order),
            "payout": expected_payout(order) if payout is None else payout}


def find(house: House, number: str) -> list[Found]:
    """Every order that goes by this number on any channel; none is no error. A constant number of statements."""
    with house.registry.read() as tx:
        named = orders_by_number(tx, [number])
        uids = list(dict.fromkeys(row.order for row in named))
        known = records(tx, uids)
        bound = bindings_of(tx, uids, "order")
        wrong = open_inward(tx, "order", uids)
        edits = edits_of(tx, uids)
    return [
        Found(
            uid=uid, called=tuple(dict.fromkeys(_called(row) for row in named if row.order == uid)),
            at=_at(bound.get(uid, ())), values=known[uid].values,
            wrong=None if uid not in wrong else wrong[uid][1], edits=edits[uid],
        )
        for uid in uids if uid in known
    ]


def _called(row: NumberRow) -> str:
    return f"{row.channel}: {PARTY.get(row.whose, row.whose)}"


def _at(bound: Sequence[Binding]) -> dict[str, str]:
    return {one.channel: one.external_id for one in sorted(bound, key=lambda one: one.channel)}

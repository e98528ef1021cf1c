"""Verbs about settlement reports: what a channel paid out, of which orders, and what of it does not match.

What surprises here: a difference is never put right by Serai. It is shown with its money until report and order agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.commands import HERE, AnyChannel, Json, Project, number, say

if TYPE_CHECKING:
    from flows.settlements import Report, Reported

Number = Annotated[str, typer.Argument(help="the number of the report, as its channel gives it")]
Every = Annotated[bool, typer.Option("--all", help="also the orders that match")]
KINDS = ("sale", "refund", "fee", "adjustment")


def list_settlements(channel: AnyChannel = None, project: Project = HERE, json: Json = False) -> None:
    """List the settlement reports of the channels, and how many orders of each do not match."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show as table
    from flows.settlements import list_reports

    with opened(project) as house:
        found = list_reports(house, channel)
    if json:
        print_json([_row(one) for one in found])
        return
    table("settlements", [
        {"number": one.values["number"], "channel": one.channel, "until": one.values.get("until"),
         "paid out": _money(one.said.paid_out, one.currency), "orders": len(one.orders),
         "do not match": sum(order.wrong is not None for order in one.orders), "report": one.wrong or "adds up"}
        for one in found
    ], False, nothing="no channel has told a settlement report")  # fmt: skip


def show(
    number: Number, channel: AnyChannel = None, all: Every = False, project: Project = HERE, json: Json = False
) -> None:
    """Show a settlement report: its sums, and each order that does not match, with the difference in money."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.settlements import show_report

    with opened(project) as house:
        found = show_report(house, number, channel)
    if json:
        print_json(_row(found))
        return
    for line in _lines(found, all):
        say(line)


def _lines(found: Report, every: bool) -> list[str]:
    values = found.values
    said = [f"settlement {values['number']} of {found.channel}: {values.get('since') or 'the beginning'} to "
            f"{values.get('until') or 'an unknown day'}, {number(len(found.orders), 'order')}"]
    parts = [f"{kind} {_money(getattr(found.said, kind), found.currency)}" for kind in KINDS]
    said.append(f"{', '.join(parts)}: {_money(found.said.paid_out, found.currency)} paid out")
    if found.wrong is not None:
        said.append(f"does not add up: {found.wrong}")
    apart = [order for order in found.orders if order.wrong is not None]
    said += [_order(order, found.currency) for order in (found.orders if every else apart)]
    if not apart:
        said.append("every order matches its price, fees and refunds")
    return said


def _order(one: Reported, currency: str) -> str:
    said = ", ".join(f"{kind} {_money(getattr(one.said, kind), currency)}" for kind in KINDS
                     if getattr(one.said, kind) != 0)
    outstanding = "" if one.outstanding is None or Fraction(one.outstanding["amount"]) == 0 else (
        f"; {one.outstanding['amount']} {one.outstanding['currency']} of refunds are in no report yet"
    )
    return f"order {one.number}: {said or 'nothing'}; {one.wrong or 'matches'}{outstanding}"


def _money(amount: Fraction, currency: str) -> str:
    from mappings.commerce.orders.balance import spelled

    return spelled(amount, currency) if currency else "0"


def _row(one: Report) -> dict[str, Any]:
    return {
        "number": one.values["number"], "channel": one.channel, "since": one.values.get("since"),
        "until": one.values.get("until"), "total": one.values.get("total"), "wrong": one.wrong,
        **_sums(one.said, one.currency),
        "orders": [{"number": order.number, "order": order.order, **_sums(order.said, one.currency),
                    "apart": order.apart, "outstanding": order.outstanding, "wrong": order.wrong}
                   for order in one.orders],
    }  # fmt: skip


def _sums(said: Any, currency: str) -> Mapping[str, Any]:
    from mappings.commerce.prices.money import money

    found = {**{kind: getattr(said, kind) for kind in KINDS}, "paid_out": said.paid_out}
    return {name: money(amount, currency or "XXX") for name, amount in found.items()}

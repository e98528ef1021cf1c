"""Verbs about stock: what there is of one article, and what is wrong with the figures that sources give."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.commands import HERE, Json, Project, number, say

if TYPE_CHECKING:
    from flows.stock_view import Article

Sku = Annotated[str, typer.Argument(help="a SKU, or the uid of a variant")]


def show(
    sku: Sku,
    on: Annotated[str | None, typer.Option("--on", help="also what may be promised for this day: 2026-03-31")] = None,
    project: Project = HERE, json: Json = False,
) -> None:
    """Show the ledger of an article: what each place says, what may be sold, what is promised to whom, and why."""
    from datetime import date

    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.stock_view import article

    try:
        day = None if on is None else date.fromisoformat(on)
    except ValueError:
        raise typer.BadParameter(f"--on {on}: a day such as 2026-03-31") from None
    with opened(project) as house:
        found = article(house, sku, day)
    if json:
        print_json(_row(found))
    else:
        _print(found)


def faults(project: Project = HERE, json: Json = False) -> None:
    """List stock figures that cannot be taken as they stand, and the sources and tills that fell silent."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.stock_view import faults as look

    with opened(project) as house:
        found = look(house)
    if json:
        print_json(found)
        return
    for sentence in found:
        say(sentence)
    say(number(len(found), "fault") if found else "every figure can be taken as it stands")


def _places(found: Article) -> list[dict[str, Any]]:
    rows = []
    for one in sorted(found.standings, key=lambda one: one.code):
        held = one.held
        rows.append({
            "place": one.code, "source": one.source, "figure": f"{held.quantity} {held.kind}",
            "allocated": held.allocated, "not_for_sale": held.quarantined + held.expiring + held.displayed,
            "reserved": found.pool.reserved.get(one.code, 0), "free": found.free.get(one.code) if one.pooled else None,
            "in_transit": held.in_transit,
            "inbound": ", ".join(f"{units} on {day}" for day, units in held.inbound) or None,
            "held_by": one.held_by,
        })
    return rows


def _promised(found: Article) -> list[dict[str, Any]]:
    return [
        {"order": one.order, "channel": one.channel, "place": one.place, "units": one.units, "since": one.since,
         "state": one.state} for one in found.promised
    ]


def _notes(found: Article) -> list[str]:
    parts = ", ".join(f"{amount} × {sku}" for sku, amount in found.parts.items())
    lacking = found.pool.reserved.get(None, Decimal(0))
    return [
        *([f"put together of {parts}: free is what can be put together at one place"] if parts else []),
        *([f"{lacking} reserved, or lacking, at no place in particular: taken off the places in their order"]
          if lacking > 0 else []),
        *([f"{found.left} {found.unit} are less than a step and not sold"] if found.left > 0 else []),
        *([f"left over of its parts: {', '.join(f'{n} × {sku}' for sku, n in found.loose.items())}"]
          if found.loose else []),
        *([f"open back-orders: {found.back_orders}, taken off what is promised for a day"] if found.back_orders > 0
          else []),
        *found.pool.because, *(sentence for one in found.standings for sentence in one.faults),
        *(f"may be promised for {day}: {units}" for day, units in found.by_day.items()),
    ]


def _row(found: Article) -> dict[str, Any]:
    return {
        "sku": found.sku, "name": found.name, "unit": found.unit, "free": sum(found.free.values()),
        "free_by_place": found.free, "places": _places(found), "promised": _promised(found), "parts": found.parts,
        "back_orders": found.back_orders, "loose": found.loose, "notes": _notes(found),
        "by_day": {str(day): units for day, units in found.by_day.items()},
    }


def _print(found: Article) -> None:
    from deployments.printing import show as table

    say(f"{found.sku} {found.name}: {sum(found.free.values())} {found.unit} free")
    if not found.parts:
        table("places", _places(found), False, nothing="no place holds it")
    if found.promised:
        table("promised", _promised(found), False, nothing="")
    for sentence in _notes(found):
        say(sentence)

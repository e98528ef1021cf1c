"""The verb that finds orders by any number they go by."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.commands import HERE, Json, Project, say


def find(
    number: Annotated[str, typer.Argument(help="the buyer's, a channel's or the ERP's number, or an id")],
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Find an order by any number: where it is, what it comes to, what was edited of it, what is wrong with it."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.finding import find as look

    with opened(project) as house:
        found = look(house, number)
    if json:
        print_json([one.row() for one in found])
        return
    if not found:
        say(f"no order is called {number!r}; `serai parked` lists documents that became no order")
    for one in found:
        row = one.row()
        say(f"order {row['number']} ({', '.join(row['called'])}): {row['status']}, {row['payment']}")
        say(f"  placed {row['placed_at']}, at " + ", ".join(f"{name} as {id}" for name, id in row["at"].items()))
        if row["buyer_pays"] is not None:
            figures = {"buyer pays": "buyer_pays", "seller's price": "seller_price", "payout": "payout"}
            said = [f"{name} {row[key]['amount']} {row[key]['currency']}" for name, key in figures.items()]
            say("  " + ", ".join(said))
        for edit in row["edits"]:
            say(f"  edited {edit}")
        if row["wrong"] is not None:
            say(f"  PARKED: {row['wrong']}")

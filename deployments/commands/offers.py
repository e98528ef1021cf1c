"""Verbs about offers: where they hold, and what orders made of them."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.commands import HERE, Json, Project, say


def list_offers(
    code: Annotated[str | None, typer.Argument(help="only the offer of this code")] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Show offers: who may redeem them, until when, which channels hold them, how often orders redeemed them."""
    from deployments.commands.houses import opened
    from deployments.printing import show
    from flows.offers import offers

    with opened(project) as house:
        found = offers(house, code)
    show("offers", [
        {"code": one.offer["code"], "name": one.offer.get("name"), "for": one.offer.get("segment") or "everybody",
         "from": one.offer.get("valid_from"), "to": one.offer.get("valid_to"),
         "holds on": ", ".join(one.offer.get("channels") or ["every channel"]), "told to": ", ".join(one.told),
         "state": one.offer.get("state") or "active", "redeemed": one.times, "limit": one.offer.get("limit"),
         "customers": one.customers} for one in found
    ], json, nothing="there is no offer" if code is None else f"there is no offer {code}")
    if not json:
        for one in found:
            for number, why in one.wrong:
                say(f"order {number} redeemed {one.offer['code']}: {why}")

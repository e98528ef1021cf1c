"""Verbs about prices: where two channels of one company differ, and whether anybody decided it."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.commands import HERE, Json, Project, number, say


def differences(
    project: Project = HERE,
    every: Annotated[bool, typer.Option("--all", help="also those that a rule makes, with its name")] = False,
    json: Json = False,
) -> None:
    """List prices that differ between two channels of one company and country, and that no rule makes differ."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show
    from flows.differences import compare

    with opened(project) as house:
        found = compare(house)
    chosen = found.differences if every else found.undecided
    if json:
        print_json({
            "articles": found.articles, "differences": [one.row() for one in chosen],
            "faults": [one.row() for one in found.doubts],
        })
    else:
        show("prices that differ", [
            {"SKU": one.sku, "on": " / ".join(one.channels), "shows": " / ".join(one.prices),
             "why": one.rule or f"no rule: {one.because}"}
            for one in chosen
        ], False, nothing=f"no price differs without a rule, of {number(found.articles, 'article')}")
        if found.doubts:
            show("lists that contradict themselves", [
                {"SKU": one.sku, "fault": one.fault} for one in found.doubts
            ], False, nothing="")
        ruled = len(found.differences) - len(found.undecided)
        if ruled > 0 and not every:
            say(f"{number(ruled, 'difference')} more, made by a rule: `serai differences --all` names it.")
    if found.undecided or found.doubts:
        raise typer.Exit(1)

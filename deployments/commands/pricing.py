"""Verbs about prices: where two channels of one company differ, and whether anybody decided it."""

from __future__ import annotations

from decimal import InvalidOperation
from typing import Annotated

import typer

from deployments.commands import HERE, Because, Channel, Json, Project, number, plain_number, say
from deployments.commands.knowing import who
from deployments.commands.selling import span


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


def price(
    channel: Channel,
    sku: Annotated[str, typer.Argument(help="a SKU")],
    amount: Annotated[str | None, typer.Argument(help="in the channel's own currency and tax mode")] = None,
    because: Because = "",
    for_: Annotated[str, typer.Option("--for", help="how long, such as 30m, 2h or 1d")] = "1d",
    end: Annotated[bool, typer.Option("--end", help="let the rules say it again")] = False,
    project: Project = HERE,
) -> None:
    """Set the price of an article on a channel by hand for a while; it ends by itself."""
    from deployments.commands.houses import opened
    from flows import hand_prices

    if (amount is None) is not end:
        raise typer.BadParameter("name an amount, or --end")
    with opened(project) as house:
        if amount is None:
            hand_prices.end_price(house, sku, channel, who=who(), because=because or "it is over")
            say(f"{sku}: {channel} shows what its rules say again")
            return
        try:
            figure = plain_number(amount)
        except InvalidOperation:
            raise typer.BadParameter(f"found {amount!r}; allowed is a number such as 12490.00") from None
        until = house.registry.now() + span(for_)
        row = hand_prices.set_price(house, sku, figure, channel, until=until, who=who(), because=because)
        say(f"{sku}: {row.value['amount']} {row.value['currency']} on {channel} until {until:%Y-%m-%d %H:%M} UTC; "
            f"`serai price {channel} {sku} --end` ends it before")

"""Verbs about what is on sale: what an article risks when channels pool it, and taking it off sale at once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.commands import HERE, AnyChannel, Because, Json, Project, say
from deployments.commands.knowing import who

if TYPE_CHECKING:
    from flows.stock_risk import StockRisk

BECAUSE = {
    "hard": "nothing can be: an escrow, proved over every order of events",
    "pooled": "sales elsewhere are heard of late",
}
"""Why it comes out so, by allocation."""
SPAN = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def risk(
    sku: Annotated[str, typer.Argument(help="a SKU")],
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Say how likely an article oversells at today's lag and demand, and the buffer that brings it under 1 %."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show
    from flows.stock_risk import stock_risk
    from mappings.commerce.stock.allocation import PRESETS

    with opened(project) as house:
        found = stock_risk(house, sku)
    if json:
        print_json(_row(found))
        return
    show(f"who sells {sku}", [
        {"channel": row.channel, "allocation": row.allocation, "units a day": f"{row.per_day:.2f}",
         "lag": f"{row.lag:.1f} s", "measured on": f"{row.measured} sales"} for row in found.channels
    ], False, nothing="no channel")
    show(f"{found.units} units free: what became of them when they were played out at this demand and lag", [
        *({"preset": name, "sold too many": f"in {risk.chance:.1%} of {risk.runs:,} runs",
           "units too many": f"{risk.mean:.2f}", "because": BECAUSE[PRESETS[name]["allocation"]],
           "kept back": f"{PRESETS[name]['safety']} on every channel"} for name, risk in found.presets.items()),
        {"preset": "sell-out with the smallest buffer that is enough",
         "sold too many": f"in {found.buffered.chance:.1%} of {found.buffered.runs:,} runs",
         "units too many": f"{found.buffered.mean:.2f}", "because": BECAUSE["pooled"],
         "kept back": f"{found.buffer} on every channel"},
    ], False, nothing="nothing")
    for note in found.notes:
        say(note)


def _row(found: StockRisk) -> dict[str, Any]:
    return {
        "sku": found.sku, "units": found.units, "escrowed": found.escrowed,
        "channels": [
            {"channel": row.channel, "allocation": row.allocation, "per_day": row.per_day, "lag": row.lag,
             "measured": row.measured} for row in found.channels
        ],
        "pooled": {"chance": found.pooled.chance, "mean": found.pooled.mean, "runs": found.pooled.runs},
        "buffer": found.buffer, "buffered": {"chance": found.buffered.chance, "mean": found.buffered.mean},
        "presets": {name: {"chance": row.chance, "mean": row.mean, "runs": row.runs}
                    for name, row in found.presets.items()},
        "notes": list(found.notes),
    }


def stop(
    sku: Annotated[str | None, typer.Argument(help="a SKU; none with --list")] = None,
    because: Because = "",
    for_: Annotated[str, typer.Option("--for", help="how long, such as 30m, 2h or 1d")] = "1d",
    keep: Annotated[
        int | None, typer.Option("--keep", min=0, help="not all: keep back so many units on each channel")
    ] = None,
    channel: AnyChannel = None,
    end: Annotated[bool, typer.Option("--end", help="let it be sold again")] = False,
    list_: Annotated[bool, typer.Option("--list", help="what is stopped now")] = False,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Take an article off every channel at once; it ends by itself."""
    from deployments.commands.houses import opened
    from flows import stopping
    from registry import EVERYWHERE

    with opened(project, writing="stock") as house:
        if list_ or sku is None:
            if sku is None and not list_:
                raise typer.BadParameter("name a SKU, or --list what is stopped")
            from deployments.printing import show

            now = house.registry.now()
            show("decided for a while", [
                {"sku": name, "entity": row.entity, "channel": row.channel, "value": _said(dict(row.value)),
                 "until": f"{row.until:%Y-%m-%d %H:%M} UTC", "still": _left(row.until - now), "who": row.who,
                 "because": row.because}
                for name, row in stopping.decided(house)
            ], json, nothing="nothing is stopped")
            return
        where = channel or EVERYWHERE
        places = "every channel" if channel is None else channel
        if end:
            stopping.end(house, sku, who=who(), because=because or "it is over", channel=where)
            say(f"{sku}: sold again on {places}")
            return
        until = house.registry.now() + span(for_)
        value = {"most": 0} if keep is None else {"safety": keep}
        stopping.decide(house, sku, value, until=until, who=who(), because=because, channel=where)
        what = "off" if keep is None else f"{keep} kept back on"
        say(f"{sku}: {what} {places} until {until:%Y-%m-%d %H:%M} UTC; `serai stop {sku} --end` ends it before")


def span(text: str) -> timedelta:
    """A duration a person typed, such as 2h."""
    match = SPAN.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"found {text!r}; allowed is a duration such as 30m, 2h or 1d", param_hint="--for")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _left(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _said(value: dict[str, Any]) -> str:
    if value == {"most": 0}:
        return "off"
    return ", ".join(f"{name} {units}" for name, units in value.items())


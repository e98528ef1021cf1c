"""Verbs for what a breaker stopped: see it, and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.commands import HERE, Because, Json, Project, number, say

if TYPE_CHECKING:
    from flows.holds import Shown

SAMPLE = 10
"""Prices that `show` lists unless asked for all."""

Name = Annotated[str, typer.Argument(metavar="HOLD", help="the hold, or the first or last letters of it")]
Set = Annotated[str | None, typer.Option("--set", help="only if this is still the set, as `serai hold show` named it")]


def list_holds(project: Project = HERE, json: Json = False) -> None:
    """List what breakers stopped: why, how many writes, and the money at stake."""
    from deployments.commands.houses import opened
    from deployments.printing import show
    from flows.holds import open_sets

    with opened(project) as house:
        show("held", [row(one) for one in open_sets(house)], json, nothing="nothing is held")


def show_hold(
    hold: Name, everything: Annotated[bool, typer.Option("--all", help="every price, not a sample")] = False,
    project: Project = HERE, json: Json = False,
) -> None:
    """Show one hold: why, and the prices it would move, the dearest first."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show
    from flows.holds import hold_called
    from registry import hold_name

    with opened(project) as house:
        found = hold_called(house, hold)
    moved = [
        {"record": one.label, "before": one.before, "after": one.after, "currency": one.currency, "units": one.units,
         "at stake": one.stake}
        for one in found.moved
    ]
    if json:
        print_json({**row(found), "records": list(found.labels), "prices": moved})
        return
    for reason in found.hold.because:
        say(reason)
    listed = moved if everything else moved[:SAMPLE]
    if listed:
        show(f"{len(listed)} of {number(len(moved), 'price')}, the dearest first", listed, False, nothing="")
    elif found.labels:
        names = found.labels if everything else found.labels[:SAMPLE]
        say(", ".join(names) + ("" if len(names) == len(found.labels) else ", …"))
    say(in_words(found))
    if found.hold.state == "open" and found.hold.kind != "alert":
        say(f"serai hold approve {hold_name(found.hold.uid)} --set {found.set} --because …   writes exactly these")
        say(f"serai hold reject {hold_name(found.hold.uid)} --set {found.set} --because …   writes none of them, ever")


def approve(hold: Name, set: Set = None, because: Because = "", project: Project = HERE) -> None:
    """Let exactly the held writes out."""
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from flows.holds import approve as let_out, send_approved

    with opened(project) as house:
        done = let_out(house, hold, who=who(), because=because, set=set)
        written = send_approved(house, done) if done.count else 0
    say(f"{number(done.count, 'write')} approved, {written} made")


def reject(hold: Name, set: Set = None, because: Because = "", project: Project = HERE) -> None:
    """Drop the held writes for good; the channel keeps what it shows until a record changes again."""
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from flows.holds import reject as refuse

    with opened(project) as house:
        done = refuse(house, hold, who=who(), because=because, set=set)
    say(f"{number(done.count, 'write')} rejected; mend the records in {done.hold.cause}, or the next change asks again")


def row(found: Shown) -> dict[str, Any]:
    """A hold as a row of a table or as JSON."""
    from registry import hold_name

    hold = found.hold
    return {
        "hold": hold_name(hold.uid), "channel": hold.channel, "entity": hold.entity, "cause": hold.cause,
        "kind": hold.kind, "writes": found.count, "at stake": money(found), "since": hold.opened_at,
        "because": "; ".join(hold.because), "set": found.set, "state": hold.state,
    }


def money(found: Shown) -> str:
    """``18 220 000.00 KZT`` of each currency."""
    return ", ".join(f"{amount:,.2f}".replace(",", " ") + f" {currency}" for currency, amount in found.stakes.items())


def in_words(found: Shown) -> str:
    """What is held, from where and since when, as a sentence."""
    from registry import hold_name

    hold = found.hold
    what = {"single": "these writes only", "all": f"everything that {hold.cause} changes", "alert": "nothing, a notice"}
    decided = "" if hold.state == "open" else f"; {hold.state} by {hold.who}: {hold.reason}"
    stake = money(found)
    return (
        f"hold {hold_name(hold.uid)}: {number(found.count, 'write')} of {hold.entity} to {hold.channel}, caused by "
        f"{hold.cause}, since {hold.opened_at:%Y-%m-%d %H:%M} UTC; holds {what[hold.kind]}"
        + (f"; at stake {stake}" if stake else "") + decided
    )

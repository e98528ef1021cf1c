"""Verbs about customers: who is one person, what is known of them, what they may be sent, that they are forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.commands import DEFECT, HERE, Because, Json, Project, number, say

if TYPE_CHECKING:
    from flows.erasing import Proof
    from flows.profile import Profile
    from registry import LikenessRow

Who = Annotated[str, typer.Argument(help="a uid, channel:id, e-mail address, or telephone number with its +")]
One = Annotated[str, typer.Argument(help="one of the two, as `serai review` names it")]
Other = Annotated[str, typer.Argument(help="the other")]


def show(customer: Who, project: Project = HERE, json: Json = False) -> None:
    """Show a customer: accounts, what was bought and is worth, contacts, consents, points, segments."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.profile import profile

    with opened(project) as house:
        found = profile(house, customer)
    if json:
        print_json(found.row())
    else:
        _print(found)


def merge(one: Who, other: Who, because: Because = "", project: Project = HERE) -> None:
    """Say that two accounts are one person. A link inside Serai: no channel merges anything, and it can be undone."""
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from flows.stewards import merge as join

    with opened(project) as house:
        uid = join(house, one, other, who=who(), because=_reason(because))
    say(f"one person now: {uid}; `serai customer split` undoes it")


def split(
    one: Who,
    other: Annotated[str | None, typer.Argument(help="undo only the link to this one")] = None,
    because: Because = "",
    project: Project = HERE,
) -> None:
    """Take an account out of its person, or undo one link; everything goes back to the account that it came with."""
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from flows.stewards import split as take_apart

    with opened(project) as house:
        people = take_apart(house, one, other, who=who(), because=_reason(because))
    say(f"{number(len(people), 'person')} now: {', '.join(people)}".replace("persons", "people"))


def figures(project: Project = HERE, json: Json = False) -> None:
    """Show what all customers come to: lifetime value, average order, repeat rate, and how many are in each segment."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show as table
    from flows.profile import figures as count

    with opened(project) as house:
        found = count(house)
    if json:
        print_json(found)
        return
    rate = "nobody bought yet" if found.repeat_rate is None else f"{found.repeat_rate:.2%} of them came again"
    say(f"{number(found.customers, 'customer')}, {found.bought} bought, {rate}")
    rows: list[dict[str, Any]] = [
        {"what": f"lifetime value, {currency}", "figure": f"{amount:,.2f}",
         "per customer": f"{amount / max(1, found.bought):,.2f}", "average order": f"{found.average[currency]:,.2f}"}
        for currency, amount in found.spent.items()
    ]
    rows += [{"what": f"segment {name}", "figure": len(uids), "per customer": None, "average order": None}
             for name, uids in found.segments.items()]
    table("figures", rows, False, nothing="no order yet")


def pairs(project: Project = HERE, json: Json = False) -> None:
    """Show the pairs of customers that may be one person, the oldest first."""
    from deployments.commands.houses import opened
    from deployments.printing import show as table
    from registry import records, to_review

    with opened(project) as house, house.registry.read() as tx:
        rows = to_review(tx)
        known = records(tx, {uid for row in rows for uid in (row.one, row.other)})
    table("to review", [_pair(row, {uid: one.values for uid, one in known.items()}) for row in rows], json,
          nothing="nothing waits for a decision")


def accept(one: One, other: Other, because: Because = "", project: Project = HERE) -> None:
    """Say that a pair is one person."""
    _decide(one, other, True, because, project)


def separate(one: One, other: Other, because: Because = "", project: Project = HERE) -> None:
    """Say that a pair is two people, for good: no rule joins them again."""
    _decide(one, other, False, because, project)


def erase(
    customer: Annotated[str | None, typer.Argument(
        help="a uid, channel:id, e-mail address, or telephone number with its +")] = None,
    because: Because = "",
    listed: Annotated[bool, typer.Option("--list", help="show past erasures and what each proved")] = False,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Forget a person everywhere, tell every channel, and print the proof. Exit code 3 when something is left."""
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from deployments.printing import print_json
    from flows.erasing import erase as forget

    if listed == (customer is not None):
        raise typer.BadParameter("name a customer to forget, or say --list")
    if customer is None:
        _list_erasures(project, json)
        return
    with opened(project) as house:
        proof = forget(house, customer, who=who(), because=_reason(because))
    if json:
        print_json(proof.row())
    else:
        _proof(proof)
    if not proof.clean:
        raise typer.Exit(DEFECT)


def _list_erasures(project: Any, json: bool) -> None:
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show as table
    from registry import erasures

    with opened(project) as house, house.registry.read() as tx:
        found = erasures(tx)
    if json:
        print_json([{**one.proof, "who": one.who, "because": one.because} for one in found])
        return
    table("erasures", [
        {"erasure": one.uid, "at": one.at, "who": one.who, "because": one.because, "accounts": len(one.identities),
         "left": ", ".join(one.proof["left"]) or "nothing", "by hand": "; ".join(one.proof["by_hand"]),
         "backups until": one.proof["backups_until"]} for one in found
    ], False, nothing="nobody was erased yet")


def _decide(one: str, other: str, same: bool, because: str, project: Any) -> None:
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from flows.stewards import decide

    with opened(project) as house:
        decide(house, one, other, same=same, who=who(), because=_reason(because))
    say("one person now" if same else "two people, for good")


def _reason(because: str) -> str:
    if because.strip() == "":
        raise typer.BadParameter("say why with --because: the audit keeps it")
    return because


def _pair(row: LikenessRow, known: dict[str, Any]) -> dict[str, Any]:
    return {
        "one": row.one, "name": known.get(row.one, {}).get("name"), "other": row.other,
        "other_name": known.get(row.other, {}).get("name"), "score": row.score, "because": row.because, "since": row.at,
    }


def _print(found: Profile) -> None:
    from deployments.printing import show as table

    values = found.values
    say(f"{values.get('name')}  {values.get('email') or ''}  {values.get('phone') or ''}  ({found.uid})")
    accounts = ", ".join(f"{one.channel} {one.external_id}" for one in found.accounts) or "none"
    say(f"accounts: {accounts}")
    bought = found.bought
    for currency, amount in bought.spent.items():
        say(f"worth {amount:,.2f} {currency} in {number(bought.counted[currency], 'order')}, "
            f"{bought.average[currency]:,.2f} on average")
    if bought.recency is not None:
        say(f"last bought {number(bought.recency, 'day')} ago; segments: {', '.join(found.segments) or 'none'}")
    for channel in found.telling:
        say(f"a refusal is on its way to {channel}: nothing is advertised until it is there")
    table("orders", [
        {"number": order.get("number"), "placed": order.get("placed_at"), "from": order.get("channel"),
         "status": order.get("status"), "total": _money(order.get("total"))} for order in found.orders
    ], False, nothing="no order")
    _more(found)


def _more(found: Profile) -> None:
    from deployments.printing import show as table

    if found.interactions:
        table("contacts", [{name: one.get(name) for name in ("kind", "at", "means", "purpose", "reaction")}
                           for one in found.interactions], False, nothing="")
    if found.values.get("consents"):
        table("consents", [{name: one.get(name) for name in ("purpose", "channel", "means", "state", "at", "source",
                                                             "basis")} for one in found.values["consents"]], False,
              nothing="")
    for account in found.values.get("accounts") or ():
        figure = account.get("points") if account["kind"] == "points" else _money(account.get("balance"))
        say(f"{account['kind']} {account['key']}: {figure} (as its keeper said, {account.get('at') or 'undated'})")
    for row in found.likenesses:
        say(f"{row.state}: {row.one} and {row.other}, {row.because}" + (f", said {row.who}" if row.who else ""))


def _money(found: Any) -> str | None:
    return None if found is None else f"{found['amount']} {found['currency']}"


def _proof(proof: Proof) -> None:
    say(f"erasure {proof.uid} of {number(len(proof.identities), 'account')} at {proof.at:%Y-%m-%d %H:%M:%S} UTC")
    say("removed: " + ", ".join(f"{count} in {place}" for place, count in sorted(proof.removed.items()) if count))
    for line in proof.kept:
        say(f"kept: {line}")
    say("told with the next writes: " + (", ".join(proof.telling) or "no channel receives customers"))
    for line in proof.by_hand:
        say(f"to be erased there by a person: {line}")
    if proof.shared:
        say(f"{number(proof.shared, 'other customer')} gave the same telephone number or address: theirs stays")
    say(f"backups that know the person are gone after {proof.backups_until}")
    if proof.clean:
        say("looked through every table, log and page of Prefect here: nothing is left")
    for place, count in sorted(proof.left.items()):
        say(f"LEFT: {count} in {place}")

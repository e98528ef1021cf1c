"""Verbs about points and gift cards: what copies say, and what their keeper is asked; nothing is computed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.commands import HERE, MISTAKE, Json, Project, plain_number, say

if TYPE_CHECKING:
    from decimal import Decimal

Account = Annotated[str, typer.Argument(help="the number of the card or account at its keeper")]
Points = Annotated[str | None, typer.Option("--points", help="how many points")]
Amount = Annotated[str | None, typer.Option("--amount", help="or an amount of money, such as '500.00 KZT'")]
At = Annotated[str, typer.Option("--at", help="the channel where the sale is, such as pos-kz")]
Receipt = Annotated[str, typer.Option("--receipt", help="its receipt or order: the same one is never counted twice")]


def show(
    customer: Annotated[str, typer.Argument(help="a uid, channel:id, e-mail address, or telephone number with its +")],
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Show what the keeper said a customer's points and credit are: copies, side by side, never added up."""
    from deployments.commands.houses import opened
    from deployments.printing import show as table
    from flows.loyalty import keeper_of
    from flows.profile import profile

    with opened(project) as house:
        keeper = keeper_of(house)
        found = profile(house, customer)
        told = next((one for one in found.accounts if one.channel == keeper), None)
    rows: list[dict[str, Any]] = [
        {"account": one["key"], "kind": one["kind"], "points": one.get("points"), "balance": _money(one.get("balance")),
         "tier": one.get("tier"), "expires": one.get("expires_on"), "kept by": keeper,
         "read at": None if told is None else told.asked_at}
        for one in found.values.get("accounts") or ()
    ]
    table("points and credit", rows, json, nothing=f"{keeper} said of no account of this customer")


def redeem(
    account: Account, at: At, receipt: Receipt, points: Points = None, amount: Amount = None, project: Project = HERE,
    json: Json = False,
) -> None:
    """Ask the keeper to take points or money off an account. Exit code 1 when it is refused, or nobody answers."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.loyalty import redeem as ask

    figure, money = _figures(points, amount)
    with opened(project) as house:
        house.channel(at)
        answer = ask(house, account, channel=at, reference=receipt, points=figure, amount=money)
    if json:
        print_json(answer)
    else:
        say(f"accepted: {answer.number}" if answer.accepted else f"refused: {answer.because}")
    if not answer.accepted:
        raise typer.Exit(MISTAKE)


def earn(
    account: Account, at: At, receipt: Receipt, points: Points = None, amount: Amount = None, project: Project = HERE,
) -> None:
    """Tell the keeper that points or money were earned; it goes out with the next writes."""
    from deployments.commands.houses import opened
    from flows.loyalty import earn as tell

    figure, money = _figures(points, amount)
    with opened(project) as house:
        house.channel(at)
        number = tell(house, account, channel=at, reference=receipt, points=figure, amount=money)
    say(f"on its way: {number}")


def reverse(
    number: Annotated[str, typer.Argument(help="the number of the event, as it was answered")], project: Project = HERE
) -> None:
    """Take an event back; its keeper hears of it with the next writes."""
    from deployments.commands.houses import opened
    from flows.loyalty import reverse as take_back

    with opened(project) as house:
        back = take_back(house, number)
    say(f"on its way: {back}")


def _figures(points: str | None, amount: str | None) -> tuple[Decimal | None, dict[str, str] | None]:
    from decimal import InvalidOperation

    if (points is None) == (amount is None):
        raise typer.BadParameter("say --points N or --amount '500.00 KZT', one of them")
    try:
        if points is not None:
            return plain_number(points), None
        figure, _, currency = str(amount).partition(" ")
        if currency.strip() == "":
            raise typer.BadParameter("an amount names its currency: --amount '500.00 KZT'")
        return None, {"amount": format(plain_number(figure), "f"), "currency": currency.strip().upper()}
    except InvalidOperation:
        raise typer.BadParameter(f"{points or amount!r} is no number") from None


def _money(found: Any) -> str | None:
    return None if found is None else f"{found['amount']} {found['currency']}"

"""The console's pages of reviews: two customers that may be one person, side by side, and a steward's word on them.

What surprises here: both are shown as their accounts say it, not as they were merged; the question carries what the
person saw, and when either changed since, it is asked anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, Response

from deployments.console.asking import Answer, Ask, Moved, Unknown
from flows.matching import CannotBind
from flows.profile import profile
from flows.stewards import decide
from flows.wiring import House
from registry import LikenessRow, moment, records, to_review

Render = Callable[..., Response]
Switch = Callable[[Request, str, Answer, Callable[[], Ask], Callable[[], str]], Response]
Text = Annotated[str, Form(max_length=2_000)]
SHOWN = ("name", "given_name", "family_name", "email", "phone", "number", "born_on", "language")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One field of both; ``same`` says whether they agree."""

    field: str
    one: str
    other: str
    same: bool


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A pair as a steward sees it."""

    row: LikenessRow
    names: tuple[str, str]
    lines: Sequence[Line] = ()

    @property
    def since(self) -> datetime:
        """When it was found."""
        return self.row.at or moment(0)

    @property
    def seen(self) -> str:
        """The same as long as the page would say the same."""
        return hashlib.blake2b(repr((self.row.pair, self.row.state, self.lines)).encode(), digest_size=8).hexdigest()


def add_pages(app: FastAPI, house: House, render: Render, question: Callable[..., Response], switch: Switch) -> None:
    """Adds ``/review``, ``/review/<one>/<other>`` and the two decisions."""

    @app.get("/review")
    def every(request: Request) -> Response:
        return render(request, "reviews.html", pairs=open_pairs(house))

    @app.get("/review/{one}/{other}")
    def pair(request: Request, one: str, other: str) -> Response:
        return render(request, "review.html", pair=_pair(house, one, other))

    @app.get("/review/{one}/{other}/{word}")
    def asks(request: Request, one: str, other: str, word: str) -> Response:
        return question(request, _ask(house, one, other, word))

    @app.post("/review/{one}/{other}/{word}")
    def acts(
        request: Request, one: str, other: str, word: str, seen: Text = "", who: Text = "", because: Text = "",
        given: Annotated[str, Form(alias="token")] = "",
    ) -> Response:
        answer = Answer(who=who.strip()[:80], because=because.strip()[:300])
        return switch(
            request, given, answer, lambda: _ask(house, one, other, word),
            lambda: _act(house, one, other, word, answer, seen),
        )


def open_pairs(house: House) -> list[Pair]:
    """The pairs that wait, the oldest first."""
    with house.registry.read() as tx:
        rows = to_review(tx)
        known = records(tx, {uid for row in rows for uid in (row.one, row.other)})
    return [
        Pair(row=row, names=(_text(known[row.one].values.get("name")), _text(known[row.other].values.get("name"))))
        for row in rows
    ]


def _pair(house: House, one: str, other: str) -> Pair:
    """Raises Unknown when the pair does not wait (any more)."""
    with house.registry.read() as tx:
        row = next((row for row in to_review(tx) if row.pair == tuple(sorted((one, other)))), None)
    if row is None:
        raise Unknown("nobody asks about these two: they were decided, or never alike")
    first, second = profile(house, row.one), profile(house, row.other)
    both = [(name, first.values.get(name), second.values.get(name)) for name in SHOWN]
    lines = [
        Line(field=name.replace("_", " "), one=_text(a), other=_text(b), same=a is not None and a == b)
        for name, a, b in both if a is not None or b is not None
    ]
    lines += [
        Line(field="address", one=_place(first.values), other=_place(second.values),
             same=_place(first.values) == _place(second.values) != "–"),
        Line(field="accounts", one=_accounts(first), other=_accounts(second), same=False),
        Line(field="orders", one=str(first.bought.orders), other=str(second.bought.orders), same=False),
    ]
    return Pair(row=row, names=(_text(first.values.get("name")), _text(second.values.get("name"))), lines=lines)


def _ask(house: House, one: str, other: str, word: str) -> Ask:
    found = _pair(house, one, other)
    effects = {
        "accept": [
            "They are one person from now on: one profile, one record on each channel that receives customers.",
            "Orders and contacts stay with the account that made them; points are not added up.",
            "No channel merges anything. `serai customer split` undoes it.",
        ],
        "separate": [
            "They stay two people, and no rule asks about them again.",
            "`serai customer merge` can still join them.",
        ],
    }
    if word not in effects:
        raise Unknown(f"there is no decision {word!r}; a pair is accepted or separated")
    title = "One person?" if word == "accept" else "Two people?"
    return Ask(
        action=f"/review/{found.row.one}/{found.row.other}/{word}", title=title,
        lead=f"{found.names[0]} and {found.names[1]}: {found.row.because}, score {found.row.score}.",
        effects=effects[word], hidden={"seen": found.seen}, button="One person" if word == "accept" else "Two people",
        red=False,
    )


def _act(house: House, one: str, other: str, word: str, answer: Answer, seen: str) -> str:
    found = _pair(house, one, other)
    if found.seen != seen:
        raise Moved("One of the two changed since you looked. Nothing was decided.")
    try:
        decide(house, one, other, same=word == "accept", who=answer.who, because=answer.because)
    except CannotBind as fault:
        raise Moved(str(fault)) from None
    return f"{found.names[0]} and {found.names[1]} are {'one person' if word == 'accept' else 'two people'}."


def _text(found: Any) -> str:
    return "–" if found is None else str(found)


def _place(values: Any) -> str:
    address = values.get("address") or {}
    return ", ".join(address[name] for name in ("street", "postcode", "city") if address.get(name) is not None) or "–"


def _accounts(found: Any) -> str:
    return ", ".join(f"{one.channel} {one.external_id}" for one in found.accounts)

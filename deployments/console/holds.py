"""The console's pages of holds: what a breaker stopped, what it would move, and a person's word on it.

What surprises here: the question carries the digest of the set that the person saw; another set is asked about anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, Response

from deployments.commands.holding import money
from deployments.console.asking import Answer, Ask, Moved, Unknown
from flows.holds import CannotDecide, Shown, approve, hold_called, open_sets, reject, send_approved
from flows.wiring import House

Render = Callable[..., Response]
Switch = Callable[[Request, str, Answer, Callable[[], Ask], Callable[[], str]], Response]
Text = Annotated[str, Form(max_length=2_000)]
SAMPLE = 50
"""Prices that the page of a hold lists; the command line lists all."""


def add_pages(app: FastAPI, house: House, render: Render, question: Callable[..., Response], switch: Switch) -> None:
    """Adds ``/holds``, ``/holds/<hold>`` and the two decisions."""

    @app.get("/holds")
    def every(request: Request) -> Response:
        return render(request, "holds.html", sets=open_sets(house), money=money)

    @app.get("/holds/{name}")
    def one(request: Request, name: str) -> Response:
        found = _called(house, name)
        return render(request, "hold.html", found=found, money=money, sample=found.moved[:SAMPLE])

    @app.get("/holds/{name}/{word}")
    def asks(request: Request, name: str, word: str) -> Response:
        return question(request, _ask(house, name, word))

    @app.post("/holds/{name}/{word}")
    def acts(
        request: Request, name: str, word: str, seen: Text = "", who: Text = "", because: Text = "",
        given: Annotated[str, Form(alias="token")] = "",
    ) -> Response:
        answer = Answer(who=who.strip()[:80], because=because.strip()[:300])
        return switch(
            request, given, answer, lambda: _ask(house, name, word), lambda: _act(house, name, word, answer, seen)
        )


def _called(house: House, name: str) -> Shown:
    try:
        return hold_called(house, name)
    except CannotDecide as fault:
        raise Unknown(str(fault)) from None


def _ask(house: House, name: str, word: str) -> Ask:
    found = _called(house, name)
    if word not in ("approve", "reject"):
        raise Unknown(f"there is no decision {word!r}; a hold is approved or rejected")
    hold = found.hold
    stake = money(found)
    noun = "write" if found.count == 1 else "writes"
    writes = f"{found.count:,} {noun} of {hold.entity}"
    effects = {
        "approve": [
            f"{writes} go out to {hold.channel} at once, exactly as shown.",
            "A record that changes before it is written is judged anew.",
        ],
        "reject": [
            f"{writes} are dropped; {hold.channel} keeps what it shows.",
            f"They are not written again however often {hold.cause} is read.",
            "A record that changes again is judged anew.",
        ],
    }[word]
    return Ask(
        action=f"/holds/{hold.uid}/{word}",
        title=f"{word.capitalize()} {found.count:,} held {noun} to {hold.channel}?",
        lead="; ".join(hold.because) + (f". At stake: {stake}." if stake else "."),
        effects=effects, hidden={"seen": found.set}, button=f"{word.capitalize()} {found.count:,}",
        red=word == "approve",
    )


def _act(house: House, name: str, word: str, answer: Answer, seen: str) -> str:
    decide: Any = approve if word == "approve" else reject
    try:
        done: Shown = decide(house, name, who=answer.who, because=answer.because, set=seen)
    except CannotDecide as fault:
        raise Moved(str(fault)) from None
    if word == "reject":
        return f"{done.count:,} held writes to {done.hold.channel} are dropped."
    return f"{send_approved(house, done):,} of {done.count:,} held writes went out to {done.hold.channel}."

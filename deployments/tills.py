"""Tills that ask while a person waits, in the receiver's process: ``POST /tills/<channel>/loyalty`` for points,
``/pickup`` to confirm that the goods of an order to be collected are set aside.

What surprises here:

* A till's question is a notice like any other: its channel's connector verifies the signature, and a captured one that
  is sent again has the same receipt and so the same answer.
* Every answer is yes or no. A till that hears none (the line broke) asks again with the same receipt, or says
  ``reverse``: both end with nothing taken that was not given.
* Only channels that `loyalty.tills` in policies/customers.yaml names are answered about points, only those that `pos`
  in policies/stock.yaml names about pickups; to others the address is not there.
* A pickup that was confirmed before is confirmed: the buyer is told once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import anyio.to_thread
import fastapi
import msgspec
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from connectors.base import Connector, Request
from connectors.errors import ConnectorError, Forged
from deployments.telling import kind_and_place
from flows.desk import confirmed
from flows.loyalty import Answer, earn, redeem, reverse
from flows.wiring import House
from mappings.commerce.customers.loyalty import EARN, REDEEM, REVERSE, number

log = logging.getLogger("serai.tills")

LOYALTY, PICKUP = "loyalty", "pickup"
"""What tills ask about."""
MAX_BODY = 16_384
READ_WITHIN = 5.0
"""Seconds a till has for its question."""
MORE = 5.0
"""Seconds beyond the policy's own after which the answer is no, whatever holds it up."""
LONGEST_TEXT = 200

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Unreadable(Exception):
    """The question lacks something; the message says what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tills:
    """What the endpoints need of the house: a till's connector for a question (None: it may not ask that), the answer,
    the seconds it may take, and a request as connectors see it."""

    connector: Callable[[str, str], Connector | None]
    answer: Callable[[str, str, bytes], Answer]
    within: Callable[[], float]
    inbound: Callable[[fastapi.Request, bytes], Request]


def add_tills(app: FastAPI, tills: Tills, read: Callable[[fastapi.Request, int], Any]) -> None:
    """Afterwards the application answers ``POST /tills/{channel}/loyalty`` and ``/pickup``; ``read`` reads a body up to
    a size."""

    @app.post("/tills/{channel}/{about}")
    async def ask(channel: str, about: str, request: fastapi.Request) -> Response:
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await read(request, MAX_BODY)
            async with asyncio.timeout(tills.within() + MORE):
                return await anyio.to_thread.run_sync(answered, channel, about, request, body, abandon_on_cancel=True)
        except TimeoutError:
            return _no(503, "Serai does not answer in time")
        except ClientDisconnect:
            return _no(400, "the question broke off")

    def answered(channel: str, about: str, request: fastapi.Request, body: bytes) -> Response:
        try:
            connector = tills.connector(channel, about)
            if connector is None:
                return Response(status_code=404)
            connector.receive(tills.inbound(request, body))
            answer = tills.answer(channel, about, body)
        except Forged:
            return Response(status_code=401)
        except Unreadable as fault:
            return _no(400, str(fault))
        except ConnectorError as fault:
            log.warning("%s: %s", channel, kind_and_place(fault))
            return _no(422, str(fault))
        except Exception as fault:  # noqa: BLE001  # whatever it was, the till must hear a no
            log.error("%s: no answer could be found (%s)", channel, kind_and_place(fault))
            return _no(503, "Serai cannot answer now")
        said = "accepted" if answer.accepted else "refused"
        log.info("%s: %s %s", channel, answer.number.partition("-")[0], said)
        return JSONResponse({"answer": said, "number": answer.number, "because": answer.because})


def tills_of(house: House, inbound: Callable[[fastapi.Request, bytes], Request]) -> Tills:
    """The tills of an open house."""

    def connector(channel: str, about: str) -> Connector | None:
        loyalty = house.project.customers.loyalty
        asking: Mapping[str, Collection[str]] = {
            LOYALTY: () if loyalty is None else loyalty.tills, PICKUP: house.project.counting.tills,
        }
        known = channel in asking.get(about, ()) and channel in house.project.channels
        return house.connector(channel) if known else None

    def answer(channel: str, about: str, body: bytes) -> Answer:
        if about == PICKUP:
            return confirmed(house, till=channel, **_pickup(body))
        asked = _question(body)
        what: dict[str, Any] = {"channel": channel, "reference": asked["id"], "points": asked["points"],
                                "amount": asked["amount"]}
        if asked["kind"] == REDEEM:
            return redeem(house, asked["account"], **what)
        if asked["kind"] == EARN:
            return Answer(number=earn(house, asked["account"], **what), accepted=True)
        of = asked["number"] or number(REDEEM, asked["account"], channel, asked["id"])
        return Answer(number=reverse(house, of), accepted=True)

    def within() -> float:
        loyalty = house.project.customers.loyalty
        return 0.0 if loyalty is None else loyalty.within

    return Tills(connector=connector, answer=answer, within=within, inbound=inbound)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = _decode(body)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        raise Unreadable("the question is no JSON object")
    return found


def _pickup(body: bytes) -> dict[str, Any]:
    """``{resource: pickup, id, number: ORDER, store: LOCATION, channel?: where it was ordered}``, checked."""
    found = _object(body)
    return {"number": _text(found, "number"), "store": _text(found, "store"), "channel": _text(found, "channel", True)}


def _question(body: bytes) -> dict[str, Any]:
    """``{resource: loyalty, id: RECEIPT, kind, account, points | amount {amount, currency}, number?}``, checked."""
    found = _object(body)
    kind = found.get("kind")
    if kind not in (EARN, REDEEM, REVERSE):
        raise Unreadable(f"kind is {EARN}, {REDEEM} or {REVERSE}")
    asked: dict[str, Any] = {"kind": kind, "points": None, "amount": None, "number": _text(found, "number", True)}
    asked["id"] = _text(found, "id")
    asked["account"] = _text(found, "account", kind == REVERSE and asked["number"] is not None)
    if kind == REVERSE:
        return asked
    amount = found.get("amount")
    if isinstance(amount, dict) and isinstance(amount.get("currency"), str):
        asked["amount"] = {"amount": format(_figure(amount.get("amount")), "f"), "currency": amount["currency"]}
    elif found.get("points") is not None:
        asked["points"] = _figure(found["points"])
    else:
        raise Unreadable("it names neither points nor an amount with its currency")
    return asked


def _text(found: dict[str, Any], name: str, optional: bool = False) -> str | None:
    text = found.get(name)
    if text is None and optional:
        return None
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_TEXT:
        raise Unreadable(f"{name} is a text of 1 to {LONGEST_TEXT} letters")
    return text


def _figure(found: Any) -> Decimal:
    try:
        figure = Decimal(found) if isinstance(found, str | int | Decimal) and not isinstance(found, bool) else None
    except InvalidOperation:
        figure = None
    if figure is None or not figure.is_finite() or not 0 < figure < 10**12:
        raise Unreadable("points and amounts are numbers above zero")
    return figure


def _no(status: int, because: str) -> Response:
    return JSONResponse({"answer": "refused", "number": None, "because": because}, status)

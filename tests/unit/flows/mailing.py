"""A small retailer that writes to its customers: a source of customers and campaigns, and mailers that keep contacts.

What surprises here: the mailers are real programs on loopback that remember what they were told, and in which order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import make_url

from flows.wiring import House, open_house
from registry import open_registry
from tests.retailer import environment, served

DESCRIPTION = """\
auth: {scheme: bearer, token: token}
resources:
  contacts: {path: /contacts, items: contacts, id: id, create: POST /contacts, update: "PUT /contacts/{id}"}
  events: {path: /events, items: events, id: id, create: POST /events, reference: reference, reference_field: reference}
  messages: {path: /messages, items: messages, id: id, create: POST /messages}
  people: {path: /people, items: people, id: id}
  campaigns: {path: /campaigns, items: campaigns, id: id}
"""
MAPPINGS = {
    "contacts": """\
platform: mailer
resource: contacts
outward:
  entity: customer
  fields:
    name: name
    email: email
    consents: {each: consents, fields: {purpose: purpose, means: means, state: state, at: at}}
""",
    "events": """\
platform: mailer
resource: events
outward:
  entity: loyalty_event
  fields: {number: number, kind: kind, account: account, points: points, reverses: reverses}
""",
    "messages": """\
platform: mailer
resource: messages
outward:
  entity: interaction
  fields: {to: {from: customer, ref: customer}, means: means, text: campaign}
""",
    "people": """\
platform: mailer
resource: people
forms: {moment: {zone: UTC}}
inward:
  customer:
    name: name
    email: email
    email_kind: email_kind
    phone: phone
    consents:
      each: consents
      fields: {key: key, purpose: purpose, means: means, state: state, at: {from: at, as: moment}, source: source}
""",
    "campaigns": """\
platform: mailer
resource: campaigns
forms: {moment: {zone: UTC}}
inward:
  interaction:
    customer: {from: to, ref: customer}
    kind: = 'message'
    at: {from: at, as: moment}
    means: means
    direction: = 'out'
    purpose: purpose
    campaign: text
""",
}
ROW = """\
{name}:
  platform: mailer
  company: kz
  url: env:{upper}_URL
  secrets: {{token: env:MAILER_TOKEN}}
  entities: {{customer: on, interaction: on, loyalty_event: on}}
  receives: [{receives}]
"""


@dataclass(kw_only=True)
class Mailer:
    """What a mailer holds: contacts by id; every message goes through ``check`` before it is taken."""

    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    refuse: int = 0
    points: dict[str, int] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    mood: str = ""
    check: Any = None

    def app(self) -> FastAPI:
        """The program."""
        app = FastAPI()

        @app.post("/contacts")
        async def create(request: Request) -> Response:
            return await self._keep(request, f"k{len(self.contacts) + 1}")

        @app.put("/contacts/{id}")
        async def update(request: Request, id: str) -> Response:
            return await self._keep(request, id)

        @app.get("/events")
        def look(reference: str) -> dict[str, Any]:
            return {"events": [event for event in self.events.values() if event["reference"] == reference]}

        @app.post("/events")
        async def event(request: Request) -> Response:
            if self.mood == "down":
                return Response(status_code=503, headers={"retry-after": "1"})
            status, answer = self._book(await request.json())
            if self.mood == "lost":
                return Response(status_code=502)
            return JSONResponse(answer, status_code=status)

        @app.post("/messages")
        async def message(request: Request) -> dict[str, Any]:
            body = await request.json()
            if self.check is not None:
                self.check(self, body)
            self.messages.append(body)
            return {**body, "id": f"m{len(self.messages)}"}

        return app

    def _book(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """A number is booked once; nobody redeems more than there is; a reversal gives back what was booked."""
        if event["number"] in self.events:
            return 200, self.events[event["number"]]
        points = int(event["points"])
        if event["kind"] == "redeem" and self.points.get(event["account"], 0) < points:
            return 422, {"error": "not enough"}
        if event["kind"] == "redeem":
            self.points[event["account"]] -= points
        elif event["kind"] == "reverse" and event["reverses"] in self.events:
            self.points[event["account"]] += points
        self.events[event["number"]] = {**event, "id": f"e{len(self.events) + 1}"}
        return 201, self.events[event["number"]]

    async def _keep(self, request: Request, id: str) -> Response:
        if self.refuse > 0:
            self.refuse -= 1
            return Response(status_code=503, headers={"retry-after": "1"})
        self.contacts[id] = {**(await request.json()), "id": id}
        return Response(content=(b"{\"id\": \"%s\"}" % id.encode()), media_type="application/json")


@contextmanager
def mailing(folder: Path, url: str, policy: str = "") -> Iterator[tuple[House, dict[str, Mailer]]]:
    """The house of the source ``forms`` and the mailers ``mail`` and ``crm``, over a migrated registry."""
    mailers = {"mail": Mailer(), "crm": Mailer()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "companies.yaml").write_text(
        "kz: {name: Karavan, country: KZ, currency: KZT, tax: 0.16, price_list: retail, zone: Asia/Almaty}\n", "utf-8")
    rows = [ROW.format(name=name, upper=name.upper(), receives=receives) for name, receives in (
        ("forms", ""), ("mail", "customer, interaction"), ("crm", "customer, loyalty_event"))]
    (folder / "channels.yaml").write_text("".join(rows), "utf-8")
    (folder / "authority.yaml").write_text("customer: {'*': newest}\ninteraction: {'*': origin}\n", "utf-8")
    for place, text in (("platforms/mailer.yaml", DESCRIPTION), ("policies/customers.yaml", policy),
                        *((f"mappings/mailer/{name}.yaml", text) for name, text in MAPPINGS.items())):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, "utf-8")
    with (
        served(mailers["mail"].app()) as mail, served(mailers["crm"].app()) as crm,
        environment({"FORMS_URL": mail, "MAIL_URL": mail, "CRM_URL": crm, "MAILER_TOKEN": "t"}),
    ):
        house = open_house(folder, registry=open_registry(make_url(url).render_as_string(hide_password=False)))
        try:
            yield house, mailers
        finally:
            house.close()

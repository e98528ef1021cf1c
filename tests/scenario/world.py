"""A small retailer on the real sandbox over real HTTP; time can pass, and a worker can die between any two steps.

What surprises here:

* All that a worker does to the outside passes a `Border` (border.py).
* `pass_time` moves the clock of registry and systems alike, so that leases, claims and waits run out without sleeping.
* Notices arrive at a small receiver with a registry of its own, as they would at another process.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from connectors.base import Request
from connectors.errors import ConnectorError
from deployments.sandbox.people import People, Refusal
from deployments.sandbox.start import Sandbox, start_sandbox
from flows import steps
from flows.ledger import Ledger
from flows.settings import load_project
from flows.wiring import House
from registry import Registry, Tx, consent, outbox_counts, parked, put_channels
from tests.retailer import environment
from tests.scenario.border import Border, Clock, Worker, bordered, timed
from tests.scenario.project import ANYTHING, compiled, write_project

SYSTEMS = ("erp", "crm", "shop", "market", "pos")
SELLING = ("shop", "market")
STORES = ("almaty-1", "almaty-2")
WAREHOUSE = "almaty-wh"
MOVING = ("due", "decided", "sent", "accepted", "unknown")
CALM_ROUNDS = 12
"""More rounds of everything than any chain of consequences has links."""
LONG = 400.0
"""Seconds after which every lease, claim and wait has run out."""


@dataclass(kw_only=True)
class World:
    """The retailer: running systems, the people around them, a registry; workers come and go."""

    seed: int
    folder: Path
    url: str
    sandbox: Sandbox
    clock: Clock
    dice: random.Random
    receiver: ThreadingHTTPServer
    desk: House
    house: Worker
    story: list[str] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)
    placed: dict[str, list[Any]] = field(default_factory=lambda: {"shop": [], "market": [], "pos": []})
    skus: list[str] = field(default_factory=list)

    @property
    def people(self) -> People:
        """Shoppers, cashiers, staff."""
        return People(self.sandbox.url)

    @property
    def registry(self) -> Registry:
        """The registry as somebody sees it who is no worker."""
        return self.desk.registry

    def tell(self, line: str) -> None:
        """One more line of what happened; pytest shows them when the history fails."""
        self.story.append(line)
        print(f"  {line}")

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────

    def worker(self, border: Border | None = None, owner: str | None = None) -> Worker:
        """A worker of its own on the same registry, as another process would be."""
        border = border or Border()
        registry = bordered(self.url, self.clock, border)
        found = Worker(
            project=self.desk.project, registry=registry, mappings=self.desk.mappings, border=border, clock=self.clock
        )
        found.owner = owner or f"worker-{self.dice.getrandbits(40):010x}"
        return found

    def restart(self, border: Border | None = None) -> None:
        """The worker is gone, another one starts where its files are; its leases and claims have run out."""
        self.house.close()
        self.pass_time(LONG)
        self.house = self.worker(border)

    def pass_time(self, seconds: float) -> None:
        """It is later now, for everybody."""
        self.clock.ahead += timedelta(seconds=seconds)

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────

    def step(self, name: str, *where: str, house: Worker | None = None, **how: Any) -> list[Ledger]:
        """One step of the house; what a platform does to it is weather, what it counts must balance."""
        try:
            done = getattr(steps, name)(house or self.house, *where, **how)
        except ConnectorError as fault:
            self.tell(f"{name} {' '.join(where)}: {type(fault).__name__}")
            return []
        found = done if isinstance(done, list) else [done]
        self.ledgers += found
        uneven = [ledger.sentence() for ledger in found if not ledger.balanced]
        assert not uneven, f"P1: ledgers that do not balance: {uneven}"
        return found

    def hear(self) -> None:
        """Every notice under way has arrived and is acted on."""
        for system in SYSTEMS:
            self.people.notices_sent(system, 20)
        self.step("take_notices")

    def sync(self, **how: Any) -> list[Ledger]:
        """Everything once, in one process."""
        for system in SYSTEMS:
            self.people.notices_sent(system, 20)
        return self.step("sync_all", **how)

    def moving(self) -> dict[str, int]:
        """What is still on its way outward, or waits in the inbox."""
        with self.registry.read() as tx:
            found = {f"{c} {e} {s}": n for (c, e, s), n in outbox_counts(tx).items() if s in MOVING}
        return found | {f"notices of {channel}": n for channel, n in self.registry.inbox.depth().items()}

    def drain(self) -> None:
        """Notices and what follows from them, as the drain does it, until nothing moves.

        Of the timetable only the ERP's stock is read: it sets free what is reserved for goods that were sent.
        """
        for _ in range(CALM_ROUNDS):
            self.hear()
            self.step("pull", "erp-kz", "stock")
            self.step("push_all")
            for system in SYSTEMS:
                self.people.notices_sent(system, 20)
            if not self.moving():
                return
            self.pass_time(LONG)
        raise AssertionError(f"P4: no quiet after {CALM_ROUNDS} rounds: {self.moving()}")

    def until_quiet(self) -> None:
        """Rounds of everything until nothing moves; fails when it never does."""
        for _ in range(CALM_ROUNDS):
            self.sync()
            for system in SYSTEMS:
                self.people.notices_sent(system, 20)
            if not self.moving():
                return
            self.pass_time(LONG)
        raise AssertionError(f"P4: no quiet after {CALM_ROUNDS} rounds: {self.moving()}")

    def settle_down(self) -> None:
        """Calm weather, time for everything to run out, rounds until quiet, a complete comparison, and quiet again."""
        for system in SYSTEMS:
            self.people.calm(system)
            self.people.notices_sent(system, 20)
        self.pass_time(LONG)
        self.until_quiet()
        for channel in self.house.project.channels:
            for resource in steps.resources_of(self.house, channel):
                self.step("reconcile", channel, resource)
        self.until_quiet()

    def full_round(self) -> None:
        """Everything read from page one and compared, and all that is due sent."""
        for channel in self.house.project.channels:
            for resource in steps.resources_of(self.house, channel):
                self.step("reconcile", channel, resource)
        self.sync()

    # ── books ────────────────────────────────────────────────────────────────────────────────────────────────────

    def books(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """The systems' journals."""
        return {name: list(self.sandbox.systems[name].books.after(0)) for name in SYSTEMS}

    def marks(self) -> dict[str, int]:
        """How many entries each journal has now."""
        return {name: len(self.sandbox.systems[name].books.after(0)) for name in SYSTEMS}

    def writes(self, since: Mapping[str, int], *systems: str) -> list[str]:
        """What programs wrote since then, as ``shop PATCH-less lines``: system, resource, op, id, status."""
        return [
            f"{name} {entry['resource']} {entry['op']} {entry['id']} {entry['status']}"
            for name in systems or SYSTEMS for entry in self.sandbox.systems[name].books.after(since[name])
            if entry["kind"] == "write"
        ]

    def parked(self) -> list[str]:
        """What waits for a person, as sentences."""
        with self.registry.read() as tx:
            return [f"{row.channel} {row.entity} {row.direction} {row.kind}: {row.message}" for row in parked(tx)]

    # ── goods ────────────────────────────────────────────────────────────────────────────────────────────────────

    def goods(self, sku: str, *, on_hand: int = 10, price: str = "1990.00", listed: bool = True) -> str:
        """An article in the ERP, and on the marketplace, whose listings people make; ``listed``: in the shop too."""
        people, product = self.people, f"P-{sku}"
        name = f"Чайник {sku}"
        people.add("erp", "products", {"code": product, "title": name, "brand": "Karavan", "group": "Чайники",
                                       "images": [], "state": "A"})
        people.add("erp", "items", {"code": sku, "product": product, "name": name, "uom": "PCE", "vat": "S",
                                    "state": "A"})
        people.add("erp", "prices", {"item": sku, "list": "retail", "amount": price, "currency": "KZT",
                                     "vat_included": True})
        people.receive_goods(sku, WAREHOUSE, on_hand)
        for store in STORES:
            people.receive_goods(sku, store, 5)
        people.add("market", "offers", {"sellerSku": sku, "title": name, "state": "ON_SALE"})
        if listed:
            page = people.add("shop", "products", {"handle": product, "title": name, "bodyHtml": "", "vendor": "",
                                                   "productType": "", "images": [], "published": True})
            people.add("shop", "variants", {"productId": page["id"], "sku": sku, "barcode": "", "title": name,
                                            "options": {}, "active": True})
        self.skus.append(sku)
        return sku

    def shop_id(self, sku: str) -> str:
        """The shop's own id of a variant."""
        return next(doc["id"] for doc in self.sandbox.systems["shop"].docs("variants") if doc["sku"] == sku)

    def shown(self, system: str, sku: str) -> int:
        """What a channel shows of an article."""
        if system == "shop":
            doc = self.sandbox.systems["shop"].find("inventory", self.shop_id(sku))
            return 0 if doc is None else int(doc["available"])
        doc = self.sandbox.systems["market"].find("stocks", sku)
        return 0 if doc is None else int(doc["available"])

    def buy(self, system: str, lines: Mapping[str, int], who: int = 0) -> Any:
        """Somebody buys in a channel; None: it showed too little."""
        name, phone = f"Buyer{who} Kim", f"+770112345{who:02d}"
        try:
            if system == "shop":
                got = self.people.buy_in_shop(lines, email=f"buyer{who}@example.kz", name=name, phone=phone)
            elif system == "market":
                got = self.people.buy_on_market(lines, name=name, phone=phone, email=f"buyer{who}@example.kz")
            else:
                got = self.people.sell_at_till(self.dice.choice(STORES), lines, phone=phone)
        except Refusal as refused:
            self.tell(f"{system} turns down {dict(lines)}: {refused.code}")
            return None
        self.placed[system].append(got)
        self.tell(f"{system} sells {dict(lines)}: {got.number}")
        return got

    def go_live(self) -> None:
        """A person consents to creating, everything is read and sent until quiet; the systems send notices."""
        def work(tx: Tx) -> None:
            for channel in self.desk.project.channels.values():
                for entity in channel.receives:
                    consent(tx, channel.name, entity, "Aigerim")

        self.registry.attempt(work)
        self.listen()
        self.until_quiet()

    def listen(self) -> None:
        """The systems send notices to this world's receiver."""
        address = f"http://127.0.0.1:{self.receiver.server_address[1]}"
        for channel in self.desk.project.channels:
            self.desk.connector(channel).subscribe(f"{address}/{channel}")


class _Receiver(BaseHTTPRequestHandler):
    """Verifies a delivery by its channel's connector, stores it, acknowledges: what deployments/receiver.py does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        desk: House = self.server.desk  # type: ignore[attr-defined]  # set before it serves
        body = self.rfile.read(int(self.headers["Content-Length"]))
        channel = self.path.strip("/")
        request = Request(
            method="POST", url=self.path, query={}, headers={k.lower(): v for k, v in self.headers.items()}, body=body,
            at=datetime.now(UTC),
        )
        notices = desk.connector(channel).receive(request).notices
        desk.registry.inbox.put([(channel, n.delivery, n.resource, n.id, n.at, None) for n in notices])
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """The books are the log."""


@contextmanager
def world(
    folder: Path, url: str, seed: int, *, lossy: bool = False, abroad: bool = False, breakers: bool = False
) -> Iterator[World]:
    """A retailer on empty systems and the migrated registry at ``url``; afterwards nothing listens.

    ``abroad``: with the second company. ``breakers``: as sensitive as usual; else they take every price that the dice
    throw, so that what is asked is whether systems agree.
    """
    print(f"seed {seed}{', lossy channels' if lossy else ''}")
    clock = Clock()
    sandbox = start_sandbox(filled=False, seed=seed, wall=clock.now)
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    receiver.daemon_threads = True
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    try:
        with environment(sandbox.environment()):
            files = write_project(folder / "project", lossy=lossy, abroad=abroad)
            if not breakers and not abroad:
                (files / "policies" / "breaker.yaml").write_text(ANYTHING, encoding="utf-8")
            project = load_project(files)
            desk = House(project=project, registry=timed(url, clock), mappings=compiled(lossy), owner="desk")
            desk.registry.attempt(lambda tx: put_channels(tx, [
                (row.name, row.platform, row.company.id, dict(row.entities)) for row in project.channels.values()
            ]))
            receiver.desk = desk  # type: ignore[attr-defined]  # the handler's way to the inbox
            thread.start()
            found = World(
                seed=seed, folder=folder, url=url, sandbox=sandbox, clock=clock, dice=random.Random(seed),
                receiver=receiver, desk=desk, house=None,  # type: ignore[arg-type]  # set on the next line
            )
            found.house = found.worker()
            try:
                yield found
            except BaseException as failure:
                failure.add_note(f"seed {seed}")
                raise
            finally:
                found.house.close()
                desk.close()
    finally:
        sandbox.stop()
        if thread.is_alive():
            receiver.shutdown()
            thread.join(5)
        receiver.server_close()

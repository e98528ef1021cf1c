"""What happens in a history, drawn from a seed: acts of people, ill tempers of systems, steps of Serai, in any order.

What surprises here: an act that a person cannot do just then (nothing to ship, sold out) is told and passes; the seed
decides what is tried, the state of the world what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from deployments.sandbox.people import Refusal
from flows import steps
from tests.scenario.border import Border, Crash
from tests.scenario.world import SELLING, SYSTEMS, WAREHOUSE, World

NATIVE = {"shop": "id", "market": "orderId"}
READ = {
    "erp": ("/products", "/items", "/stock", "/prices", "/orders", "/shipments", "/customers"),
    "crm": ("/contacts",), "shop": ("/variants", "/orders", "/inventory", "/prices", "/fulfilments"),
    "market": ("/offers", "/stocks", "/prices", "/orders"), "pos": ("/articles", "/receipts"),
}
WRITTEN = {
    "erp": ("/orders", "/customers"), "crm": ("/contacts", "/deals"),
    "shop": ("/products", "/variants", "/inventory", "/prices", "/fulfilments"),
    "market": ("/stocks", "/prices", "/shipments"), "pos": ("/articles", "/prices"),
}


@dataclass(kw_only=True)
class History:
    """One history over a world that is live."""

    world: World
    tampered: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    phones: dict[str, list[str]] = field(default_factory=dict)
    made: int = 0

    def play(self, moves: int, *, kills: bool = True) -> None:
        """So many moves: most are steps, then acts, tempers, and with ``kills`` the death of the worker."""
        dice = self.world.dice
        for _ in range(moves):
            kind = dice.choices(("act", "temper", "step", "kill", "time"), (8, 4, 10, 1 if kills else 0, 2))[0]
            try:
                getattr(self, kind)()
            except Crash as death:
                self.world.tell(f"the worker died before: {death}")
                self.world.restart()

    def act(self) -> None:
        """Somebody does something."""
        act = self.world.dice.choices([act for act, _ in ACTS], [often for _, often in ACTS])[0]
        try:
            act(self)
        except Refusal as refused:
            self.world.tell(f"{act.__name__}: {refused}")

    def temper(self) -> None:
        """A system falls into an ill temper."""
        dice = self.world.dice
        system = dice.choice(SYSTEMS)
        kind = dice.choice(("throttle", "fail", "fail_after", "lose_answer", "garbage", "omit_page", "backdate", "drop",
                            "duplicate", "reorder"))
        how: dict[str, object] = {"next": dice.randint(1, 3)}
        match kind:
            case "throttle":
                how |= {"seconds": 1}
            case "fail" | "garbage":
                how |= {"on": dice.choice(("GET", "POST", "POST", ""))}
            case "fail_after" | "lose_answer":
                how |= {"on": "POST " + dice.choice(WRITTEN[system]), "next": 1}
            case "omit_page":
                how |= {"on": dice.choice(READ[system]), "page": 1}
            case "backdate":
                how |= {"on": dice.choice(READ[system]), "seconds": dice.choice((2, 4, 60))}
        self.world.people.temper(system, kind, **how)
        self.world.tell(f"{system}: {kind} {how}")

    def step(self) -> None:
        """Serai does one thing."""
        world = self.world
        dice, house = world.dice, world.house
        channel = dice.choice(list(house.project.channels))
        name = dice.choices(("pull", "take_notices", "push", "settle", "reconcile", "replay", "sync_all"),
                            (8, 6, 8, 2, 1, 1, 1))[0]
        match name:
            case "pull" | "reconcile":
                where = (channel, dice.choice(steps.resources_of(house, channel)))
            case "push" | "settle":
                where = (channel, dice.choice(house.channel(channel).receives))
            case _:
                where = ()
        if name == "take_notices":
            for system in SYSTEMS:
                world.people.notices_sent(system, 20)
        done = world.step(name, *where)
        said = "; ".join(ledger.sentence() for ledger in done if ledger.read)
        world.tell(said or f"{name} {' '.join(where)}: nothing")

    def kill(self) -> None:
        """The worker will die a little later."""
        border: Border = self.world.house.border
        border.at = border.count + self.world.dice.randint(1, 60)
        self.world.tell(f"the worker dies {border.at - border.count} steps from now")

    def time(self) -> None:
        """It is later."""
        seconds = self.world.dice.choice((0.5, 2.0, 20.0, 400.0))
        self.world.pass_time(seconds)
        self.world.tell(f"{seconds} s pass")

    def mend(self) -> None:
        """What people typed in by hand is entered into the ERP; what waited for it is taken up again."""
        self.world.people.calm("erp")
        for sku in sorted(self.unlisted):
            people = self.world.people
            people.add("erp", "products", {"code": f"P-{sku}", "title": sku, "state": "A"})
            people.add("erp", "items", {"code": sku, "product": f"P-{sku}", "name": sku, "uom": "PCE", "vat": "S",
                                        "state": "A"})
            people.add("erp", "prices", {"item": sku, "list": "retail", "amount": "990.00", "currency": "KZT",
                                         "vat_included": True})
            people.receive_goods(sku, WAREHOUSE, 9)
            self.world.tell(f"{sku} is entered into the ERP")
        if self.unlisted:
            self.tampered |= self.unlisted
            self.unlisted.clear()
            self.world.settle_down()
            self.world.step("replay")
            self.world.until_quiet()

    # ── acts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _sku(self) -> str:
        return self.world.dice.choice(self.world.skus)

    def _buy(self) -> None:
        dice, lines = self.world.dice, {self._sku(): self.world.dice.randint(1, 2)}
        if dice.random() < 0.3:
            lines[self._sku()] = 1
        self.world.buy(dice.choice(SELLING), lines, dice.randrange(3))

    def _sell_at_till(self) -> None:
        self.world.buy("pos", {self._sku(): self.world.dice.randint(1, 3)}, self.world.dice.randrange(3))

    def _cancel(self) -> None:
        system = self.world.dice.choice(SELLING)
        if self.world.placed[system]:
            order = self.world.dice.choice(self.world.placed[system])
            getattr(self.world.people, f"cancel_{'in' if system == 'shop' else 'on'}_{system}")(order.id)
            self.world.tell(f"{order.number} is cancelled by its buyer")

    def _cancel_sale(self) -> None:
        open_ = [doc["number"] for doc in self.world.sandbox.systems["erp"].docs("orders")
                 if doc["state"] in ("draft", "confirmed")]
        if open_:
            number = self.world.dice.choice(open_)
            self.world.people.cancel_sale(number)
            self.world.tell(f"the ERP's staff cancel {number}")

    def _ship(self) -> None:
        open_ = [doc["number"] for doc in self.world.sandbox.systems["erp"].docs("orders")
                 if doc["state"] in ("draft", "confirmed") and not doc["handed_over"]]
        if open_:
            sent = self.world.people.ship(order=self.world.dice.choice(open_))
            self.world.tell(f"the warehouse sends {sent.number} as {sent.tracking}")

    def _deliver(self) -> None:
        going = [doc["number"] for doc in self.world.sandbox.systems["erp"].docs("shipments") if doc["state"] == "sent"]
        if going:
            number = self.world.dice.choice(going)
            self.world.people.deliver(number)
            self.world.tell(f"{number} is delivered")

    def _reprice(self) -> None:
        sku, amount = self._sku(), Decimal(self.world.dice.randint(100, 999_99)) / 100
        self.world.people.set_price(sku, amount)
        self.world.tell(f"the ERP asks {amount} for {sku}")

    def _rename(self) -> None:
        self.made += 1
        sku, name = self._sku(), f"Чайник № {self.made}"
        self.world.people.rename_item(sku, name)
        self.world.tell(f"the ERP calls {sku} {name}")

    def _receive(self) -> None:
        sku, n = self._sku(), self.world.dice.randint(1, 5)
        self.world.people.receive_goods(sku, WAREHOUSE, n)
        self.world.tell(f"{n} of {sku} come in")

    def _lose(self) -> None:
        sku = self._sku()
        doc = self.world.sandbox.systems["erp"].get("stock", f"{sku}@{WAREHOUSE}")
        n = self.world.dice.randint(0, max(0, int(Decimal(doc["on_hand"]))))
        self.world.people.count_stock(sku, WAREHOUSE, n)
        self.tampered.add(sku)
        self.world.tell(f"only {n} of {sku} are counted")

    def _archive(self) -> None:
        sku, state = self._sku(), self.world.dice.choice("XA")
        self.world.people.edit("erp", "items", sku, {"state": state})
        self.world.tell(f"{sku} is {'archived' if state == 'X' else 'active'} in the ERP")

    def _by_hand(self) -> None:
        """Somebody edits a channel in what only the ERP decides."""
        world, sku = self.world, self._sku()
        dice = world.dice
        self.made += 1
        which = dice.choice(("title", "price", "market price", "label", "figure"))
        match which:
            case "title":
                world.people.edit("shop", "variants", world.shop_id(sku), {"title": f"Самовар {self.made}"})
            case "price":
                world.people.edit("shop", "prices", world.shop_id(sku), {"amountMinor": 100 * self.made})
            case "market price":
                price = {"amount": f"{self.made}.00", "currency": "KZT"}
                world.people.edit("market", "prices", sku, {"price": price})
            case "label":
                world.people.edit("pos", "articles", sku, {"label": f"Самовар {self.made}"})
            case "figure":
                world.people.edit("shop", "inventory", world.shop_id(sku), {"available": dice.randint(0, 12)})
                self.tampered.add(sku)
        world.tell(f"by hand: {which} of {sku}")

    def _phone(self) -> None:
        """A customer's number changes somewhere."""
        world = self.world
        system, name = world.dice.choice((("shop", "customers"), ("crm", "contacts"), ("erp", "customers")))
        docs = list(world.sandbox.systems[system].docs(name))
        if docs:
            self.made += 1
            doc, phone = world.dice.choice(docs), f"+7701555{self.made:04d}"
            if system == "erp":
                world.people.edit("erp", "customers", doc["code"], {"phone": phone})
            else:
                world.people.edit_phone(system, doc["id"], phone)
            world.tell(f"{system}: a customer's number is {phone} now")

    def _list_by_hand(self) -> None:
        """Somebody types in a listing that the ERP does not know, and somebody buys it."""
        self.made += 1
        sku = f"GHOST-{self.made}"
        self.world.people.list_by_hand(sku, sku, "990.00", 2)
        self.unlisted.add(sku)
        self.world.tell(f"{sku} is listed by hand")
        if self.world.dice.random() < 0.7:
            self.world.buy("market", {sku: 1}, self.world.dice.randrange(3))


ACTS: list[tuple[Callable[[History], None], int]] = [
    (History._buy, 12), (History._sell_at_till, 3), (History._cancel, 1), (History._cancel_sale, 1), (History._ship, 5),
    (History._deliver, 2), (History._reprice, 4), (History._rename, 2), (History._receive, 3), (History._lose, 1),
    (History._archive, 1), (History._by_hand, 4), (History._phone, 3), (History._list_by_hand, 1),
]

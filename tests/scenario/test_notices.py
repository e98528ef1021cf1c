"""What notices announce, whenever they come, however often, in whatever order: known without a read of all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings, strategies as st

from flows import steps
from tests.databases import fresh_sqlite
from tests.scenario.border import Worker
from tests.scenario.world import LONG, World, world
from tests.unit.flows.retail import live, records, uid_of

EXAMPLES = int(os.environ.get("SERAI_TEST_NOTICES", "12"))
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for the file; every example brings a buyer of its own. Notices come when the test says so."""
    folder = tmp_path_factory.mktemp("notices")
    with fresh_sqlite(folder) as url, world(folder, url, 7) as found:
        live(found, "shop-kz", "erp-kz", "crm-kz")
        yield found


@dataclass(kw_only=True, repr=False)
class Played:
    """A history of one contact of the CRM, which says where the buyer lives while the ERP says how to call them."""

    world: World
    other: Worker
    contact: str
    code: str
    uid: str
    under_way: int = 0
    street: str = ""
    phone: str = ""
    asking: bool = False
    rest: list[str] = field(default_factory=list)

    def play(self, acts: Sequence[str]) -> None:
        """One act after another; some happen while an answer to the worker is on its way."""
        self.rest = list(acts)
        while self.rest:
            self.act(self.rest.pop(0))

    def act(self, name: str) -> None:
        """What the name says: something that happens, or a step of the worker."""
        if name in STEPS:
            self.work(*STEPS[name])
        else:
            HAPPENS[name](self)

    def moves(self) -> None:
        """Somebody notes a new street in the CRM, and a notice is under way."""
        self.street = f"улица Толе би, дом {next(NUMBERS)}"
        self.world.people.edit("crm", "contacts", self.contact, {"properties": {"street": self.street}})
        self.under_way += 1

    def new_number(self) -> None:
        """The ERP says another number, which is due on the CRM."""
        self.phone = f"+770111{next(NUMBERS):05d}"
        self.world.people.edit("erp", "customers", self.code, {"phone": self.phone})
        self.world.step("pull", "erp-kz", "customers", house=self.other)

    def notice(self) -> None:
        """A notice arrives, some time after what it tells of."""
        if self.under_way:
            self.under_way -= 1
            self.again()

    def again(self) -> None:
        """A notice arrives that says in the same words what another said: all within a second say the same."""
        inbox, now = self.world.registry.inbox, self.world.house.registry.now()
        inbox.put([("crm-kz", f"contact/{self.contact}", "contacts", self.contact, now, None)])

    def work(self, *step: str) -> None:
        """A step of the worker; while its first answer is on its way, the next two acts happen."""
        if self.asking:
            self.world.step(*step, house=self.other)
            return
        self.asking, meanwhile = True, self.rest[:2]

        def answered(what: str) -> None:
            self.world.house.border.answered = lambda what: None
            del self.rest[:2]
            for name in meanwhile:
                self.act(name)

        self.world.house.border.answered = answered
        self.world.step(*step)
        self.world.house.border.answered = lambda what: None
        self.asking = False

    def heard(self) -> None:
        """Every notice has arrived and was acted on; nobody reads anything else."""
        while self.under_way:
            self.notice()
        for _ in range(4):
            self.world.step("take_notices")
            if self.world.registry.inbox.waiting() == 0:
                return
            self.world.pass_time(LONG)
        raise AssertionError("notices are left that nobody acts on")

    def known(self) -> Any:
        """Where the buyer lives, as Serai knows it."""
        held = next(record for record in records(self.world.house, "customer").values() if record.uid == self.uid)
        return held.values["address"]["street"]


    def held(self) -> Any:
        """Where the buyer lives, as the CRM says."""
        return self.world.sandbox.systems["crm"].get("contacts", self.contact)["properties"]["street"]


def buyer(found: World) -> Played:
    """A buyer of the shop whom ERP and CRM know."""
    n = next(NUMBERS)
    street = f"проспект Абая {n}"
    doc = found.people.add("shop", "customers", {
        "email": f"noticed{n}@example.kz", "firstName": "Дина", "lastName": f"Ким{n}", "phone": f"+770100{n:05d}",
        "locale": "ru-KZ", "defaultAddress": {"name": "Дина Ким", "address1": street, "city": "Алматы",
                                              "zip": "050000", "countryCode": "KZ", "phone": "+77010000000"},
    })  # fmt: skip
    steps.pull(found.house, "shop-kz", "customers")
    for channel in ("erp-kz", "crm-kz"):
        found.step("push", channel, "customer")
    (held,) = [doc for doc in found.sandbox.systems["erp"].docs("customers") if doc["email"].startswith(f"noticed{n}@")]
    (contact,) = [doc for doc in found.sandbox.systems["crm"].docs("contacts")
                  if doc["properties"]["email"].startswith(f"noticed{n}@")]
    return Played(world=found, other=found.worker(), contact=contact["id"], code=held["code"], street=street,
                  uid=uid_of(found.house, "shop-kz", "customer", doc["id"]))


STEPS = {"take": ("take_notices",), "read": ("pull", "crm-kz", "contacts"), "write": ("push", "crm-kz", "customer")}
HAPPENS: Mapping[str, Callable[[Played], None]] = {
    "moves": Played.moves, "new number": Played.new_number, "notice": Played.notice, "again": Played.again,
}
ACTS = ("moves", "moves", "notice", "notice", "again", "take", "take", "read", "new number", "write")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
          derandomize=True, phases=[Phase.explicit, Phase.generate])  # fmt: skip
@given(st.lists(st.sampled_from(ACTS), min_size=4, max_size=10))
@example(["moves", "notice", "take", "moves", "notice"])     # the second change comes behind the first one's fetch
def test_what_a_notice_announced_is_known_once_it_was_acted_on(shops: World, acts: list[str]) -> None:
    """P1, P5: late, twice or in the words of another, while the same contact is read, fetched or written.

    A write is of the whole contact, so it may take back a street that nobody had read yet.
    """
    played = buyer(shops)
    played.play(acts)
    played.heard()
    played.other.close()
    assert played.known() == played.held(), acts
    assert played.held() == played.street or "write" in acts


def test_a_document_that_a_write_overtook_while_it_was_fetched_is_fetched_once_more(shops: World) -> None:
    """P5: the points of a card are the CRM's alone; the write of a new number that lands just then hides none."""
    played = buyer(shops)
    played.new_number()
    shops.people.edit("crm", "contacts", played.contact, {"cards": [{"number": "K-1", "points": "60.00"}]})
    played.again()
    played.rest = ["write"]
    played.work("take_notices")
    played.heard()
    played.other.close()
    held = next(record for record in records(shops.house, "customer").values() if record.uid == played.uid)
    assert held.values["phone"] == played.phone
    assert [(card["key"], card["points"]) for card in held.values["accounts"]] == [("K-1", "60.00")]

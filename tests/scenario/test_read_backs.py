"""A CRM that answers no write with a document and cuts what it is told: its word is never taken for a person's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from flows import steps
from tests.databases import fresh_sqlite
from tests.scenario.project import STREET
from tests.scenario.world import LONG, World, world
from tests.unit.flows.retail import live, records, uid_of

READ = {"shop-kz": "customers", "erp-kz": "customers", "crm-kz": "contacts"}
WRITTEN = ("erp-kz", "crm-kz")
ROUNDS = 6
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for the file; every example brings a buyer of its own."""
    folder = tmp_path_factory.mktemp("read-backs")
    with fresh_sqlite(folder) as url, world(folder, url, 7, lossy=True) as found:
        live(found, *READ)
        yield found


def buyer(found: World, street: str) -> str:
    """A new buyer of the shop, as the registry knows them."""
    n = next(NUMBERS)
    doc = found.people.add("shop", "customers", {
        "email": f"reader{n}@example.kz", "firstName": "Дина", "lastName": f"Ким{n}", "phone": f"+770100{n:05d}",
        "locale": "ru-KZ", "defaultAddress": address(street),
    })  # fmt: skip
    steps.pull(found.house, "shop-kz", "customers")
    return str(doc["id"])


def address(street: str) -> dict[str, Any]:
    return {"name": "Дина Ким", "address1": street, "city": "Алматы", "zip": "050000", "countryCode": "KZ",
            "phone": "+77010000000"}


def quiet(found: World, *, full: bool = False) -> None:
    """Buyers are read and written until nothing of them moves."""
    for _ in range(ROUNDS):
        for channel, resource in READ.items():
            found.step("pull", channel, resource, full=full)
        for channel in WRITTEN:
            found.step("settle", channel, "customer")
            found.step("push", channel, "customer")
        if not [what for what in found.moving() if "customer" in what]:
            return
        found.pass_time(LONG)
    raise AssertionError(f"no quiet after {ROUNDS} rounds: {found.moving()}")


def street_of(found: World, uid: str) -> str:
    """What Serai holds to be the buyer's street."""
    held = next(record for record in records(found.house, "customer").values() if record.uid == uid)
    return str(held.values["address"]["street"])


def test_what_a_channel_cut_of_a_new_buyer_is_not_its_news(shops: World) -> None:
    """P3, P4: the shop's buyer is created in the CRM, which says less of them: nobody learns it."""
    street = f"проспект Абая 10, квартира {next(NUMBERS)}"
    uid = uid_of(shops.house, "shop-kz", "customer", buyer(shops, street))
    quiet(shops)
    began = shops.marks()
    assert street_of(shops, uid) == street
    (held,) = [doc for doc in shops.sandbox.systems["erp"].docs("customers") if doc["address"]["line"] == street]
    (cut,) = [doc for doc in shops.sandbox.systems["crm"].docs("contacts")
              if doc["properties"]["email"] == held["email"]]
    assert cut["properties"]["street"] == street[:STREET]
    quiet(shops, full=True)
    assert shops.writes(began) == []


def written(found: World) -> None:
    """What is due goes out, whatever becomes of it."""
    for channel in WRITTEN:
        found.step("push", channel, "customer")


def read(found: World) -> None:
    """What changed in the CRM is read."""
    found.step("pull", "crm-kz", "contacts")


def unanswered(found: World) -> None:
    """The next write to the CRM gets no answer, though it arrives."""
    found.people.temper("crm", "fail_after", on="PATCH /contacts", next=1)
    found.people.temper("crm", "fail_after", on="POST /contacts", next=1)


def settled(found: World) -> None:
    """Some time passes, and what became of writes without an answer is asked for."""
    found.pass_time(LONG)
    found.step("settle", "crm-kz", "customer")


DO = {"write": written, "read": read, "unanswered": unanswered, "settle": settled}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
          derandomize=True, phases=[Phase.generate])  # fmt: skip
@given(st.lists(st.sampled_from([*DO, "shop moves", "erp moves"]), min_size=3, max_size=9), st.booleans())
def test_no_order_of_writes_and_read_backs_is_news_and_a_person_s_edit_is(
    shops: World, acts: list[str], in_the_crm: bool,
) -> None:
    """P3, P4: whatever a channel made of our words, read whenever, the street is what a person said last; and what a
    person says in that channel once our words were read back is known to all."""
    street = f"улица Толе би, дом {next(NUMBERS)}"
    id = buyer(shops, street)
    uid = uid_of(shops.house, "shop-kz", "customer", id)
    for act in acts:
        if act == "shop moves":
            street = f"проспект Достык, дом {next(NUMBERS)}"
            shops.people.edit("shop", "customers", id, {"defaultAddress": address(street)})
            shops.step("pull", "shop-kz", "customers")
        elif act == "erp moves":
            doc = in_erp(shops, id)
            if doc is not None:
                street = f"микрорайон Самал, дом {next(NUMBERS)}"
                shops.step("pull", "erp-kz", "customers")
                shops.people.edit("erp", "customers", doc["code"], {"address": {**doc["address"], "line": street}})
                shops.step("pull", "erp-kz", "customers")
        else:
            DO[act](shops)
        assert street_of(shops, uid) == street, acts
    shops.people.calm("crm")
    shops.pass_time(LONG)
    quiet(shops)
    assert street_of(shops, uid) == street, acts
    doc = in_erp(shops, id)
    assert doc is not None
    assert doc["address"]["line"] == street
    if in_the_crm:
        (contact,) = [one for one in shops.sandbox.systems["crm"].docs("contacts")
                      if one["properties"]["email"] == doc["email"]]
        assert contact["properties"]["street"] == street[:STREET]
        read(shops)
        shops.people.edit("crm", "contacts", contact["id"], {"properties": {"street": "ул. Новая 5"}})
        quiet(shops)
        assert street_of(shops, uid) == "ул. Новая 5", acts


def in_erp(found: World, id: str) -> dict[str, Any] | None:
    """The buyer as the ERP knows them."""
    email = found.sandbox.systems["shop"].get("customers", id)["email"]
    return next((dict(doc) for doc in found.sandbox.systems["erp"].docs("customers") if doc["email"] == email), None)

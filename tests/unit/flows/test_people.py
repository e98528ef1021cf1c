"""Who is one person: joined by rules, by a steward, taken apart again without a trace; one account is never two."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from flows import steps, stewards
from flows.matching import CannotBind
from mappings.commerce.customers.matching import MatchPolicy, Rule
from mappings.commerce.customers.survivorship import Group
from registry import bindings_of, candidates, decode, likenesses, linked, members, records_where, to_review
from registry.tables import record
from tests.scenario.world import World
from tests.unit.flows.retail import ASKED, again, allow, binding, items, later, live, mode, records, take, written

STRICT = MatchPolicy(
    merge=Decimal("0.9"), review=Decimal("0.6"), relays=("*@relay.example",), shared=frozenset({"+77272000000"}),
    rules=(
        Rule(score=Decimal(1), same=("email",)), Rule(score=Decimal("0.95"), same=("phone", "name")),
        Rule(score=Decimal("0.7"), same=("phone",)),
    ),
)  # fmt: skip


def shop(id: str, email: str, name: str = "Kim Li", **more: Any) -> dict[str, Any]:
    given, _, family = name.partition(" ")
    return {"id": id, "email": email, "firstName": given, "lastName": family, "phone": None, "locale": None,
            "defaultAddress": None, "createdAt": "2026-03-01T09:00:00Z", "updatedAt": "2026-03-01T09:00:00Z", **more}


def erp(code: str, email: str | None, name: str = "Kim Li", **more: Any) -> dict[str, Any]:
    return {"code": code, "reference": None, "name": name, "first_name": None, "last_name": None, "email": email,
            "phone": None, "lang": None, "address": None, "blocked": False, "created_at": "2026-03-01T14:00:00+05:00",
            "changed_at": "2026-03-01T14:00:00+05:00", **more}


def strict(world: World, **more: Any) -> None:
    """The retailer's rules with two thresholds."""
    policy = replace(world.house.project.customers, match=STRICT, **more)
    world.house.project = replace(world.house.project, customers=policy)


def uid(world: World, channel: str, id: str) -> str:
    found = binding(world.house, channel, "customer", id).uid
    assert found is not None
    return found


def persons(world: World) -> int:
    return len(records(world.house, "customer")) if world else 0


def everybody(world: World) -> list[str]:
    with world.registry.read() as tx:
        return [one.uid for one in records_where(tx, "customer")]


def test_one_address_is_one_person_whoever_tells_of_it_first(retail_on_each: World) -> None:
    """The same normalised e-mail is one golden record; each account keeps what it said."""
    strict(retail_on_each)
    take(retail_on_each, "erp-kz", "customers", [erp("C1", "KIM@example.kz")])
    take(retail_on_each, "shop-kz", "customers", [shop("9", " kim@Example.kz ", "Kimberly Li")], later(1))
    assert len(everybody(retail_on_each)) == 1
    mine, theirs = uid(retail_on_each, "shop-kz", "9"), uid(retail_on_each, "erp-kz", "C1")
    assert mine != theirs
    with retail_on_each.registry.read() as tx:
        assert members(tx, [mine])[mine] == sorted([mine, theirs])
        (row,) = likenesses(tx, [mine])
    assert (row.state, row.because, row.who) == ("merged", "same email", None)


def test_two_of_one_page_are_one_person_too(retail: World) -> None:
    strict(retail)
    take(retail, "shop-kz", "customers", [shop("9", "kim@example.kz"), shop("10", "kim@example.kz"),
                                          shop("11", "other@example.kz")])
    assert len(everybody(retail)) == 2
    assert uid(retail, "shop-kz", "9") != uid(retail, "shop-kz", "10")


def test_likeness_between_the_thresholds_waits_for_a_steward(retail: World) -> None:
    """The same number under another name: two people until somebody says otherwise, and for good if they say so."""
    strict(retail)
    phone = {"phone": "+77011234567"}
    take(retail, "erp-kz", "customers", [erp("C1", None, "Kim Li", **phone)])
    take(retail, "shop-kz", "customers", [shop("9", "a@example.kz", "Anna Li", **phone)], later(1))
    take(retail, "shop-kz", "customers", [shop("10", "b@example.kz", "Li Kim", **phone)], later(2))
    assert len(everybody(retail)) == 2
    with retail.registry.read() as tx:
        (row,) = to_review(tx)
    assert (row.score, row.because) == ("0.7", "same phone")
    stewards.decide(retail.house, row.one, row.other, same=False, who="Aigerim", because="mother and daughter")
    take(retail, "shop-kz", "customers", [shop("9", "a@example.kz", "Anna Lee", **phone)], later(3))
    with retail.registry.read() as tx:
        assert to_review(tx) == []
    assert len(everybody(retail)) == 2


@pytest.mark.parametrize("more", [
    {"email": "b-17@relay.example"}, {"email": None, "phone": "+77272000000"}, {"email": None, "name": "Kim Li"},
])
def test_an_address_that_forwards_and_a_store_s_number_join_nobody(retail: World, more: dict[str, Any]) -> None:
    strict(retail)
    take(retail, "erp-kz", "customers", [erp(code, **{"email": None, **more}) for code in ("C1", "C2")])
    assert len(everybody(retail)) == 2
    with retail.registry.read() as tx:
        assert to_review(tx) == []


def test_an_address_that_forwards_matches_nobody_at_first_contact_either(retail: World) -> None:
    """The match report never offers a marketplace's relay address as an exact match."""
    strict(retail)
    take(retail, "erp-kz", "customers", [erp("C1", "b-17@relay.example"), erp("C2", "kim@example.kz")])
    mode(retail, "shop-kz", "customer", "shadow")
    take(retail, "shop-kz", "customers", [shop("9", "b-17@relay.example", "No Body"), shop("10", "Kim@example.kz")])
    with retail.registry.read() as tx:
        assert {row.external_id: row.kind for row in candidates(tx, "shop-kz", entity="customer")} == {
            "9": "none", "10": "exact"}


def test_what_would_make_two_known_people_one_is_for_a_person(retail: World) -> None:
    """At most one person is joined by itself; the second waits for a steward."""
    strict(retail)
    retail.house.project = replace(retail.house.project, customers=replace(
        retail.house.project.customers, match=MatchPolicy()))
    take(retail, "erp-kz", "customers", [erp("C1", "a@example.kz"), erp("C2", None, phone="+77011234567")])
    take(retail, "shop-kz", "customers", [shop("9", "a@example.kz", phone="+77011234567")], later(1))
    assert len(everybody(retail)) == 2
    with retail.registry.read() as tx:
        (row,) = to_review(tx)
        same = members(tx, [uid(retail, "shop-kz", "9")])
    assert uid(retail, "erp-kz", "C1") in next(iter(same.values()))
    assert uid(retail, "erp-kz", "C2") in (row.one, row.other)


def state(world: World, ids: list[str]) -> dict[str, Any]:
    """Everything that is known of these shop accounts, with ids and uids replaced by what they are."""
    names: dict[str, str] = {}
    found: dict[str, Any] = {}
    with world.registry.read() as tx:
        for id in ids:
            mine = binding(world.house, "shop-kz", "customer", id)
            number = id[1:]
            names[str(mine.uid)] = f"uid-{number}"
            (row,) = tx.rows(record.select().where(record.c.uid == mine.uid))
            said = bindings_of(tx, [str(mine.uid)])[str(mine.uid)]
            found[number] = {
                "values": decode(row.values), "merged_into": row.merged_into, "state": row.state,
                "said": [(one.external_id[1:], one.values) for one in said],
                "orders": len(linked(tx, "order", "customer", [str(mine.uid)])[str(mine.uid)]),
            }
    return found


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 3), st.sampled_from(["Ann A", "Bob B", "Cy C"])),
        st.tuples(st.just("merge"), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("split"), st.integers(0, 3), st.integers(0, 3)),
    ),
    min_size=3, max_size=9,
)  # fmt: skip


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS, bound=st.sets(st.integers(1, 3)))
def test_merges_undone_leave_what_would_be_there_without_them(retail: World, acts: list[Any], bound: set[int]) -> None:
    """Undo is bit for bit: whatever was said before, between and after stays with the account that said it.

    Two sets of accounts say the same; the first is bound (`match bind`), merged and split meanwhile, the second is not.
    """
    strict(retail, survivorship=(Group(name="name", fields=("name", "given_name", "family_name"), order=("newest",)),))
    retail.pass_time(60)
    mark = str(retail.registry.now().timestamp())
    first = [f"a{mark}-{n}" for n in range(4)]
    second = [f"b{mark}-{n}" for n in range(4)]
    moments = iter(range(1, 10_000))
    base = retail.registry.now()

    def say(n: int, name: str) -> None:
        at = base + timedelta(milliseconds=next(moments))
        docs = [shop(ids[n], f"{n}@{n}.{ids[n][0]}{mark}.kz", name) for ids in (first, second)]
        take(retail, "shop-kz", "customers", docs, at)

    for n in range(4):
        if n in bound:
            steps.bind(retail.house, "shop-kz", first[n], uid(retail, "shop-kz", first[0]), entity="customer")
        say(n, "First One")
    uids = [uid(retail, "shop-kz", id) for id in first]
    for what, one, other in acts:
        try:
            if what == "say":
                say(one, other)
                assert not items(retail.house, "parked")
            elif what == "merge":
                stewards.merge(retail.house, uids[one], uids[other], who="Aigerim", because="a test")
            else:
                stewards.split(retail.house, uids[one], uids[other], who="Aigerim", because="a test")
        except CannotBind:
            assert what != "say"
    for one in range(4):
        with retail.registry.read() as tx:
            joined = likenesses(tx, [uids[one]], state="merged")
        if joined:
            stewards.split(retail.house, uids[one], who="Aigerim", because="a test")
    mine, theirs = state(retail, first), state(retail, second)
    assert {n.split("-")[1]: clean(one, "a") for n, one in mine.items()} == {
        n.split("-")[1]: clean(one, "b") for n, one in theirs.items()
    }


def test_an_account_bound_at_first_contact_can_be_taken_out_again(retail_on_each: World) -> None:
    """`match accept --exact` links accounts, it never melts them: what each said goes with it when they part."""
    world = retail_on_each
    strict(world)
    take(world, "erp-kz", "customers", [erp("C1", "kim@example.kz", "Kim Li", phone="+77011234567")])
    mode(world, "shop-kz", "customer", "shadow")
    take(world, "shop-kz", "customers", [shop("9", "kim@example.kz", "Kimberly Li")], later(1))
    bound = steps.accept_exact(world.house, "shop-kz", "Aigerim")
    assert bound["shop-kz", "customer"] == 1
    mode(world, "shop-kz", "customer", "on")
    take(world, "shop-kz", "customers", [shop("9", "kim@example.kz", "Kimberly Li")], later(2))
    account, there = uid(world, "shop-kz", "9"), uid(world, "erp-kz", "C1")
    assert len(everybody(world)) == 1
    with world.registry.read() as tx:
        assert members(tx, [account])[account] == sorted({account, there})
    take(world, "shop-kz", "customers", [shop("9", "kim@example.kz", "Kim Park")], later(3))
    take(world, "erp-kz", "customers", [erp("C2", "b@example.kz", "Bo Tan")], later(4))
    somebody = uid(world, "erp-kz", "C2")
    with pytest.raises(CannotBind, match="bound to record"):
        steps.bind(world.house, "shop-kz", "9", somebody, entity="customer")
    assert steps.bind(world.house, "shop-kz", "10", there, entity="customer", who="Aigerim") == "customer"
    take(world, "shop-kz", "customers", [shop("10", "work@example.kz", "K Li")], later(4))
    assert len(everybody(world)) == 2
    stewards.split(world.house, "shop-kz:9", who="Aigerim", because="another Kim")
    with world.registry.read() as tx:
        said = {one.uid: one.values for one in records_where(tx, "customer")}
    assert (said[account]["name"], said[there]["name"], said[there]["phone"]) == ("Kim Park", "Kim Li", "+77011234567")
    assert "phone" not in said[account]
    take(world, "shop-kz", "customers", [shop("9", "kim@example.kz", "Kim Parker")], later(5))
    assert len(everybody(world)) == 3
    with world.registry.read() as tx:
        assert to_review(tx) == []


def clean(found: dict[str, Any], letter: str) -> dict[str, Any]:
    return {key: str(value).replace(f".{letter}", ".x") for key, value in found.items()}


def test_orders_that_came_after_a_merge_go_with_their_account(retail: World) -> None:
    """Purchases stay with the identity that bought; the person has them all, and after a split each its own."""
    strict(retail)
    retail.goods("KTL-1", on_hand=10)
    live(retail, "erp-kz", "shop-kz", "crm-kz")
    for who in (1, 2):
        retail.buy("shop", {"KTL-1": 1}, who=who)
    live(retail, "erp-kz", "shop-kz", "crm-kz")
    one, other = everybody(retail)
    person = stewards.merge(retail.house, one, other, who="Aigerim", because="moved house")
    for who in (1, 2, 2):
        retail.buy("shop", {"KTL-1": 1}, who=who)
    live(retail, "erp-kz", "shop-kz", "crm-kz")
    assert [row.uid for row in [*records(retail.house, "customer").values()]] == [person]

    def bought() -> list[int]:
        with retail.registry.read() as tx:
            return sorted(len(found) for found in linked(tx, "order", "customer", [one, other]).values())

    assert bought() == [2, 3]
    stewards.split(retail.house, one, other, who="Aigerim", because="they are two")
    assert bought() == [2, 3]
    live(retail, "erp-kz", "shop-kz", "crm-kz")
    assert len(everybody(retail)) == 2
    assert [len(list(retail.sandbox.systems[name].docs(kind)))
            for name, kind in (("erp", "customers"), ("crm", "contacts"))] == [2, 2]


def test_a_merge_writes_the_same_person_to_each_account_and_makes_none(retail: World) -> None:
    """A merge is a link inside Serai: no platform merges or loses an account, each is told who the person is."""
    strict(retail)
    retail.goods("KTL-1", on_hand=10)
    everywhere = ("erp-kz", "shop-kz", "crm-kz")
    live(retail, *everywhere)
    for who in (1, 2):
        retail.buy("shop", {"KTL-1": 1}, who=who)
    live(retail, *everywhere)
    one, other = everybody(retail)
    marks = retail.marks()
    stewards.merge(retail.house, one, other, who="Aigerim", because="the same")
    live(retail, *everywhere)
    ops = [line.split()[1] for name in ("erp", "crm") for line in written(retail, marks, name)]
    assert set(ops) == {"update"}
    account = next(str(doc["id"]) for doc in retail.sandbox.systems["shop"].docs("customers"))
    retail.people.edit_phone("shop", account, "8 (701) 999-88-77")
    live(retail, *everywhere)
    told = [(doc["email"], doc["phone"]) for doc in retail.sandbox.systems["erp"].docs("customers")]
    assert len(told) == 2
    assert told[0] == told[1]
    assert told[0][1] == "+77019998877"
    marks = retail.marks()
    for _ in range(2):
        retail.step("pull_all", full=True)
        again(retail, *everywhere)
    assert {name: written(retail, marks, name) for name in ("erp", "crm", "shop")} == {"erp": [], "crm": [], "shop": []}


def customer_of(world: World) -> str:
    (doc,) = [doc for doc in world.sandbox.systems["shop"].docs("customers") if doc["email"] == "buyer1@example.kz"]
    return str(doc["id"])


def test_a_person_known_to_the_erp_gets_no_second_account_there(retail: World) -> None:
    """An order of a shop account goes to the ERP under the account that the same person has there already."""
    strict(retail)
    retail.goods("KTL-1", on_hand=10)
    retail.people.add("erp", "customers", erp("C777", "buyer1@example.kz"))
    allow(retail, "erp-kz", "shop-kz", "crm-kz")
    live(retail, "erp-kz", "shop-kz")
    retail.buy("shop", {"KTL-1": 1}, who=1)
    live(retail, "erp-kz", "shop-kz")
    (there,) = retail.sandbox.systems["erp"].docs("customers")
    (order,) = retail.sandbox.systems["erp"].docs("orders")
    assert order["customer"] == there["code"]
    assert uid(retail, "erp-kz", there["code"]) != uid(retail, "shop-kz", customer_of(retail))


def test_whom_a_person_names_is_found_by_address_number_account_or_uid(retail: World) -> None:
    strict(retail)
    take(retail, "shop-kz", "customers", [shop("9", "kim@example.kz", phone="+77011234567")])
    mine = uid(retail, "shop-kz", "9")
    with retail.registry.read() as tx:
        names = ["KIM@example.kz", "+7 701 123 45 67", "shop-kz:9", mine]
        assert [stewards.find(tx, name) for name in names] == [mine] * 4
        with pytest.raises(CannotBind, match="nobody is known by that"):
            stewards.find(tx, "somebody@else.kz")
    with pytest.raises(CannotBind, match="one person already"):
        stewards.merge(retail.house, mine, mine, who="A", because="b")
    with pytest.raises(CannotBind, match="no link leads"):
        stewards.split(retail.house, mine, who="A", because="b")


__all__ = ["ASKED", "steps"]

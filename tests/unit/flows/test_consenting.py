"""A refusal reaches every channel before anything is advertised, and nobody is reached who did not agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from connectors.errors import RetryLater
from flows import steps, stewards
from flows.regions import denied
from flows.wiring import House
from mappings.commerce.customers.region import Region
from mappings.language import LintErrors
from registry import opt_outs, outbox_rows
from tests.databases import fresh_sqlite, sqlite_url  # noqa: F401 (fixtures)
from tests.unit.flows.mailing import Mailer, mailing

BASE = datetime(2026, 3, 1, 9, tzinfo=UTC)


def statement(state: str, at: int, source: str = "form 1") -> dict[str, Any]:
    return {"key": "1", "purpose": "marketing", "means": "email", "state": state, "source": source,
            "at": (BASE + timedelta(seconds=at)).isoformat().replace("+00:00", "Z")}


def tell(house: House, id: str, said: list[dict[str, Any]], **more: Any) -> None:
    """A person says what they allow, at the source."""
    doc = {"id": id, "name": f"Kim {id}", "email": f"{id}@example.kz", "email_kind": None, "phone": None,
           "consents": said, **more}
    steps.accept(house, "forms", "people", [doc], asked_at=house.registry.now())


def advertise(house: House, to: str, n: int, means: str = "email", id: str = "") -> None:
    """Somebody starts a campaign to a person."""
    doc = {"id": f"c{n}{id}", "to": to, "at": "2026-03-01T09:00:00Z", "means": means, "purpose": "marketing",
           "text": "Sale"}
    steps.accept(house, "forms", "campaigns", [doc], asked_at=house.registry.now())


def push(house: House, channel: str, entity: str) -> None:
    with suppress(RetryLater):      # the channel is tried again
        steps.push(house, channel, entity)


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("says"), st.sampled_from("AB"), st.sampled_from(["granted", "denied"])),
        st.tuples(st.just("campaign"), st.sampled_from("AB"), st.just("")),
        st.tuples(st.just("push"), st.sampled_from(["mail", "crm"]), st.sampled_from(["customer", "interaction"])),
        st.tuples(st.just("trouble"), st.sampled_from(["mail", "crm"]), st.just("")),
    ),
    min_size=6, max_size=16,
)  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[tuple[House, dict[str, Mailer]]]:  # noqa: F811 (the fixture)
    with mailing(tmp_path / "project", sqlite_url) as found:
        yield found


@settings(max_examples=6, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS, order=st.permutations([("mail", "customer"), ("crm", "customer"), ("mail", "interaction")]))
def test_no_message_arrives_before_every_channel_knows_of_the_refusal(
    shop: tuple[House, dict[str, Mailer]], acts: list[Any], order: list[Any]
) -> None:
    """Whatever comes first, fails or waits: when a message arrives, no channel holds less than the last refusal."""
    house, mailers = shop
    mark = str(house.registry.now().timestamp()).replace(".", "")
    now = {"A": ("granted", 0), "B": ("granted", 0)}
    refused = {"A": -1, "B": -1}
    wrong: list[str] = []

    def check(mailer: Mailer, message: dict[str, Any]) -> None:
        name = mailer.contacts[message["to"]]["name"]
        letter = name[4]
        if not name.endswith(mark):
            return      # somebody of an example before
        if now[letter][0] != "granted":
            wrong.append(f"{letter} has refused")
        for channel, other in mailers.items():
            for contact in other.contacts.values():
                if contact["name"] == name and refused[letter] >= 0:
                    told = max(one["at"] for one in contact["consents"])
                    if told < statement("denied", refused[letter])["at"]:
                        wrong.append(f"{channel} does not know that {letter} has refused")

    mailers["mail"].check = check
    n = 1
    for letter in "AB":
        tell(house, f"{letter}{mark}", [statement("granted", 0)])
    for channel, entity in (("mail", "customer"), ("crm", "customer")):
        push(house, channel, entity)
    for what, one, other in acts:
        n += 1
        if what == "says":
            now[one] = (other, n)
            refused[one] = n if other == "denied" else refused[one]
            tell(house, f"{one}{mark}", [statement(other, n)])
        elif what == "campaign":
            advertise(house, f"{one}{mark}", n, id=f"{mark}-{n}")
        elif what == "push":
            push(house, one, other)
        else:
            mailers[one].refuse = 1
    for name in mailers:
        mailers[name].refuse = 0
    for _ in range(2):
        for channel, entity in order:
            push(house, channel, entity)
    mailers["mail"].check = None
    assert wrong == []


def test_a_refusal_that_a_channel_did_not_take_holds_back_what_would_advertise(
    shop: tuple[House, dict[str, Mailer]]
) -> None:
    """The message waits for the slowest channel, and is dropped when it is its turn."""
    house, mailers = shop
    tell(house, "A", [statement("granted", 0)])
    for channel in ("mail", "crm"):
        push(house, channel, "customer")
    tell(house, "A", [statement("denied", 5)])
    advertise(house, "A", 6)
    push(house, "mail", "customer")
    push(house, "mail", "interaction")
    with house.registry.read() as tx:
        assert [channel for _, channel in opt_outs(tx)] == ["crm"]
        (row,) = [row for row in outbox_rows(tx, "mail") if row.entity == "interaction"]
    assert (row.state, "refusal is on its way" in str(row.reason)) == ("waiting", True)
    push(house, "crm", "customer")
    assert [one["state"] for one in mailers["crm"].contacts["k1"]["consents"]] == ["denied"]
    push(house, "mail", "interaction")
    with house.registry.read() as tx:
        assert opt_outs(tx) == []
        assert [row for row in outbox_rows(tx, "mail") if row.entity == "interaction"] == []
    assert mailers["mail"].messages == []


def test_what_one_refused_reaches_the_accounts_of_who_turns_out_to_be_the_same(
    shop: tuple[House, dict[str, Mailer]]
) -> None:
    """A merge keeps the most restrictive, and every account of both hears it before anything is advertised."""
    house, mailers = shop
    tell(house, "A", [statement("denied", 1)])
    tell(house, "B", [statement("granted", 2, "form 2")])
    for channel in ("mail", "crm"):
        push(house, channel, "customer")
    stewards.merge(house, "a@example.kz", "b@example.kz", who="Aigerim", because="one person")
    advertise(house, "B", 7)
    push(house, "mail", "customer")
    push(house, "mail", "interaction")
    with house.registry.read() as tx:
        assert {channel for _, channel in opt_outs(tx)} == {"crm"}
    push(house, "crm", "customer")
    push(house, "mail", "interaction")
    said = [[one["state"] for one in contact["consents"]] for mailer in mailers.values()
            for contact in mailer.contacts.values()]
    assert said == [["denied"]] * 4
    assert mailers["mail"].messages == []
    with house.registry.read() as tx:
        assert opt_outs(tx) == []


def test_who_agreed_is_reached_but_not_at_an_address_that_is_not_theirs(shop: tuple[House, dict[str, Mailer]]) -> None:
    """Relay and shared addresses receive no marketing; who said nothing is not asked for forgiveness."""
    house, mailers = shop
    tell(house, "A", [statement("granted", 0)])
    tell(house, "B", [statement("granted", 0)], email_kind="relay")
    tell(house, "C", [])
    push(house, "mail", "customer")
    for n, id in enumerate("ABC"):
        advertise(house, id, 10 + n)
    advertise(house, "A", 20, means="sms")
    push(house, "mail", "interaction")
    assert [mailers["mail"].contacts[one["to"]]["name"] for one in mailers["mail"].messages] == ["Kim A"]


def test_in_quiet_hours_a_message_comes_later(tmp_path: Path, sqlite_url: str) -> None:  # noqa: F811 (the fixture)
    quiet = 'consent: {marketing: {basis: consent, quiet: {from: "00:00", to: "00:00"}}}\n'
    with mailing(tmp_path / "project", sqlite_url, quiet) as (house, mailers):
        tell(house, "A", [statement("granted", 0)])
        push(house, "mail", "customer")
        advertise(house, "A", 6)
        push(house, "mail", "interaction")
        with house.registry.read() as tx:
            (row,) = [row for row in outbox_rows(tx, "mail") if row.entity == "interaction"]
        assert mailers["mail"].messages == []
        assert row.due_at > house.registry.now()


@pytest.mark.parametrize("rule", ["pseudonym", "allow"])
def test_a_channel_is_given_of_a_person_what_its_region_allows(
    tmp_path: Path, sqlite_url: str, rule: str  # noqa: F811 (the fixture)
) -> None:
    """Run time: a pseudonym is stable, and the name goes nowhere that may not have it."""
    policy = f"regions: {{mail: {{region: eu, personal: {rule}}}, '*': {{region: kz, personal: allow}}}}\n"
    with mailing(tmp_path / "project", sqlite_url, policy) as (house, mailers):
        tell(house, "A", [])
        for channel in ("mail", "crm"):
            push(house, channel, "customer")
        assert mailers["crm"].contacts["k1"]["name"] == "Kim A"
        told = mailers["mail"].contacts["k1"]
        assert ("Kim" in str(told), "A@example" in str(told)) == ((rule == "allow"),) * 2
        assert told["email"].endswith("@pseudonym.invalid") is (rule == "pseudonym")


def test_lint_names_the_row_that_would_give_a_person_away(shop: tuple[House, dict[str, Mailer]]) -> None:
    """A mapping that reads a personal field for a channel that may have none is a mistake, with file and line."""
    house, _ = shop
    policy = replace(house.project.customers, regions={"mail": Region(region="eu", personal="deny")})
    found = [str(error) for error in denied(replace(house.project, customers=policy), house.mappings)]
    assert len(found) == 2
    assert all("mailer/contacts.yaml:" in line and "personal: customer." in line for line in found)
    assert denied(house.project, house.mappings) == []


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("regions: {mail: {region: eu, personal: deny}, '*': {region: kz, personal: allow}}", "personal: mail"),
        ("regions: {mail: {region: eu, personal: allow}}", "crm receives something and has no region"),
        ("regions: {mail: {region: eu, personal: some}, '*': {region: kz, personal: allow}}", "found 'some'"),
        ("match: {merge: 0.5, review: 0.9, rules: []}", "0.9 is above merge"),
        ("match: {merge: 1, review: 1, rules: [{same: [name], score: 1}]}", "nobody is looked for by name"),
        ("match: {merge: 1, review: 1, rules: [{same: [nme, email], score: 1}]}", "unknown-feature: found 'nme'"),
        ("survivorship: {a: {fields: [name], order: [shop]}}", "unknown-channel: found 'shop'"),
        ("survivorship: {a: {fields: [name], order: [crm]}, b: {fields: [name], order: [crm]}}", "is in a already"),
        ("loyalty: {authority: pos}", "found 'pos'"),
        ("segments: {loyal: {money: 5}}", "with `currency` beside it"),
        ("erasure: {keep: {order: [adress]}}", "found 'adress'"),
        ("consent: {marketing: {basis: none}}", "found 'none'"),
        ("marketing: {}", "unknown key 'marketing'"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_policy_is_told_with_its_place(
    tmp_path: Path, sqlite_url: str, policy: str, said: str  # noqa: F811 (the fixture)
) -> None:
    with pytest.raises(LintErrors) as found, mailing(tmp_path / "project", sqlite_url, policy + "\n"):
        pass
    assert said.split(": ")[-1] in str(found.value)
    assert "policies/customers.yaml:1:" in str(found.value)


__all__ = ["fresh_sqlite"]

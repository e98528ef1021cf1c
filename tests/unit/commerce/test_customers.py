"""Customers: one person or two, what survives, what was allowed, what a channel may see, what is spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.customers import normalise
from mappings.commerce.customers.consent import Purpose, Quiet, may_reach, stricter, strictest
from mappings.commerce.customers.loyalty import hopeless, number, reversal
from mappings.commerce.customers.matching import FEATURES, MatchPolicy, Rule, features, likeness, people
from mappings.commerce.customers.offers import redeemed, refused
from mappings.commerce.customers.region import Region, shield
from mappings.commerce.customers.segments import Segment, purchases, repeat_rate, segments_of
from mappings.commerce.customers.survivorship import Group
from mappings.commerce.merge import Contribution, record_values

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = MatchPolicy(
    merge=Decimal("0.9"), review=Decimal("0.6"), relays=("*@relay.example",),
    shared=frozenset({"shop@karavan.example", "+77272000000"}),
    rules=(
        Rule(score=Decimal("0.95"), same=("email",)), Rule(score=Decimal("0.7"), same=("phone",)),
        Rule(score=Decimal("0.92"), same=("phone", "name")), Rule(score=Decimal("0.7"), differ=("born_on",)),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kim@Example.KZ", " kim@example.kz "),
        ("kim@Bücher.example", "KIM@xn--bcher-kva.example"),
        ("İ.kim@example.kz", "İ.kim@EXAMPLE.kz."),
        ("e\u0301va@example.kz", "ÉVA@example.kz"),
        ("ki\u200bm@example.kz", "kim@example.kz"),
        ("kim@ｅxample.kz", "kim@example.kz"),
    ],
)
def test_an_address_is_one_however_it_is_typed(one: str, other: str) -> None:
    assert normalise.email(one) == normalise.email(other) != None  # noqa: E711 — the two and not nothing


@pytest.mark.parametrize("text", ["", "kim", "@example.kz", "kim@", "a@b@c.kz", "k im@example.kz", None, 7])
def test_what_is_no_address_equals_nothing(text: Any) -> None:
    assert normalise.email(text) is None


@given(st.emails())
def test_the_form_of_an_address_is_its_own_form(text: str) -> None:
    once = normalise.email(text)
    assert once is not None
    assert normalise.email(once) == once


def test_names_agree_in_any_script_and_order_and_streets_only_in_theirs() -> None:
    assert normalise.name("Сейтқали Айгерім") == normalise.name("Aygerim SEYTQALI")
    flat = {"street": "10 12th St", "postcode": "050000"}
    assert normalise.address(flat, "KZ") == normalise.address({**flat, "street": "10, 12th st.", "country": "KZ"})
    assert normalise.address(flat, "KZ") != normalise.address({**flat, "street": "12 10th St"}, "KZ")
    assert normalise.address({"street": "Абая 10"}, "KZ") is None


KNOWN = st.dictionaries(st.sampled_from(FEATURES), st.sampled_from(["a", "b"]))
SCORES = st.decimals(0, 1, places=2)
RULES = st.lists(
    st.builds(
        Rule, score=SCORES, same=st.lists(st.sampled_from(FEATURES), min_size=1, max_size=2, unique=True).map(tuple),
        differ=st.lists(st.sampled_from(FEATURES), max_size=1).map(tuple),
    ),
    max_size=5,
).map(tuple)  # fmt: skip


@given(one=KNOWN, other=KNOWN, rules=RULES)
def test_likeness_is_the_same_from_both_sides_and_nothing_in_common_is_nobody(one: Any, other: Any, rules: Any) -> None:
    policy = MatchPolicy(merge=Decimal("0.9"), review=Decimal("0.5"), rules=rules)
    found = likeness(one, other, policy)
    assert found == likeness(other, one, policy)
    if not any(one.get(name) == text for name, text in other.items()):
        assert (str(found.score), found.verdict) == ("0", "separate")
    holding = [rule for rule in rules if rule.holds(one, other)]
    assert all(found.score <= rule.score for rule in holding if rule.differ)
    assert found.score in {Decimal(0), *(rule.score for rule in holding)}


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ({"email": "a@x.kz"}, {"email": "A@X.kz"}, "merge"),
        ({"phone": "+77011234567"}, {"phone": "8 701 123 45 67"}, "review"),
        ({"phone": "+77011234567", "name": "Kim Li"}, {"phone": "+77011234567", "name": "Ли Ким"}, "merge"),
        ({"email": "a@x.kz", "born_on": "1990-01-01"}, {"email": "a@x.kz", "born_on": "2001-01-01"}, "review"),
        ({"email": "b17@relay.example"}, {"email": "b17@relay.example"}, "separate"),
        ({"email": "b@x.kz", "email_kind": "relay"}, {"email": "b@x.kz"}, "separate"),
        ({"email": "Shop@Karavan.example"}, {"email": "shop@karavan.example"}, "separate"),
        ({"phone": "+7 727 200 00 00"}, {"phone": "+77272000000"}, "separate"),
        ({"phone": "+77011234567", "phone_kind": "masked"}, {"phone": "+77011234567"}, "separate"),
        ({"name": "Kim Li"}, {"name": "Kim Li"}, "separate"),
    ],
)
def test_two_thresholds_and_addresses_that_say_nothing_of_a_person(one: Any, other: Any, verdict: str) -> None:
    """Relay addresses, masked and shared numbers, store addresses match nobody."""
    both = features(one, POLICY, "KZ"), features(other, POLICY, "KZ")
    assert likeness(*both, POLICY).verdict == verdict


UIDS = [f"u{n}" for n in range(7)]
LINKS = st.lists(st.tuples(st.sampled_from(UIDS), st.sampled_from(UIDS)), max_size=8)


@given(links=LINKS, data=st.data())
def test_merges_commute_and_taking_one_away_gives_what_was_without_it(links: Any, data: Any) -> None:
    """Merge algebra: commutative, associative, idempotent, undone by removing the link."""
    found = people(UIDS, links)
    assert people(UIDS, data.draw(st.permutations(links))) == found
    assert people(UIDS, [(b, a) for a, b in links] + links) == found
    assert all(found[found[uid]] == found[uid] <= uid for uid in UIDS)
    assert all(found[a] == found[b] for a, b in links)
    extra = data.draw(st.tuples(st.sampled_from(UIDS), st.sampled_from(UIDS)))
    after = people(UIDS, [*links, extra])
    assert {uid for uid in UIDS if after[uid] != found[uid]} <= {
        uid for uid in UIDS if found[uid] in (found[extra[0]], found[extra[1]])
    }
    assert people(UIDS, [*links, extra][:-1]) == found


def said(channel: str, at: int = 0, **values: Any) -> Contribution:
    moment = NOW + timedelta(seconds=at)
    return Contribution(channel=channel, values=values, covers=values.keys(), asked_at=moment, since=moment)


STATEMENT = st.fixed_dictionaries(
    {
        "key": st.just("x"), "purpose": st.sampled_from(["marketing", "service"]),
        "channel": st.sampled_from([None, "shop"]), "means": st.sampled_from([None, "email", "sms"]),
        "state": st.sampled_from(["granted", "denied"]),
    },
    optional={
        "at": st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]),
        "source": st.sampled_from(["shop/1", "crm/9"]),
    },
)  # fmt: skip
SAID = st.lists(st.lists(STATEMENT, max_size=4), max_size=4)
ASKED = [(purpose, channel, means) for purpose in ("marketing", "service") for channel in ("shop", "crm")
         for means in ("email", "sms")]


def allowed(statements: Any) -> set[Any]:
    return {ask for ask in ASKED if may_reach(strictest(statements), *ask, NOW, "UTC").allowed}


@settings(max_examples=60)
@given(said=SAID, more=st.lists(STATEMENT.filter(lambda row: row.get("source") is None), max_size=3), data=st.data())
def test_a_merge_of_consents_never_allows_what_one_of_them_forbids(said: Any, more: Any, data: Any) -> None:
    """Most restrictive: order does not matter, and what another identity denied stays denied."""
    assert strictest(data.draw(st.permutations(said))) == strictest(sorted(said, key=str)) or (
        allowed(data.draw(st.permutations(said))) == allowed(said)
    )
    denied = {ask for ask in ASKED for row in more if row["state"] == "denied" and row["purpose"] == ask[0]
              and row["channel"] in (None, ask[1]) and row["means"] in (None, ask[2])
              and not any(later["state"] == "granted" and all(
                  later[name] == row[name] for name in ("purpose", "channel", "means")) for later in more)}
    assert not allowed([*said, more]) & denied
    without = {ask for ask in ASKED if any(
        row["state"] == "denied" and row["purpose"] == ask[0] and row["channel"] in (None, ask[1])
        and row["means"] in (None, ask[2]) for row in strictest(said)
    )}
    assert not allowed([*said, more]) & without


def test_only_the_same_source_takes_a_refusal_back() -> None:
    no = {"key": "1", "purpose": "marketing", "means": "email", "state": "denied", "source": "shop/1",
          "at": "2026-01-01T00:00:00Z"}
    yes = {**no, "state": "granted", "at": "2026-02-01T00:00:00Z"}
    assert allowed([[no], [yes]]) == {("marketing", "shop", "email"), ("marketing", "crm", "email")}
    assert allowed([[no], [{**yes, "source": "crm/9"}]]) == set()
    assert allowed([[no], [{**yes, "at": "2025-12-01T00:00:00Z"}]]) == set()
    assert stricter([yes], [no])
    assert not stricter([no], [no, yes])
    assert stricter([yes], [])


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-01T15:59:59Z", None), ("2026-03-01T16:00:00Z", "2026-03-02T04:00:00Z"),
        ("2026-03-02T03:59:59Z", "2026-03-02T04:00:00Z"), ("2026-03-02T04:00:00Z", None),
    ],
)  # fmt: skip
def test_nobody_is_reached_in_quiet_hours_which_go_over_midnight_in_the_zone_s_time(at: str, until: str | None) -> None:
    yes = [{"key": "1", "purpose": "marketing", "state": "granted"}]
    rule = Purpose(quiet=Quiet(start=datetime.min.time().replace(hour=21), end=datetime.min.time().replace(hour=9)))
    found = may_reach(yes, "marketing", "shop", "sms", datetime.fromisoformat(at), "Asia/Almaty", rule)
    assert found.allowed is (until is None)
    assert found.until == (None if until is None else datetime.fromisoformat(until))


NAMES = Group(name="name", fields=("name", "given_name", "family_name"), order=("erp", "newest"))


def test_a_group_of_fields_is_never_mixed_of_two_people() -> None:
    erp = said("erp", name="Kim Li", given_name="Kim", phone="1")
    shop = said("shop", 9, name="Aigerim S", given_name="Aigerim", family_name="S", phone="2")
    whole = record_values("customer", [erp, shop], {"*": "newest"}, groups=[NAMES])
    assert whole == {"name": "Kim Li", "given_name": "Kim", "phone": "2"}
    mixed = record_values("customer", [erp, shop], {"*": ["erp", "shop"]})
    assert mixed["family_name"] == "S"


CONTRIBUTION = st.builds(
    said, st.sampled_from(["erp", "shop"]), st.integers(0, 2), name=st.sampled_from(["A", "B"]),
    given_name=st.sampled_from(["a", "b", None]),
    accounts=st.lists(st.fixed_dictionaries({
        "key": st.sampled_from(["1", "2"]), "kind": st.just("points"), "points": st.sampled_from(["10", "20"]),
    }), max_size=2, unique_by=lambda row: row["key"]),
)  # fmt: skip


@settings(max_examples=60)
@given(contributions=st.lists(CONTRIBUTION, min_size=1, max_size=4), data=st.data())
def test_a_person_is_the_same_in_whatever_order_identities_are_joined_and_points_are_never_added(
    contributions: list[Contribution], data: Any
) -> None:
    authority = {"*": "newest", "accounts": ["erp"]}
    found = record_values("customer", contributions, authority, groups=[NAMES])
    other = record_values("customer", data.draw(st.permutations(contributions)), authority, groups=[NAMES])
    assert other == found
    held = {(a["key"], a["points"]) for c in contributions if c.channel == "erp" for a in c.values["accounts"]}
    shown = [(a["key"], a["points"]) for a in found.get("accounts", ())]
    assert set(shown) <= held
    assert {key for key, _ in shown} == {key for key, _ in held}
    assert len(shown) == len({key for key, _ in shown})


@pytest.mark.parametrize("personal", ["allow", "pseudonym", "deny"])
@given(mail=st.emails(), name=st.text(min_size=4, max_size=20))
@settings(max_examples=20)
def test_a_channel_sees_no_personal_text_that_its_region_denies(personal: Any, mail: str, name: str) -> None:
    values = {"uid": "u", "name": name, "email": mail, "born_on": "1990-01-01", "language": "kk",
              "address": {"street": name, "country": "KZ", "phone": None}}
    marked = {"name", "email", "born_on", "address"}
    shown = shield(values, marked, Region(personal=personal), b"secret")
    assert shown["language"] == "kk"
    if personal == "allow":
        assert shown == values
        return
    assert mail not in str(shown)
    assert repr(name)[1:-1] not in str(shown)
    assert ("email" in shown) is (personal == "pseudonym")
    assert shield(values, marked, Region(personal=personal), b"secret") == shown
    if personal == "pseudonym":
        assert shield({"name": name + "x"}, marked, Region(personal=personal), b"secret")["name"] != shown["name"]
        assert shown["address"]["country"] == "KZ"


def order(amount: str, days: int = 0, **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(days=days)).isoformat().replace("+00:00", "Z")
    return {"status": "delivered", "placed_at": at, "total": {"amount": amount, "currency": "KZT"}, **more}


@given(st.lists(st.tuples(st.decimals(0, 9999, places=2), st.integers(0, 400), st.booleans()), max_size=8))
def test_worth_is_what_was_paid_and_not_given_back(rows: list[tuple[Decimal, int, bool]]) -> None:
    """Lifetime value, average order, recency and frequency, by their formulas."""
    found = purchases([order(str(a), d, status="cancelled" if gone else "open") for a, d, gone in rows], NOW)
    kept = [(a, d) for a, d, gone in rows if not gone]
    assert found.orders == len(kept)
    assert found.spent.get("KZT", 0) == sum(a for a, _ in kept)
    assert found.recency == min((d for _, d in kept), default=None)
    if kept:
        assert abs(found.average["KZT"] * len(kept) - found.spent["KZT"]) <= Decimal("0.005") * len(kept)


def test_refunds_and_currencies_are_kept_apart() -> None:
    refund = {"amount": "20", "currency": "KZT"}
    euros = {**order("5"), "total": {"amount": "5", "currency": "EUR"}}
    found = purchases([order("100", refunded=refund), euros], NOW)
    assert found.spent == {"KZT": Decimal(80), "EUR": Decimal(5)}
    assert repeat_rate([found, purchases([order("1")], NOW), purchases([], NOW)]) == Decimal("0.5000")
    assert repeat_rate([]) is None


def test_a_segment_wants_all_that_it_says() -> None:
    loyal = Segment(name="loyal", recency_to=30, frequency=2, money=Decimal(100), currency="KZT",
                    categories=frozenset({"Kettles"}), stores=frozenset({"almaty-1"}))
    asleep = Segment(name="asleep", recency_from=90)
    lines = [{"variant": "v1"}]
    here = {"categories": {"v1": "Kettles"}, "stores": {"l1": "almaty-1"}}
    bought = [order("60", 5, lines=lines, location="l1"), order("40", 300)]
    assert segments_of(purchases(bought, NOW, **here), [loyal, asleep]) == ["loyal"]
    assert segments_of(purchases(bought, NOW), [loyal, asleep]) == []
    assert segments_of(purchases(bought[:1], NOW, **here), [loyal]) == []
    assert segments_of(purchases(bought[1:], NOW, **here), [loyal, asleep]) == ["asleep"]
    assert segments_of(purchases([], NOW), [asleep, Segment(name="all")]) == []


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        ({}, None),
        ({"valid_from": "2026-03-01T09:00:01Z"}, "not hold yet"),
        ({"valid_from": "2026-03-01T09:00:00Z", "valid_to": "2026-03-01T09:00:01Z"}, None),
        ({"valid_to": "2026-03-01T09:00:00Z"}, "no longer"),
        ({"channels": []}, "on shop"), ({"channels": ["shop"]}, None), ({"segment": "loyal"}, "loyal only"),
        ({"limit": 0}, "0 of 0"), ({"limit": 1, "per_customer": 1}, "1 of 1 times"), ({"per_customer": 2}, None),
    ],
)  # fmt: skip
def test_an_offer_holds_in_its_window_on_its_channels_for_its_segment(offer: Any, why: str | None) -> None:
    found = refused(offer, NOW, "shop", [], times=0, mine=1 if "per_customer" in offer else 0)
    assert (found is None) is (why is None)
    assert why is None or why in str(found)


def test_orders_redeem_an_offer_once_each_in_whatever_line() -> None:
    discount = {"key": "1", "code": "SPRING"}
    orders = [order("1", discounts=[discount], lines=[{"discounts": [discount]}]),
              order("1", lines=[{"discounts": [discount]}, {"discounts": [{"key": "2"}]}]),
              order("1", discounts=[discount], status="cancelled"), order("1")]
    assert redeemed("SPRING", orders) == 2


def test_an_event_has_one_number_and_is_taken_back_under_one() -> None:
    first = number("redeem", "K-1", "pos-kz", "receipt 7")
    assert first == number("redeem", "K-1", "pos-kz", "receipt 7") != number("redeem", "K-1", "pos-kz", "receipt 8")
    event = {"number": first, "kind": "redeem", "account": "K-1", "points": "50", "at": "x"}
    back = reversal(event, "y")
    assert (back["kind"], back["points"], back["reverses"]) == ("reverse", "50", first)
    assert reversal(event, "z")["number"] == back["number"]


@pytest.mark.parametrize(
    ("event", "account", "why"),
    [
        ({"points": "50"}, {"points": "50"}, None), ({"points": "51"}, {"points": "50"}, "less"),
        ({"points": "0"}, None, "above zero"), ({"points": "5"}, None, None),
        ({"amount": {"amount": "5", "currency": "EUR"}}, {"balance": {"amount": "9", "currency": "KZT"}}, "not EUR"),
    ],
)  # fmt: skip
def test_what_cannot_be_redeemed_is_not_even_asked(event: Any, account: Any, why: str | None) -> None:
    found = hopeless(event, account)
    assert (found is None) is (why is None)
    assert why is None or why in str(found)

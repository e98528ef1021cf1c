"""From a list's price to a channel's: rounding, exchange, tax, floors, reference prices; properties of each formula."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from mappings.commerce.match import keys
from mappings.commerce.prices import Overlap, faults, pick
from mappings.commerce.prices.currencies import Fx, FxRate, Redenomination, factor, formerly, today
from mappings.commerce.prices.differences import parted
from mappings.commerce.prices.pipeline import Ceiling, Floor, Held, Markup, Pipeline, Priced, moments, price
from mappings.commerce.prices.reference import DAYS, Shown, lowest_before, unit_price, usual_before
from mappings.commerce.prices.rounding import MODES, Rounding, rounded
from mappings.commerce.prices.steps import replay
from mappings.commerce.prices.taxes import TaxRate, rate
from mappings.commerce.prices.windows import contradictions, holds, in_force
from registry import own_key

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
VAT = (TaxRate(rate=Decimal("0.16"), where="companies.yaml"),)
PLAIN = Pipeline(channel="market-kz", company="kz", country="KZ", price_list="retail", currency="KZT",
                 list_company="kz", tax_mode="gross", taxes=VAT, list_taxes=VAT, written=True)


def listed(amount: str = "12490.00", **more: Any) -> dict[str, Any]:
    return {"uid": "p1", "variant": "v1", "list": "retail", "amount": {"amount": amount, "currency": "KZT"},
            "tax_mode": "gross", **more}


def tenge(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "KZT"}


def shown(pipeline: Pipeline, *prices: dict[str, Any], variant: dict[str, Any] | None = None,
          at: datetime = NOW, **more: Any) -> Priced:
    found = price(pipeline, prices, variant or {}, at, **more)
    assert isinstance(found, Priced), found
    return found


# ── rounding ─────────────────────────────────────────────────────────────────────────────────────────────────────────

STEPS = st.decimals(min_value=Decimal("0.01"), max_value=1000, places=2)


@given(st.fractions(min_value=Fraction(1, 100), max_value=10**6), STEPS, st.data())
def test_a_rounded_price_is_a_step_with_its_ending_and_never_nothing(value: Fraction, step: Decimal, data: Any) -> None:
    ending = data.draw(st.decimals(min_value=-step, max_value=step, places=2))
    assume(-step < ending < step)
    rule = Rounding(step=step, ending=ending)
    nearest, up, down = (rounded(value, replace(rule, mode=mode)) for mode in MODES)
    for found in (nearest, up, down):
        assert found > 0
        assert (found - Fraction(ending)) % Fraction(step) == 0
    lowest = min(found for found in (Fraction(ending) + k * Fraction(step) for k in range(3)) if found > 0)
    assert up >= value
    assert up - value < max(Fraction(step), lowest)
    assert down <= value or down == lowest
    assert abs(nearest - value) <= Fraction(step) / 2 or nearest == lowest
    assert rounded(nearest, rule) == nearest


@pytest.mark.parametrize(("value", "step", "ending", "price_"), [
    ("12489", "1000", "990", "11990"), ("12490", "1000", "990", "12990"), ("0.30", "1", "0.99", "0.99"),
    ("12.50", "1", "-0.01", "12.99"), ("0", "1", "0.99", "0"), ("7", "0.05", "0", "7"),
])
def test_endings_that_buyers_know(value: str, step: str, ending: str, price_: str) -> None:
    assert rounded(Fraction(value), Rounding(step=Decimal(step), ending=Decimal(ending))) == Fraction(price_)


# ── what holds when ──────────────────────────────────────────────────────────────────────────────────────────────────

DAY = timedelta(days=1)
EDGES = st.none() | st.integers(0, 6).map(lambda day: NOW + day * DAY)
RULES = st.lists(st.builds(TaxRate, rate=st.sampled_from([Decimal("0.1"), Decimal("0.2")]), start=EDGES, end=EDGES),
                 max_size=4)


@given(RULES, st.integers(-1, 7))
def test_rules_that_do_not_contradict_each_other_answer_alike_in_any_order(rules: list[TaxRate], day: int) -> None:
    """Overlapping windows are what lint finds; without them a moment has one answer."""
    assume(contradictions(rules) == [])
    at = NOW + day * DAY
    found = in_force(rules, at)
    assert in_force(rules[::-1], at) == found
    assert (found is None) is (not any(holds(rule, at) for rule in rules))
    dated = [rule for rule in rules if holds(rule, at) and (rule.start, rule.end) != (None, None)]
    assert found is None or not dated or found in dated, "a dated rule beats an undated one"


def test_a_rate_is_asked_for_from_company_and_category_to_country() -> None:
    rates = [TaxRate(rate=Decimal(n), company=company, category=category) for n, (company, category) in enumerate(
        ((None, None), ("kz", None), (None, "books"), ("kz", "books")))]
    assert [rate(rates, who, what, NOW).rate for who, what in (  # type: ignore[union-attr]  # all four hold always
        ("bg", "food"), ("kz", "food"), ("bg", "books"), ("kz", "books"))] == [0, 1, 2, 3]


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────

def test_a_price_is_picked_from_specific_to_general() -> None:
    """Group before everybody, larger quantity before smaller, dated before undated, sale before regular."""
    usual, sale = listed("100"), listed("80", kind="sale")
    ten, club = listed("90", min_quantity="10"), listed("95", group="club")
    window = listed("85", valid_from="2026-03-01T00:00:00Z", valid_to="2026-03-02T00:00:00Z")
    cost = listed("1", kind="cost")
    every = [usual, sale, ten, club, window, cost]
    at = NOW.isoformat()
    assert pick(every, "retail", at) is window
    assert pick([usual, sale, cost], "retail", at) is sale
    assert pick(every, "retail", at, quantity=Decimal(10)) is ten
    assert pick(every, "retail", at, quantity=Decimal(10), group="club") is club
    assert pick(every, "retail", at, currency="EUR") is None
    assert pick(every, "retail", at, kind="cost") is cost


def test_two_windows_that_overlap_are_named_and_none_is_picked() -> None:
    one = listed("80", uid="a", valid_from="2026-02-01T00:00:00Z", valid_to="2026-03-10T00:00:00Z")
    other = listed("70", uid="b", valid_from="2026-02-20T00:00:00Z", valid_to="2026-04-01T00:00:00Z")
    with pytest.raises(Overlap, match=r"70 KZT 2026-02-20.* and retail 80 KZT"):
        pick([one, other], "retail", NOW.isoformat())
    held = price(PLAIN, [one, other], {}, NOW)
    assert isinstance(held, Held)
    assert held.rule == "overlap"
    assert faults([one, other, listed()]) == [
        "retail 70 KZT 2026-02-20T00:00:00Z – 2026-04-01T00:00:00Z and "
        "retail 80 KZT 2026-02-01T00:00:00Z – 2026-03-10T00:00:00Z hold at once"]
    assert faults([listed(valid_from="2026-03-02T00:00:00Z", valid_to="2026-03-01T00:00:00Z")])[0].endswith(
        "never holds: it ends before it begins")


def test_who_takes_more_pays_what_the_list_says_for_more() -> None:
    found = shown(replace(PLAIN, markups=[Markup(by=Decimal("0.1"))]), listed("100.00"),
                  listed("90.00", uid="p2", min_quantity="10"), listed("80.00", uid="p3", min_quantity="100"))
    assert found.amount == Decimal("110.00")
    assert found.breaks == ((Decimal(10), Decimal("99.00")), (Decimal(100), Decimal("88.00")))


# ── the pipeline ─────────────────────────────────────────────────────────────────────────────────────────────────────

PERCENT = st.decimals(min_value=Decimal("-0.5"), max_value=1, places=3)
AMOUNTS = st.decimals(min_value=Decimal("0.01"), max_value=10**7, places=2)
FX = Fx(rates=[FxRate(base="EUR", quote="KZT", rate=Decimal("612.37"))])


@st.composite
def pipelines(draw: Any) -> Pipeline:
    """Any rules at once: exchange, markup, tax, rounding, floor, ceiling."""
    currency = draw(st.sampled_from(["KZT", "EUR"]))
    step = draw(st.sampled_from(["0.01", "0.5", "1", "10"]))
    grid = Rounding(step=Decimal(step), ending=draw(st.sampled_from([Decimal(0), Decimal(step) - Decimal("0.01")])),
                    mode=draw(st.sampled_from(MODES)), where="policies/prices.yaml:4")
    return replace(
        PLAIN, currency=currency, list_currency="KZT", tax_mode=draw(st.sampled_from(["net", "gross", None])), fx=FX,
        markups=draw(st.sampled_from([(), (Markup(by=draw(PERCENT), plus=Decimal(draw(st.integers(0, 5)))),)])),
        roundings=draw(st.sampled_from([{}, {currency: [grid]}])),
        floors=draw(st.sampled_from([(), (Floor(fee=Decimal("0.15"), margin=Decimal("0.05")),)])),
        ceilings=draw(st.sampled_from([(), (Ceiling(amount=Decimal(100_000)),)])),
    )


GOODS = st.fixed_dictionaries({
    "cost": st.none() | AMOUNTS.map(lambda amount: tenge(str(amount))),
    "map": st.none() | AMOUNTS.map(lambda amount: tenge(str(amount))),
    "handling": st.none() | st.just(tenge("100")),
})


@settings(max_examples=200)
@given(pipelines(), AMOUNTS, st.sampled_from(["net", "gross"]), GOODS)
def test_what_was_kept_of_a_price_gives_the_price_again(
    pipeline: Pipeline, amount: Decimal, mode: str, goods: dict[str, Any]
) -> None:
    """P11: each step is kept as text, and computing them again gives the published figure to the last digit."""
    found = price(pipeline, [listed(f"{amount:.2f}", tax_mode=mode)], goods, NOW)
    if isinstance(found, Held):
        assert found.rule in ("cost", "floor")
        return
    assert found is not None
    state = replay(json.loads(json.dumps(found.steps)))
    assert state.amount == Fraction(found.amount)
    assert (state.currency, state.tax_mode) == (found.currency, found.tax_mode)
    broken = json.loads(json.dumps(found.steps))
    broken[0]["amount"] = str(Decimal(broken[0]["amount"]) + 100_000_000)
    if len(broken) == 1 or broken[1]["step"] != "override":
        with pytest.raises(ValueError, match="gives"):
            replay(broken)


@settings(max_examples=200)
@given(pipelines(), AMOUNTS, GOODS)
def test_no_price_goes_out_under_its_floor_or_over_its_ceiling(
    pipeline: Pipeline, amount: Decimal, goods: dict[str, Any]
) -> None:
    """``max(MAP, (cost + handling) / (1 − fee − margin))``; what cannot keep both is held."""
    found = price(pipeline, [listed(f"{amount:.2f}")], goods, NOW)
    if not isinstance(found, Priced):
        return
    if pipeline.floors:
        fx = 1 if found.currency == "KZT" else 1 / Fraction("612.37")
        tax = Fraction("1.16") if found.tax_mode == "gross" else 1
        cost = Fraction(goods["cost"]["amount"]) + Fraction(0 if goods["handling"] is None else 100)
        assert Fraction(found.amount) >= cost * fx / Fraction("0.8") * tax
        assert goods["map"] is None or Fraction(found.amount) >= Fraction(goods["map"]["amount"]) * fx
    if pipeline.ceilings:
        assert found.amount <= 100_000
    assert Fraction(found.amount) > 0


@pytest.mark.parametrize("cost", [None, tenge("0.00"), tenge("0")])
def test_an_unknown_or_zero_cost_holds_the_price(cost: Any) -> None:
    """A price whose floor nobody knows is not sent, whatever it is."""
    held = price(replace(PLAIN, floors=[Floor()]), [listed()], {"cost": cost}, NOW)
    assert isinstance(held, Held)
    assert held.rule == "cost"
    assert "the price goes out by itself" in held.remedy
    ok = price(replace(PLAIN, floors=[Floor(cost_list="purchase")]),
               [listed(), listed("5000.00", list="purchase", kind="cost")], {"cost": cost}, NOW)
    assert isinstance(ok, Priced)
    assert ok.floor == Decimal("5800.00")


def test_what_no_rule_knows_is_held_and_says_what_to_write() -> None:
    no_rate = price(replace(PLAIN, currency="EUR", list_currency="KZT"), [listed()], {}, NOW)
    no_tax = price(replace(PLAIN, tax_mode="net", list_taxes=()), [listed()], {}, NOW)
    high = price(replace(PLAIN, floors=[Floor()], ceilings=[Ceiling(amount=Decimal(100))]), [listed("90.00")],
                 {"cost": tenge("200")}, NOW)
    for found, rule, file in (
        (no_rate, "fx", "fx.yaml"), (no_tax, "tax", "taxes.yaml"), (high, "floor", "prices.yaml"),
    ):
        assert isinstance(found, Held)
        assert found.rule == rule
        assert file in found.remedy
    assert price(PLAIN, [], {}, NOW) is None


@given(AMOUNTS, st.lists(AMOUNTS, max_size=2), st.sampled_from(["0.01", "10"]))
def test_a_price_is_not_above_any_that_another_channel_may_show(
    amount: Decimal, others: list[Decimal], step: str
) -> None:
    """Both what the other channel shows and what it is about to show count."""
    pipeline = replace(PLAIN, not_above=("shop-kz",), roundings={"KZT": [Rounding(step=Decimal(step), where="x:1")]})
    found = shown(pipeline, listed(f"{amount:.2f}"), others={"shop-kz": others})
    alone = shown(pipeline, listed(f"{amount:.2f}"))
    assert all(found.amount <= other for other in others)
    assert found.amount <= alone.amount
    floor_ = replace(pipeline, not_above=(), not_below=("shop-kz",))
    below = shown(floor_, listed(f"{amount:.2f}"), others={"shop-kz": others})
    assert all(below.amount >= other for other in others)


def test_a_redenomination_that_was_planned_changes_every_price_at_its_moment() -> None:
    """Lists, costs and channels still in the old currency count in the new one from then on."""
    fx = Fx(redenominations=[Redenomination(currency="BGN", becomes="EUR", divide_by=Decimal("1.95583"), at=NOW,
                                            where="policies/fx.yaml:2")])
    pipeline = replace(PLAIN, currency="BGN", fx=fx)
    lev = {**listed(), "amount": {"amount": "39.12", "currency": "BGN"}}
    before, after = shown(pipeline, lev, at=NOW - DAY), shown(pipeline, lev)
    assert (before.amount, before.currency) == (Decimal("39.12"), "BGN")
    assert (after.amount, after.currency) == (Decimal("20.00"), "EUR")
    assert moments(pipeline, NOW - DAY) == [NOW]
    rewritten = {**listed(uid="p2"), "amount": {"amount": "19.99", "currency": "EUR"}}
    assert shown(pipeline, lev, rewritten).amount == Decimal("19.99")


@given(AMOUNTS)
def test_exchange_there_and_back_is_the_amount_again(amount: Decimal) -> None:
    there, back = factor(FX, "KZT", "EUR", NOW), factor(FX, "EUR", "KZT", NOW)
    assert there is not None
    assert back is not None
    assert Fraction(amount) * there[0] * back[0] == Fraction(amount)
    assert factor(FX, "KZT", "USD", NOW) is None
    assert today(FX, "KZT", NOW) == ("KZT", Fraction(1), "")
    assert formerly(FX, "KZT", NOW) == {"KZT"}


def test_what_a_person_said_for_now_is_the_last_step() -> None:
    pipeline = replace(PLAIN, markups=[Markup(by=Decimal("0.5"))])
    found = shown(pipeline, listed(), override=(Decimal("9990.00"), "KZT", "Aigerim: fair, until 2026-03-02"))
    dollars = price(pipeline, [listed()], {}, NOW, override=(Decimal("9.99"), "USD", "Aigerim: fair"))
    assert isinstance(dollars, Held)
    assert dollars.rule == "override"
    assert found.amount == Decimal("9990.00")
    assert [step["step"] for step in found.steps] == ["list", "markup", "override"]
    assert replay(found.steps).amount == 9990


def test_two_channels_that_part_name_the_rule_that_parts_them() -> None:
    marked = replace(PLAIN, markups=[Markup(by=Decimal("0.1"), where="policies/prices.yaml:3")])
    one, other, same = (shown(pipeline, listed()) for pipeline in (PLAIN, marked, PLAIN))
    assert parted(one.steps, other.steps) == "no rule against markup (policies/prices.yaml:3)"
    assert parted(one.steps, same.steps) is None


# ── reference and unit prices ────────────────────────────────────────────────────────────────────────────────────────

HISTORY = st.lists(st.tuples(st.integers(0, 60), AMOUNTS), max_size=6, unique_by=lambda row: row[0])


@given(HISTORY, AMOUNTS)
def test_a_strike_through_price_is_the_lowest_this_channel_showed_in_30_days(
    rows: list[tuple[int, Decimal]], now: Decimal
) -> None:
    """Directive 98/6/EC, article 6a; without the whole history there is none, and the reason says so."""
    starts = sorted((NOW - days * DAY, amount) for days, amount in rows)
    history = [
        Shown(amount=amount, currency="EUR", tax_mode="gross", start=start,
              end=starts[place + 1][0] if place + 1 < len(starts) else None)
        for place, (start, amount) in enumerate(starts)
    ]
    found = lowest_before(history, NOW, Shown(amount=now, currency="EUR", tax_mode="gross", start=NOW))
    each_day = [next((amount for start, amount in reversed(starts) if start <= at), None)
                for at in (NOW - DAYS + n * DAY for n in range(30))]
    if None in each_day:
        assert found.amount is None
        assert found.reason
    else:
        lowest = min(amount for amount in each_day if amount is not None)
        assert found.amount == (lowest if lowest > now else None)


def test_outside_the_union_the_usual_price_is_struck_through() -> None:
    assert usual_before(Decimal(100), Decimal(80)).amount == 100
    assert usual_before(Decimal(80), Decimal(80)).amount is None
    assert "no usual price" in str(usual_before(None, Decimal(80)).reason)


@given(AMOUNTS, st.sampled_from([("g", "1000"), ("ml", "1000"), ("cm", "100"), ("kg", "1")]), st.integers(1, 5000))
def test_the_price_of_a_kilogram_is_the_price_of_the_pack_by_its_weight(
    amount: Decimal, unit: tuple[str, str], content: int
) -> None:
    found = unit_price(amount, "EUR", {"value": str(content), "unit": unit[0]})
    assert found is not None
    assert found["per"] == {"value": "1", "unit": {"g": "kg", "ml": "l", "cm": "m", "kg": "kg"}[unit[0]]}
    exact = Fraction(amount) * Fraction(unit[1]) / content
    assert abs(Fraction(found["amount"]["amount"]) - exact) <= Fraction(1, 200)
    assert unit_price(amount, "EUR", None) is None
    assert unit_price(amount, "EUR", {"value": "0", "unit": "kg"}) is None


@given(
    st.sampled_from([None, "club"]), st.sampled_from([None, "10"]), st.sampled_from([None, "regular", "sale", "cost"]),
    st.sampled_from([None, "2026-03-01T00:00:00Z"]),
)
def test_a_price_is_found_by_the_key_it_is_filed_under(
    group: str | None, least: str | None, kind: str | None, start: str | None
) -> None:
    """Several prices of one list are several records, and the usual one is found by variant and list alone."""
    values = {"variant": "v1", "list": "retail", "group": group, "min_quantity": least, "kind": kind,
              "valid_from": start}
    (pair,) = keys("price", values, "erp-kz", "1")
    assert pair == ("variant@list", own_key("price", values, "u1"))
    usual = (group, least, start) == (None, None, None) and kind in (None, "regular")
    assert (pair[1] == "v1@retail") is usual

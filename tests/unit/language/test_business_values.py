"""Money, units, numbers of a country and days: nothing is lost, nothing is guessed."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.language.amounts import quantity_json, quantity_of, quantity_out
from mappings.language.functions import FUNCTIONS
from mappings.language.moments import moment_of
from mappings.language.values import Refused

RATES = [
    {"from": "USD", "to": "KZT", "rate": Decimal("500"), "valid_from": "2026-03-01"},
    {"from": "USD", "to": "KZT", "rate": Decimal("510.25"), "valid_from": "2026-03-05"},
    {"from": "EUR", "to": "KZT", "rate": Decimal("0"), "valid_from": "2026-03-01"},
]
PACKS = [{"from": "case", "to": "each", "rate": 12}, {"from": "kg", "to": "g", "rate": 1000}]


def run(name: str, *args: Any) -> Any:
    """A function of the language, as generated code calls it."""
    return FUNCTIONS[name].run(*args)


def kzt(amount: str) -> tuple[Decimal, str]:
    return Decimal(amount), "KZT"


def each(value: str, unit: str = "each") -> tuple[Decimal, str, str]:
    return Decimal(value), unit, "ordered"


@settings(max_examples=150, deadline=None)
@given(
    units=st.integers(-(10**12), 10**12),
    weights=st.lists(st.integers(0, 10**6) | st.decimals(0, 1000, places=3), min_size=1, max_size=12),
    currency=st.sampled_from(["KZT", "JPY", "KWD"]),
)
def test_a_discount_over_lines_loses_no_cent(units: int, weights: list[Any], currency: str) -> None:
    """Pain 16: the parts add up to the whole, in whole minor units, none further than one unit from its share."""
    total = run("from_minor", units, currency)
    parts = run("allocate", total, weights)
    assert sum((amount for amount, _ in parts), Decimal(0)) == total[0]
    assert {code for _, code in parts} == {currency}
    counts = [run("to_minor", part) for part in parts]
    whole = sum(map(Decimal, weights), Decimal(0))
    for count, weight in zip(counts, weights, strict=True):
        share = Decimal(units) / len(weights) if whole == 0 else Decimal(units) * Decimal(weight) / whole
        assert abs(count - share) < 1
        assert whole == 0 or weight != 0 or count == 0


@settings(max_examples=100, deadline=None)
@given(cents=st.integers(0, 10**9), rate=st.sampled_from(["0", "0.05", "0.07", "0.12", "0.19", "0.2"]))
def test_net_and_tax_add_up_to_what_the_buyer_paid(cents: int, rate: str) -> None:
    """Pain 16: 69.00 stays 69.00."""
    gross = run("from_minor", cents, "EUR")
    net, tax = run("net", gross, Decimal(rate)), run("tax", gross, Decimal(rate))
    assert net[0] + tax[0] == gross[0]
    assert abs(run("gross", net, Decimal(rate))[0] - gross[0]) <= Decimal("0.01")


@pytest.mark.parametrize(
    ("day", "gives"),
    [
        ("2026-03-01", "5000.00"),
        ("2026-03-04T23:59:59Z", "5000.00"),
        ("2026-03-05", "5102.50"),
        ("2026-03-12", "5102.50"),
    ],
)
def test_money_is_exchanged_at_the_rate_of_its_day(day: str, gives: str) -> None:
    """The newest rate that has begun counts, for a week."""
    assert run("exchange", (Decimal(10), "USD"), "KZT", RATES, day) == kzt(gives)


@pytest.mark.parametrize(
    ("name", "args", "why"),
    [
        ("exchange", ((Decimal(1), "USD"), "KZT", RATES, "2026-02-28"), "no rate from USD to KZT on 2026-02-28"),
        ("exchange", ((Decimal(1), "USD"), "KZT", RATES, "2026-03-13"), "more than 7 days before"),
        ("exchange", (kzt("1"), "USD", RATES, "2026-03-05"), "no rate from KZT to USD"),
        ("exchange", ((Decimal(1), "EUR"), "KZT", RATES, "2026-03-05"), "not more than zero"),
        ("exchange", ((Decimal(1), "USD"), "KZT", [RATES[0], RATES[0]], "2026-03-05"), "begin on one day"),
        ("convert", (each("25"), "case", PACKS), "1 each would be left over"),
        ("convert", (each("1", "pallet"), "each", PACKS), "no rate between pallet and each"),
        ("convert", (each("1"), "case", [{**PACKS[0], "valid_from": "2026-01-01"}]), "of which day"),
        ("net", (kzt("112"), 12), "0.12, not 12"),
        ("allocate", (kzt("1"), [-1, 2]), "negative"),
        ("allocate", (kzt("1"), []), "nothing to allocate"),
        ("allocate", (kzt("1"), [kzt("1"), (Decimal(1), "EUR")]), "different currencies"),
        ("number", ("1,234.50", ",", "."), "not a number"),
        ("number", ("12.34,50", ",", "."), "not a number"),
        ("number", ("1 234", ",", ""), "not a number"),
        ("split", ("a", ""), "not empty"),
        ("sort", ([1, "a"],), "not compared"),
        ("sort", ([1, 2], [1]), "one per item"),
        ("keyed", ([1, 2], ["a", "a"]), "same key"),
        ("zip", ([1], [1, 2]), "equally long"),
        ("base64_decode", ("/w==",), "not base64 of UTF-8"),
        ("add_days", ("9999-12-31", 1), "out of the calendar"),
        ("uuid5", ("nowhere", "x"), "dns, url"),
    ],
)
def test_what_is_missing_too_old_or_inexact_is_a_fault_that_says_so(name: str, args: tuple[Any, ...], why: str) -> None:
    """Pains 17 and 21: no rate is guessed, no remainder dropped, no mark assumed."""
    with pytest.raises(Refused, match=why):
        run(name, *args)


@pytest.mark.parametrize(
    ("name", "args", "gives"),
    [
        ("convert", (each("24"), "case", PACKS), each("2", "case")),
        ("convert", (each("1500", "g"), "kg", PACKS, None, 3), each("1.5", "kg")),
        ("number", ("1\u00a0234,50", ",", " "), Decimal("1234.50")),
        ("number", ("1'234.50", ".", "'"), Decimal("1234.50")),
        ("number", ("−5,0", ",", "."), Decimal("-5.0")),
        ("from_minor", (1599, "JPY"), (Decimal(1599), "JPY")),
        ("from_minor", (1599, "KWD"), (Decimal("1.599"), "KWD")),
        ("round", ((Decimal("2.345"), "EUR"), 2, "half_even"), (Decimal("2.34"), "EUR")),
        ("add_months", ("2028-01-31", 1), "2028-02-29"),
        ("add_months", ("2026-03-31", -13), "2025-02-28"),
        ("add_days", ("2026-03-28T10:00:00Z", 1, "Europe/Berlin"), "2026-03-29T09:00:00Z"),
        ("start_of", ("2026-03-29T12:00:00Z", "day", "Europe/Berlin"), "2026-03-28T23:00:00Z"),
        ("start_of", ("2026-03-29", "week"), "2026-03-23"),
        ("add_business_days", ("2026-03-09", -1, ["2026-03-06"]), "2026-03-05"),
        ("days_between", ("2026-03-01T20:00:00Z", "2026-03-02", "Asia/Almaty"), 0),
        ("sort", ([{"a": 1}, {"a": 2}, {"a": 3}], [1, 1, 0], "descending"), [{"a": 1}, {"a": 2}, {"a": 3}]),
        ("group", ([1, 2, 3], [1, True, Decimal("1.0")]), [{"key": 1, "items": [1, 3]}, {"key": True, "items": [2]}]),
        ("ascii", ("Ġorġ Ñandú Ѓорѓи Қаражанбас",), "Gorg Nandu Gorgi Qarazhanbas"),
        ("strip_html", ("<p>1 &lt; 2</p><ul><li>a<li>b</ul><style>p{}</style>",), "1 < 2\na\nb"),
    ],
)
def test_business_values_come_out_exact(name: str, args: tuple[Any, ...], gives: Any) -> None:
    """P7: per currency, per unit, per zone, per country."""
    assert run(name, *args) == gives


@settings(max_examples=150, deadline=None)
@given(whole=st.integers(-2, 10**6), digits=st.text("05", max_size=4), lead=st.sampled_from(["", "0", "+"]))
def test_a_figure_is_the_same_however_many_zeros_its_text_has(whole: int, digits: str, lead: str) -> None:
    """P7: a figure in a platform's usual text, read without computing, is the number that computing it gives."""
    text = f"{lead if whole >= 0 else ''}{whole}" + (f".{digits}" if digits else "")
    assert quantity_out(text, "each", "on_hand") == quantity_json(quantity_of(Decimal(text), "each", "on_hand"))


@settings(max_examples=150, deadline=None)
@given(at=st.datetimes(timezones=st.just(UTC)), sep=st.sampled_from("T "), micro=st.booleans())
def test_a_moment_has_one_text_however_it_was_written(at: datetime, sep: str, micro: bool) -> None:
    """P7: canonical texts compare as time does, so a moment has one of them, whatever the platform wrote."""
    at = at if micro else at.replace(microsecond=0)
    canonical = moment_of(at.isoformat())
    assert datetime.fromisoformat(canonical) == at
    assert {moment_of(canonical), moment_of(at.isoformat(sep)), moment_of(f"{at.isoformat(sep)[:-6]}Z")} == {canonical}


@pytest.mark.parametrize("text", ["2026-02-30T09:00:00Z", "2026-13-01T09:00:00Z", "2026-03-01T09:60:00Z"])
def test_what_only_looks_like_a_moment_is_refused(text: str) -> None:
    """P6: no document slips through because its text has the usual shape."""
    with pytest.raises(Refused, match="not a moment"):
        moment_of(text)

"""Functions of money and quantities: a cent is neither lost nor made, and no rate is guessed.

A *table of rates* is a list of objects ``{from, to, rate, valid_from}``: one ``from`` is ``rate`` ``to``, from that day
until the next entry of the same pair. It stands in the channel's settings (``context.settings.rates``), in a
document, or in the expression itself.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from mappings.language.amounts import DIGITS, Money, Quantity, minor_of, money_of, shortest
from mappings.language.functions.registry import Family, list_only, of_items, whole
from mappings.language.operators import number_only, text_only
from mappings.language.values import EXACT, ROUNDING, Refused, decimal_of, wrong

family = Family("money")

ZEROS = {unit: unit - unit for unit in (Decimal(1), Decimal("0.01"), Decimal("0.001"), Decimal("0.0001"))}


def _money(value: Any) -> Money:
    if value.__class__ is not tuple or len(value) != 2:
        raise wrong(value, "money")
    return value


def _quantity(value: Any) -> Quantity:
    if value.__class__ is not tuple or len(value) != 3:
        raise wrong(value, "a quantity")
    return value


@family("zero(currency: currency) -> money", "no money, in that currency", "currency(zero('KZT'))", "KZT")
def _zero(currency: str) -> Money:
    return ZEROS[DIGITS[currency]], currency


@family("amount(value: money) -> decimal", "the number", "amount(money(12.5, 'KZT'))", Decimal("12.50"))
def _amount(value: Any) -> Decimal:
    return _money(value)[0]


@family("currency(value: money) -> text", "the code", "currency(money(12.5, 'KZT'))", "KZT")
def _currency(value: Any) -> str:
    return _money(value)[1]


@family(
    "from_minor(value: integer, currency: currency) -> money",
    "money counted in its smallest unit: cents, tiyn, yen",
    "amount(from_minor(1599, 'USD'))",
    Decimal("15.99"),
)
def _from_minor(value: Any, currency: str) -> Money:
    return minor_of(whole(value, "a whole number of minor units"), currency)


@family(
    "to_minor(value: money) -> integer", "money as a count of its smallest unit", "to_minor(money(15.99, 'USD'))", 1599
)
def _to_minor(value: Any) -> int:
    amount, currency = money_of(_money(value))
    return int(EXACT.divide(amount, DIGITS[currency]))


@family(
    "allocate(total: money, weights: list) -> moneys",
    "money divided by weights (numbers or money), one part each: the parts add up to the total, by largest remainder",
    "[amount(part) for part in allocate(money(100, 'KZT'), [1, 1, 1])]",
    [Decimal("33.34"), Decimal("33.33"), Decimal("33.33")],
)
def allocate(total: Any, weights: Any) -> list[Money]:
    """Parts of whole minor units; equal remainders are served from the first on; all weights zero count as equal."""
    amount, currency = money_of(_money(total))
    of_items(len(list_only(weights)))
    if {w[1] for w in weights if w.__class__ is tuple} and len({w[1:] for w in weights if w.__class__ is tuple}) > 1:
        raise Refused("mixed", "weights of different currencies or units")
    shares = [decimal_of(number_only(w[0] if w.__class__ is tuple else w)) for w in weights]
    if any(share < 0 for share in shares):
        raise Refused("allocate", "a weight is negative")
    if not shares:
        if amount == 0:
            return []
        raise Refused("allocate", "there is nothing to allocate the money to")
    whole_weight = sum(shares, Decimal(0))
    if whole_weight == 0:
        shares, whole_weight = [Decimal(1)] * len(shares), Decimal(len(shares))
    unit = DIGITS[currency]
    units = int(EXACT.divide(amount, unit))
    sign = -1 if units < 0 else 1
    # integers, so that no quotient is cut off: a share is units * weight // whole weight
    scale = -min(int(share.as_tuple().exponent) for share in shares)
    parts = [int(share.scaleb(max(scale, 0), EXACT)) for share in shares]
    everything = sum(parts)
    exact = [divmod(abs(units) * part, everything) for part in parts]
    left = abs(units) - sum(quotient for quotient, _ in exact)
    served = set(sorted(range(len(exact)), key=lambda n: -exact[n][1])[:left])
    return [
        (EXACT.multiply(Decimal(sign * (quotient + (n in served))), unit) + 0, currency)
        for n, (quotient, _) in enumerate(exact)
    ]


def _tax_rate(rate: Any) -> Decimal:
    number = decimal_of(number_only(rate))
    if not 0 <= number < 1:
        raise Refused("rate", "a tax rate is a fraction from 0 up to 1: 0.12, not 12", number)
    return number


def _to_cents(amount: Decimal, currency: str, mode: str) -> Money:
    if mode not in ROUNDING:
        raise Refused("round", f"no such rounding mode; known: {', '.join(ROUNDING)}", mode)
    return money_of(amount.quantize(DIGITS[currency], ROUNDING[mode], EXACT), currency)


@family(
    "net(gross: money, rate: decimal, mode: mode = 'half_up') -> money",
    "without the tax it includes, rounded to the currency; the rate is a fraction",
    "amount(net(money(112, 'KZT'), 0.12))",
    Decimal("100.00"),
)
def _net(gross: Any, rate: Any, mode: str = "half_up") -> Money:
    amount, currency = _money(gross)
    return _to_cents(EXACT.divide(amount, 1 + _tax_rate(rate)), currency, mode)


@family(
    "gross(net: money, rate: decimal, mode: mode = 'half_up') -> money",
    "with the tax on top, rounded to the currency",
    "amount(gross(money(100, 'KZT'), 0.12))",
    Decimal("112.00"),
)
def _gross(net: Any, rate: Any, mode: str = "half_up") -> Money:
    amount, currency = _money(net)
    return _to_cents(EXACT.multiply(amount, 1 + _tax_rate(rate)), currency, mode)


@family(
    "tax(gross: money, rate: decimal, mode: mode = 'half_up') -> money",
    "the tax that is in it: gross less net, so that both add up",
    "amount(tax(money(99.99, 'EUR'), 0.19))",
    Decimal("15.96"),
)
def _tax(gross: Any, rate: Any, mode: str = "half_up") -> Money:
    amount, currency = _money(gross)
    return money_of(amount - _net(gross, rate, mode)[0], currency)


def _day(on: Any) -> date:
    """The day of a date, or of a moment in UTC."""
    try:
        return date.fromisoformat(text_only(on)[:10])
    except ValueError:
        raise Refused("date", "a date or a moment is wanted", on) from None


def _entry(table: Any, one: str, other: str, on: date) -> tuple[Decimal, date | None] | None:
    """The rate in force on that day and its first day; None when there is none."""
    best: tuple[Decimal, date | None] | None = None
    for entry in list_only(table):
        if entry.__class__ is not dict:
            raise wrong(entry, "an entry {from, to, rate, valid_from}")
        if entry.get("from") != one or entry.get("to") != other:
            continue
        since = None if entry.get("valid_from") is None else _day(entry["valid_from"])
        if since is not None and since > on:
            continue
        rate = decimal_of(entry.get("rate"))
        if rate <= 0:
            raise Refused("rate", f"the rate from {one} to {other} is not more than zero")
        if best is not None and best[1] == since:
            raise Refused("rate", f"two rates from {one} to {other} begin on one day")
        if best is None or best[1] is None or (since is not None and since > best[1]):
            best = rate, since
    return best


@family(
    "exchange(value: money, to: currency, rates: list, on: any, max_age: integer = 7) -> money",
    "in another currency, not rounded, by the rate in force on that day (a date or moment); a missing rate, or one "
    "that began more than `max_age` days before, is a fault",
    "amount(exchange(money(10, 'USD'), 'KZT', "
    "[{'from': 'USD', 'to': 'KZT', 'rate': 510.25, 'valid_from': '2026-03-01'}], '2026-03-03'))",
    Decimal("5102.50"),
)
def _exchange(value: Any, to: str, rates: Any, on: Any, max_age: int = 7) -> Money:
    amount, currency = _money(value)
    day = _day(on)
    if DIGITS[to] and currency == to:
        return amount, currency
    found = _entry(rates, currency, to, day)
    if found is None:
        raise Refused("rate", f"there is no rate from {currency} to {to} on {day}")
    rate, since = found
    if since is None:
        raise Refused("rate", f"the rate from {currency} to {to} has no valid_from")
    if (day - since).days > whole(max_age):
        raise Refused("rate", f"the rate from {currency} to {to} is of {since}, more than {max_age} days before {day}")
    return EXACT.multiply(amount, rate), to


# -- quantities -------------------------------------------------------------------------------------------------------
quantity_family = Family("quantity")


@quantity_family(
    "value(value: quantity) -> decimal",
    "the number of a quantity",
    "value(quantity(3, 'each', 'ordered'))",
    Decimal(3),
)
def _value(value: Any) -> Decimal:
    return _quantity(value)[0]


@quantity_family(
    "unit(value: quantity) -> text", "what a quantity is counted in", "unit(quantity(3, 'each', 'ordered'))", "each"
)
def _unit(value: Any) -> str:
    return _quantity(value)[1]


@quantity_family(
    "count_as(value: quantity, kind: kind) -> quantity",
    "the same count as another kind, on the author's word: what is on hand as available, where nothing is promised",
    "value(count_as(quantity(3, 'each', 'on_hand'), 'available'))",
    Decimal(3),
)
def _count_as(value: Any, kind: str) -> Quantity:
    number, unit, _ = _quantity(value)
    return number, unit, text_only(kind)


@quantity_family(
    "convert(value: quantity, to: unit, table: list, on: any = '', digits: integer = 0) -> quantity",
    "in another unit (1 `from` is `rate` `to`, either way round); what does not come out exactly, with at most "
    "`digits` decimals, is a fault; `on` is the day, for entries with valid_from",
    "value(convert(quantity(2, 'case', 'ordered'), 'each', [{'from': 'case', 'to': 'each', 'rate': 12}]))",
    Decimal(24),
)
def _convert(value: Any, to: str, table: Any, on: Any = None, digits: int = 0) -> Quantity:
    number, unit, kind = _quantity(value)
    if not 0 <= whole(digits) <= 12:
        raise Refused("convert", "between 0 and 12 digits")
    if text_only(to) == unit:
        return value  # type: ignore[no-any-return]  # a quantity, see above
    dated = any(entry.__class__ is dict and entry.get("valid_from") is not None for entry in list_only(table))
    if dated and on is None:
        raise Refused("rate", "the table has dates: `on` says of which day")
    day = date.max if on is None else _day(on)
    found, back = _entry(table, unit, to, day), False
    if found is None:
        found, back = _entry(table, to, unit, day), True
    if found is None:
        raise Refused("rate", f"there is no rate between {unit} and {to}" + ("" if on is None else f" on {day}"))
    rate = found[0]
    exact = EXACT.divide(number, rate) if back else EXACT.multiply(number, rate)
    made = exact.quantize(Decimal(1).scaleb(-digits), ROUNDING["down"], EXACT)
    if made != exact or (back and EXACT.multiply(made, rate) != number):
        left = number - EXACT.multiply(made, rate) if back else EXACT.divide(exact - made, rate)
        over = f"{shortest(left)} {unit} would be left over; `digits` allows a fraction"
        raise Refused("convert", f"not a whole number of {to}: {over}")
    return made + 0, to, kind

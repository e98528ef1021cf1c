"""Exact business values while a mapping runs, and how they are read from and written to JSON.

Inside a mapping money is the tuple ``(amount, currency)`` and a quantity ``(value, unit, kind)``, amounts are
``Decimal``; a moment is its canonical text (UTC, ``…Z``), which compares as time does. Tuples because one is built per
price of every order line: a class costs three times as much. Every reader here refuses what it cannot read exactly;
none turns a null into something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from functools import lru_cache
from typing import Any, NoReturn, TypeAlias
from zoneinfo import ZoneInfo

Money: TypeAlias = tuple[Decimal, str]
Quantity: TypeAlias = tuple[Decimal, str, str]

EXACT = Context(prec=60)
"""Arithmetic of a page: 60 digits, so that sums and products of business figures are never rounded in passing."""

ROUNDING = {
    "half_up": ROUND_HALF_UP,
    "half_even": ROUND_HALF_EVEN,
    "up": ROUND_UP,
    "down": ROUND_DOWN,
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
}


class _Missing:
    """Absent, as opposed to null. It has no truth value, so that no test can mistake it for one."""

    def __bool__(self) -> NoReturn:
        raise TypeError("absent is neither true nor false: test `is MISSING`")

    def __repr__(self) -> str:
        return "absent"


MISSING: Any = _Missing()


class Refused(Exception):
    """A value breaks a rule. ``value`` is what was found; it is shown only by its shape (see ``faults.mask``)."""

    def __init__(self, rule: str, message: str, value: Any = MISSING) -> None:
        super().__init__(message)
        self.rule = rule
        self.value = value


class NullOperand(Refused):
    """Something that must have a value is null."""

    def __init__(self, message: str = "a value it needs is null") -> None:
        super().__init__("null", message)


def _named(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "text", int: "a number", Decimal: "a number", dict: "an object", list: "a list"}
    return names.get(value.__class__, "a composite value")


def wrong(value: Any, wanted: str, hint: str = "") -> Refused:
    """The fault of a value of the wrong type."""
    if value is None or value is MISSING:
        return NullOperand(f"{wanted} is wanted, the value is null")
    return Refused("type", f"{_named(value)} where {wanted} is wanted{hint}", value)


_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)").fullmatch


def decimal_of(value: Any, separator: str = ".") -> Decimal:
    """An exact number from a JSON number or from text in plain notation (no ``1E5``, no ``1_000``, no spaces).

    ``separator`` is the decimal mark and, after it, the mark of thousands where the text may have one.
    """
    kind = value.__class__
    if kind is str:
        text = value if separator == "." else separated(value, separator)
        if _PLAIN(text) is None or len(text) > 50:
            raise Refused("number", "the text is not an exact number in plain notation", value)
        return Decimal(text)
    if kind is Decimal:
        if not value.is_finite() or abs(value.adjusted()) > 50:
            raise Refused("number", "the number is out of range", value)
        number: Decimal = value
        return number
    if kind is int:
        return Decimal(value)
    raise wrong(value, "a number")


@lru_cache(maxsize=64)
def _located(decimal: str, thousands: str) -> re.Pattern[str]:
    group = re.escape(thousands) if thousands else "(?!)"
    return re.compile(rf"[+-]?(?:[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)(?:{re.escape(decimal)}[0-9]+)?")


def separated(text: str, separator: str) -> str:
    """The number in plain notation; blanks of every width count as one, and a minus sign as a hyphen."""
    decimal, thousands = separator[0], separator[1:]
    text = re.sub("[\u00a0\u2009\u202f]", " ", text).replace("\u2212", "-")
    if len(text) > 80 or _located(decimal, thousands).fullmatch(text) is None:
        marks = f"{decimal!r} before decimals" + (f" and {thousands!r} between thousands" if thousands else "")
        raise Refused("number", f"the text is not a number with {marks}", text)
    return (text.replace(thousands, "") if thousands else text).replace(decimal, ".")


def _printable(value: Decimal) -> bool:
    """1E+999999999 is ten characters in JSON and a gigabyte in plain notation."""
    return value.is_finite() and -60 < value.adjusted() < 60 and int(value.as_tuple().exponent) > -60


def number_text(value: int | Decimal) -> str:
    """A number in plain notation with the digits it has: ``0.10`` stays ``0.10``."""
    if value.__class__ is int:
        return str(value)
    if value.__class__ is Decimal:
        if not _printable(value):
            raise Refused("number", "the number is out of range", value)
        return format(value, "f")
    raise wrong(value, "a number")


def integer_of(value: Any, separator: str = ".") -> int:
    """A whole number; a fraction is refused, not cut off."""
    if value.__class__ is int:
        return value
    number = decimal_of(value, separator)
    whole = int(number)
    if whole != number:
        raise Refused("integer", "the number has a fraction", value)
    return whole


def text_of(value: Any) -> str:
    """Text as it is; numbers in plain notation; booleans as ``true`` and ``false``."""
    kind = value.__class__
    if kind is str:
        text: str = value
        return text
    if kind is int or kind is Decimal:
        return number_text(value)
    if kind is bool:
        return "true" if value is True else "false"
    raise wrong(value, "text")


def boolean_of(value: Any) -> bool:
    """true or false; nothing else counts as either."""
    if value is True or value is False:
        return value
    raise wrong(value, "true or false", "; a table can say what counts as true")


def object_of(value: Any) -> dict[str, Any]:
    """An object."""
    if value.__class__ is dict:
        return value
    raise wrong(value, "an object")


def list_of(value: Any) -> list[Any]:
    """A list."""
    if value.__class__ is list:
        return value
    raise wrong(value, "a list")


# -- money ------------------------------------------------------------------------------------------------------------
CENT = Decimal("0.01")
_CENTS = re.compile(r"(?:0|[1-9][0-9]{0,20})\.[0-9]{2}").fullmatch
"""What most amounts look like: already canonical for a currency of two digits, so nothing has to be computed."""


_CURRENCY = re.compile(r"[A-Z]{3}").fullmatch  # str.isupper would let "1E5" pass


class _Digits(dict[str, Decimal]):
    """Currency → its smallest unit. ISO 4217: two digits, but for those named here."""

    def __missing__(self, currency: Any) -> Decimal:
        if currency.__class__ is not str or _CURRENCY(currency) is None:
            raise (
                wrong(currency, "a currency code")
                if currency.__class__ is not str
                else Refused("currency", "not a currency code of three capital letters", currency)
            )
        if len(self) < 1000:
            self[currency] = CENT
        return CENT


_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
DIGITS = _Digits(
    {
        **dict.fromkeys(_NO_DIGITS.split(), Decimal(1)),
        **dict.fromkeys(_THREE_DIGITS.split(), Decimal("0.001")),
        **dict.fromkeys(("CLF", "UYW"), Decimal("0.0001")),
    }
)


def money_of(amount: Any, currency: Any = None, separator: str = ".") -> Money:
    """Money with exactly the digits its currency has; more digits are refused (``round:`` says how to lose them).

    An amount that is already money, or its canonical JSON form, keeps its currency.
    """
    if amount.__class__ is str:
        if _CENTS(amount) is not None and DIGITS[currency] is CENT:
            return Decimal(amount), currency
    elif amount.__class__ is tuple:
        amount, currency = amount
    elif amount.__class__ is dict and currency is None:
        amount, currency = amount.get("amount"), amount.get("currency")
    unit = DIGITS[currency]
    if amount.__class__ is not Decimal:
        amount = decimal_of(amount, separator)
    exact = amount.quantize(unit, context=EXACT)
    if exact != amount:
        raise Refused("digits", f"more digits than {currency} has; `round:` says how to round", amount)
    if exact.is_zero():
        exact = exact.copy_abs()
    return exact, currency


def minor_of(amount: Any, currency: Any, separator: str = ".") -> Money:
    """Money counted in the smallest unit of its currency."""
    unit = DIGITS[currency]
    return EXACT.multiply(Decimal(integer_of(amount, separator)), unit) + 0, currency


def money_rounded(amount: Any, currency: Any, mode: str, separator: str = ".") -> Money:
    """Money rounded to the digits of its currency by the named mode."""
    if amount.__class__ is tuple:
        amount, currency = amount
    elif amount.__class__ is dict and currency is None:
        amount, currency = amount.get("amount"), amount.get("currency")
    unit = DIGITS[currency]
    return money_of(decimal_of(amount, separator).quantize(unit, ROUNDING[mode], EXACT), currency)


def money_json(money: Any) -> Any:
    """Money in the canonical JSON form; null stays null."""
    if money is None:
        return None
    text = str(money[0])  # half the time of format(…, "f"), which only amounts with an exponent need
    return {"amount": text if "E" not in text else format(money[0], "f"), "currency": money[1]}


def money_out(amount: Any, currency: Any, separator: str = ".") -> dict[str, str]:
    """``money_of`` and ``money_json`` in one step, for a row to which no other row refers."""
    if amount.__class__ is str and _CENTS(amount) is not None and DIGITS[currency] is CENT:
        return {"amount": amount, "currency": currency}  # already in canonical form
    return money_json(money_of(amount, currency, separator))  # type: ignore[no-any-return]  # money is never null here


def subtract_money(a: Money, b: Money) -> Money:
    """a - b in one currency."""
    if a[1] != b[1]:
        raise Refused("mixed", "different currencies in one sum")
    return a[0] - b[0], a[1]


def add_money(a: Money, b: Money) -> Money:
    """a + b in one currency."""
    if a[1] != b[1]:
        raise Refused("mixed", "different currencies in one sum")
    return a[0] + b[0], a[1]


def sum_money(values: list[Money], start: Money) -> Money:
    """The total of amounts in one currency."""
    total, currency = start
    for amount, other in values:
        if other != currency:
            raise Refused("mixed", "different currencies in one sum")
        total += amount
    return total, currency


# -- quantity ---------------------------------------------------------------------------------------------------------
def quantity_of(value: Any, unit: Any = None, kind: Any = None, separator: str = ".") -> Quantity:
    """A quantity; one in canonical JSON form keeps its unit and kind."""
    if value.__class__ is tuple:
        return value
    if value.__class__ is dict:
        value, unit, kind = value.get("value"), value.get("unit"), value.get("kind")
    if unit.__class__ is not str or kind.__class__ is not str:
        raise wrong(unit if unit.__class__ is not str else kind, "a unit and a kind of quantity")
    return decimal_of(value, separator), unit, kind


def shortest(value: Any) -> str:
    """A number without trailing zeros and without an exponent: 3.0 and 3 are the same quantity."""
    if value.__class__ is int:
        return str(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def quantity_json(quantity: Any) -> Any:
    """A quantity in the canonical JSON form; null stays null."""
    return quantity if quantity is None else {"value": shortest(quantity[0]), "unit": quantity[1], "kind": quantity[2]}


def quantity_out(value: Any, unit: str, kind: str, separator: str = ".") -> dict[str, str]:
    """``quantity_of`` and ``quantity_json`` in one step."""
    if value.__class__ is int:
        return {"value": str(value), "unit": unit, "kind": kind}
    json: dict[str, str] = quantity_json(quantity_of(value, unit, kind, separator))
    return json


# -- moments ----------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The zone of that name in the IANA list."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Refused("zone", "there is no time zone of that name in the IANA list", name) from None


def moment_of(value: Any, zone: str | None = None, format: str | None = None) -> str:
    """A moment as UTC text ``2026-03-01T09:00:00Z``. Without an offset in the text it needs ``zone``.

    ``format`` is ``unix``, ``unix_ms``, or a pattern of strptime; without it the text is ISO 8601.
    """
    try:
        if format is None:
            if value.__class__ is not str:
                raise wrong(value, "text with a moment")
            moment = datetime.fromisoformat(value)
            if len(value) < 13:
                raise Refused("moment", "a date without a time of day; `as: date` reads dates", value)
        elif format in ("unix", "unix_ms"):
            micro = int(decimal_of(value).scaleb(6 if format == "unix" else 3, EXACT))
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micro)
        else:
            if value.__class__ is not str:
                raise wrong(value, "text with a moment")
            moment = datetime.strptime(value, format)  # noqa: DTZ007  # its zone is settled below
        if moment.tzinfo is not UTC:
            if moment.tzinfo is None:
                if zone is None:
                    raise Refused("zone", "a moment without offset or zone; `forms: {moment: {zone: …}}`", value)
                moment = moment.replace(tzinfo=zone_of(zone))
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            "moment", "the text is not a moment" + (f" of the form {format}" if format else ""), value
        ) from None
    return moment.isoformat()[:-6] + "Z"


def moment_text(value: str, zone: str | None = None, format: str | None = None) -> Any:
    """A canonical moment in a platform's way of writing it: UTC unless ``zone``, ISO unless ``format``."""
    moment = datetime.fromisoformat(value)
    if format in ("unix", "unix_ms"):
        micro = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return micro // (1_000_000 if format == "unix" else 1_000)
    if zone is not None:
        moment = moment.astimezone(zone_of(zone))
    if format is not None:
        return moment.strftime(format)
    return value if zone is None else moment.isoformat()


def date_of(value: Any, format: str | None = None) -> str:
    """A calendar date as text ``2026-03-01``."""
    if value.__class__ is not str:
        raise wrong(value, "text with a date")
    try:
        if format is not None:
            return datetime.strptime(value, format).date().isoformat()  # noqa: DTZ007  # a date has no zone
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise Refused("date", "the text is not a date" + (f" of the form {format}" if format else ""), value) from None


# -- addresses of people ----------------------------------------------------------------------------------------------
def email_of(value: Any) -> str:
    """An e-mail address without surrounding blanks; the domain in lower case."""
    text = text_of(value).strip()
    local, at, domain = text.rpartition("@")
    if not at or not local or "." not in domain or any(c.isspace() for c in text):
        raise Refused("email", "the text is not an e-mail address", value)
    return f"{local}@{domain.lower()}"


@lru_cache(maxsize=4096)
def _phone(text: str, region: str | None) -> str | None:
    import phonenumbers  # its tables are a tenth of what a verb needs to start

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone_of(value: Any, region: str | None = None) -> str:
    """A telephone number as E.164 text; ``region`` reads numbers written without a country code."""
    if value.__class__ is not str:
        raise wrong(value, "text with a telephone number")
    number = _phone(value, region)
    if number is None:
        raise Refused("phone", "the text is not a telephone number" + ("" if region else " (no region is set)"), value)
    return number


MAX_VALUES = 250_000
"""How many values one document may yield or go through: far more than any order has, far less than a machine."""


def plain(value: Any, left: list[int] | None = None) -> Any:
    """Any value as canonical JSON: exact numbers and composites become text, however deep they lie."""
    if value is None or value is True or value is False:
        return value
    kind = value.__class__
    if kind is Decimal:
        return number_text(value)
    if kind is tuple:
        return money_json(value) if len(value) == 2 else quantity_json(value)
    if kind is list or kind is dict:
        left = fewer(len(value), left)
        if kind is list:
            return [plain(item, left) for item in value]
        return {key: plain(item, left) for key, item in value.items()}
    return value


def native(value: Any, left: list[int] | None = None) -> Any:
    """Any value as a document may hold it: numbers stay exact numbers, composites become objects."""
    kind = value.__class__
    if kind is tuple:
        return money_json(value) if len(value) == 2 else quantity_json(value)
    if kind is list or kind is dict:
        left = fewer(len(value), left)
        if kind is list:
            return [native(item, left) for item in value]
        return {key: native(item, left) for key, item in value.items()}
    return value


def fewer(count: int, left: list[int] | None) -> list[int]:
    """What is left after so many values; a list in a list in a list of the same list is small until it is copied."""
    left = [MAX_VALUES] if left is None else left
    left[0] -= count
    if left[0] < 0:
        raise Refused("length", f"the value would hold more than {MAX_VALUES:,} values")
    return left


def masked(value: Any) -> str:
    """The shape of a value, never the value: ``dd,dd``, ``text(12)``, ``object(3 fields)``."""
    if value is MISSING:
        return "absent"
    if value is None:
        return "null"
    if value.__class__ is bool:
        return "a boolean"
    if isinstance(value, int | Decimal):
        if value.bit_length() > 200 if isinstance(value, int) else not _printable(value):
            return "a number out of range"
        return re.sub(r"[0-9]", "d", number_text(value))[:24]
    if isinstance(value, str):
        if len(value) <= 12 and re.fullmatch(r"[0-9.,+\- ]+", value):
            return re.sub(r"[0-9]", "d", value)
        return f"text({len(value)})"
    if isinstance(value, Mapping):
        return f"object({len(value)} fields)"
    return f"list({len(value)} items)" if isinstance(value, list) else "a composite value"


Reader: TypeAlias = Callable[..., Any]
READERS: dict[str, Reader] = {
    "text": text_of,
    "integer": integer_of,
    "decimal": decimal_of,
    "boolean": boolean_of,
    "object": object_of,
    "list": list_of,
    "date": date_of,
    "moment": moment_of,
    "money": money_of,
    "quantity": quantity_of,
    "email": email_of,
    "phone": phone_of,
}
"""Every type of `as:`, and the function that reads it."""

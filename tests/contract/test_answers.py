"""JSON in and out digit for digit, the waits platforms ask for, and what of their words we repeat."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from connectors.answers import LONGEST_SAYING, decoded, encoded, masked, said, wait

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: d.as_tuple().exponent != 0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | DECIMALS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def exactly(value: Any) -> Any:
    """The value with its type and digits: 1 is not True, 0.10 is not 0.1."""
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return (type(value).__name__, str(value))


@given(JSON)
def test_every_json_value_survives_the_way_out_and_back(value: Any) -> None:
    """P7: type, digits, trailing zeros, integers of any length, any text."""
    assert exactly(decoded(encoded(value))) == exactly(value)


@given(JSON)
def test_what_we_send_is_json_for_everybody(value: Any) -> None:
    """P7: another decoder reads the same."""
    assert exactly(json.loads(encoded(value), parse_float=Decimal)) == exactly(value)


@pytest.mark.parametrize("text", ["0.10", "1E5", "123456789012345678901234567890", "9007199254740993", "1e400", "-0.0"])
def test_numbers_are_read_exactly(text: str) -> None:
    """P7: no binary float anywhere."""
    (found,) = decoded(f"[{text}]".encode())
    assert found == Decimal(text)
    assert not isinstance(found, float)


def test_half_a_surrogate_pair_is_one_documents_fault_not_the_pages() -> None:
    """P6: the page is read, with its numbers exact; who stores it finds the bad text."""
    found = decoded(b'[{"name": "ok", "price": 0.10}, {"name": "\\ud83d"}]')
    assert found == [{"name": "ok", "price": Decimal("0.10")}, {"name": "\ud83d"}]
    with pytest.raises(ValueError, match="JSON"):
        decoded(b'["\\ud83d", NaN]')


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), [Decimal("-Infinity")], {"a": "\ud800"}, object(), {"b": {1, 2}} and {"b": 1j}]
)
def test_what_json_cannot_carry_is_refused_before_it_is_sent(value: Any) -> None:
    """P7: not turned into null or text on the way."""
    with pytest.raises(ValueError, match=r"pair|finite|type"):
        encoded(value)


def test_text_that_looks_like_a_number_that_is_none_is_sent() -> None:
    """P7: a product may be called Infinity."""
    assert encoded({"name": "NaN Infinity", "price": Decimal("1.50")}) == b'{"name":"NaN Infinity","price":1.50}'


def test_a_byte_order_mark_is_no_part_of_the_answer() -> None:
    """Some servers write one."""
    assert decoded(b"\xef\xbb\xbf{}") == {}


NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "37"}, 37), ({"retry-after": " 0.5 "}, 0.5), ({"retry-after": "0"}, 0),
        ({"retry-after": "Sun, 01 Mar 2026 09:00:20 GMT"}, 20),
        ({"retry-after": "Sun, 01 Mar 2026 09:00:20 GMT", "date": "Sun, 01 Mar 2026 09:00:15 GMT"}, 5),
        ({"retry-after": "Sun, 01 Mar 2026 08:00:00 GMT"}, 0),
        ({}, 9), ({"retry-after": "soon"}, 9), ({"retry-after": "-5"}, 9), ({"retry-after": "nan"}, 9),
        ({"x-rate-limit-time-reset-ms": "15500"}, 15.5),
        ({"x-rate-limit-time-reset-ms": "15500", "retry-after": "3"}, 3),
        ({"x-rate-limit-time-reset-ms": "soon"}, 9),
    ],
)  # fmt: skip
def test_the_wait_is_the_platforms_own(headers: dict[str, str], seconds: float) -> None:
    """P14: seconds or a date, the date by the platform's own clock; ours only where it says nothing usable."""
    assert wait(headers, NOW, 9) == seconds


def test_what_a_platform_says_is_repeated_without_secrets_and_persons() -> None:
    """P13: our credential, addresses and phone numbers are masked; a barcode is not."""
    text = "token abc123 of aigerim@example.kz (+7 701 123-45-67) is bad\nfor 4870001000017 \x00 and abc"
    clean = masked(text, ["abc", "abc123"])
    assert clean == "token *** of *** (***) is bad for 4870001000017 and abc"
    assert len(masked("x" * 5000, [])) == LONGEST_SAYING + 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"code": "unknown_item", "field": "lines.0", "message": "no such item"}},
         "unknown_item: lines.0: no such item"),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
        ({"message": "plain"}, "plain"), ({"detail": "nested", "data": {"x": 1}}, "nested"),
        ("text", "text"), (None, ""), ({}, ""), ([], ""),
    ],
)  # fmt: skip
def test_what_a_platform_says_is_found_where_platforms_say_it(body: Any, text: str) -> None:
    """Ops read the platform's own words."""
    assert said(body) == text

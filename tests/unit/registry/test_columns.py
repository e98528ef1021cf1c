"""JSON columns: a page of them is written as each would be by itself, and what JSON cannot hold is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from registry.codec import as_text, as_texts, decode, encode, encode_all

TEXTS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["NaN", "Infinity\n", "\u2028"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2**63, 2**63) | st.decimals(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | VALUES.map(encode) | st.dictionaries(TEXTS, VALUES, max_size=3), max_size=4))
def test_a_page_of_values_is_kept_as_each_would_be_by_itself(page: list[Any]) -> None:
    """Text stands as it is, nothing stays nothing, data keeps every digit, whatever stands beside it."""
    assert as_texts(page) == [as_text(one) for one in page]
    data = [one for one in page if isinstance(one, dict)]
    assert [decode(text) for text in encode_all(data)] == [decode(encode(one)) for one in data]


@pytest.mark.parametrize("value", [Decimal("NaN"), [Decimal("-Infinity")], {"a": "\ud800"}], ids=repr)
def test_what_json_cannot_hold_is_refused_in_a_page_too(value: Any) -> None:
    """P6: it is refused before it is stored, beside values that are fine."""
    with pytest.raises(ValueError, match=r"JSON|surrogate"):
        encode_all([{"a": 1}, value, {"b": "Infinity"}])
    with pytest.raises(ValueError, match=r"JSON|surrogate"):
        encode(value)

"""One record out of what several channels say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st

from mappings.canonical import fields
from mappings.commerce.merge import Authority, Contribution, merge

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
CHANNELS = ["erp", "shop", "crm", "pos"]


def says(channel: str, values: dict[str, Any], *, hour: int = 0, changed: dict[str, int] | None = None) -> Contribution:
    at = START + timedelta(hours=hour)
    return Contribution(
        channel=channel,
        values=values,
        covers=frozenset(values),
        asked_at=at,
        since=at,
        changed={name: START + timedelta(hours=when) for name, when in (changed or {}).items()},
    )


def test_the_first_listed_channel_that_covers_a_field_decides_it() -> None:
    erp = says("erp", {"sku": "007", "name": "Kettle"})
    shop = says("shop", {"sku": "8", "name": "Чайник", "gtin": "4006381333931"})
    merged = merge("variant", [shop, erp], {"*": ["erp", "shop"], "name": ["shop", "erp"]})
    assert merged.values == {"sku": "007", "gtin": "4006381333931", "name": "Чайник"}
    assert merged.sources == {"sku": "erp", "gtin": "shop", "name": "shop"}


def test_a_covered_null_wins_and_an_uncovered_field_says_nothing() -> None:
    """P7: null, absent, zero and empty text are four different things."""
    erp = says("erp", {"description": None, "brand": ""})
    shop = says("shop", {"description": "Red", "brand": "Tefal", "category": "Kitchen"})
    merged = merge("product", [erp, shop], {"*": ["erp", "shop"]})
    assert merged.values == {"description": None, "brand": "", "category": "Kitchen"}


def test_a_channel_that_is_not_listed_never_decides() -> None:
    rogue = says("pos", {"name": "x", "brand": "y"}, hour=9)
    merged = merge("product", [rogue, says("erp", {"name": "Kettle"})], {"*": ["erp"]})
    assert merged.values == {"name": "Kettle"}
    assert merge("product", [rogue], {}).values == {}


def test_newest_is_the_channel_whose_field_changed_last_not_the_one_read_last() -> None:
    crm = says("crm", {"phone": "+77010000001"}, hour=1, changed={"phone": 8})
    shop = says("shop", {"phone": "+77010000002"}, hour=20, changed={"phone": 3})
    assert merge("customer", [shop, crm], {"*": "newest"}).sources == {"phone": "crm"}


def test_origin_is_the_channel_that_spoke_first_even_where_it_does_not_cover_the_field() -> None:
    market = says("market", {"number": "MK-1"}, hour=1)
    erp = says("erp", {"number": "S1", "status": "shipped"}, hour=2)
    merged = merge("order", [erp, market], {"*": "origin", "status": ["erp", "origin"]})
    assert merged.values == {"number": "MK-1", "status": "shipped"}
    assert merge("order", [erp, market], {"*": "origin"}).values == {"number": "MK-1"}
    assert merge("order", [market], {"*": "origin", "status": ["erp", "origin"]}).values == {"number": "MK-1"}


def test_lists_are_taken_whole() -> None:
    line = {"key": "1", "quantity": {"value": "1", "unit": "each", "kind": "ordered"}}
    origin, erp = says("shop", {"lines": [line]}), says("erp", {"lines": [line, {**line, "key": "2"}]}, hour=1)
    assert merge("order", [origin, erp], {"*": ["shop"]}).values["lines"] == [line]


def test_a_channel_with_two_documents_speaks_through_the_one_that_changed_last() -> None:
    old = says("crm", {"phone": "1"}, changed={"phone": 1})
    new = says("crm", {"phone": "2"}, changed={"phone": 2})
    assert merge("customer", [new, old], {"*": ["crm"]}).values == {"phone": "2"}


VALUES = st.dictionaries(
    st.sampled_from(list(fields("product"))), st.sampled_from([None, "", "0", "a", False, 0]), max_size=5
)
CONTRIBUTIONS = st.lists(
    st.builds(
        says,
        st.sampled_from(CHANNELS),
        VALUES,
        hour=st.integers(0, 5),
        changed=st.dictionaries(st.sampled_from(list(fields("product"))), st.integers(0, 5), max_size=4),
    ),
    max_size=4,
    unique_by=lambda c: c.channel,
)
RULES = st.one_of(
    st.sampled_from(["newest", "origin"]),
    st.lists(st.sampled_from([*CHANNELS, "newest", "origin"]), max_size=4),
)
AUTHORITIES = st.dictionaries(st.sampled_from(["*", *fields("product")]), RULES, max_size=6)


@given(CONTRIBUTIONS, AUTHORITIES, st.randoms())
def test_every_merged_value_is_what_its_source_says_and_arrival_order_does_not_matter(
    contributions: list[Contribution], authority: Authority, random: Any
) -> None:
    """P4, P11: the record is a function of the contributions; each field explains itself by one channel."""
    merged = merge("product", contributions, authority)
    by_channel = {c.channel: c for c in contributions}
    for name, channel in merged.sources.items():
        source = by_channel[channel]
        assert name in source.covers
        assert merged.values[name] is source.values[name]
        rule = authority.get(name, authority.get("*", ()))
        words = [rule] if isinstance(rule, str) else list(rule)
        assert channel in words or "newest" in words or "origin" in words
    assert merged.values.keys() == merged.sources.keys()
    shuffled = list(contributions)
    random.shuffle(shuffled)
    assert merge("product", shuffled, authority) == merged


@given(CONTRIBUTIONS, AUTHORITIES)
def test_merging_the_record_back_in_changes_nothing(contributions: list[Contribution], authority: Authority) -> None:
    """P4: what a channel without authority repeats of the record is no edit."""
    merged = merge("product", contributions, authority)
    echo = Contribution(
        channel="mirror", values=merged.values, covers=frozenset(merged.values), asked_at=START, since=START
    )
    listed = {name: [rule] if isinstance(rule, str) else list(rule) for name, rule in authority.items()}
    if any("newest" in words or "origin" in words for words in listed.values()):
        return
    assert merge("product", [*contributions, echo], authority).values == merged.values

"""Cases, pieces, weights, lots and marks; bundles of parts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mappings.canonical import problems
from mappings.commerce.stock.bundles import can_make, explode, makeable_by_location, parts_of
from mappings.commerce.stock.units import counted_in, pieces, sold_in, unsold_units, whole

QUANTITIES = st.decimals(-1000, 1000, places=3)
SIZES = st.decimals("0.001", 100, places=3)


@given(QUANTITIES, SIZES)
def test_what_does_not_make_a_whole_case_is_left_over_to_the_last_gram(quantity: Decimal, size: Decimal) -> None:
    """P7: n · size + left = quantity, 0 ≤ left < size."""
    count, left = whole(quantity, size)
    assert pieces(Decimal(count), size) + left == quantity
    assert 0 <= left < size


@given(st.integers(0, 10_000).map(Decimal), st.integers(1, 1000).map(Decimal))
def test_full_cases_come_back_as_the_pieces_they_were(cases: Decimal, size: Decimal) -> None:
    assert whole(pieces(cases, size), size) == (int(cases), Decimal(0))


@given(st.decimals(0, 100, places=3), st.sampled_from(["0.05", "0.1", "0.25", "1"]).map(Decimal))
def test_goods_by_weight_are_sold_in_their_step(quantity: Decimal, step: Decimal) -> None:
    sold, left = sold_in(quantity, step)
    assert sold + left == quantity
    assert sold % step == 0
    assert 0 <= left < step


def test_cheese_is_sold_by_fifty_grams_and_the_crumb_is_told() -> None:
    assert sold_in(Decimal("1.234"), Decimal("0.05")) == (Decimal("1.20"), Decimal("0.034"))
    assert sold_in(Decimal("3.9"), None) == (Decimal(3), Decimal("0.9"))


def test_a_figure_in_a_unit_nobody_explained_is_no_figure() -> None:
    """P7: twelve cases are not twelve pieces."""
    assert counted_in(Decimal(2), "case", "each", ("case", Decimal(12))) == 24
    assert counted_in(Decimal(2), "each", "each", None) == 2
    assert counted_in(Decimal(2), "pallet", "each", ("case", Decimal(12))) is None
    with pytest.raises(ValueError, match="above zero"):
        whole(Decimal(1), Decimal(0))


# ── bundles ──────────────────────────────────────────────────────────────────────────────────────────────────────────
STOCK = st.dictionaries(st.sampled_from("abc"), st.decimals(-5, 60, places=1), max_size=3)
RECIPES = st.dictionaries(st.sampled_from("abc"), st.integers(1, 5).map(Decimal), min_size=1, max_size=3)


@given(STOCK, RECIPES)
def test_as_many_bundles_as_the_scarcest_part_allows_and_not_one_more(
    stock: dict[str, Decimal], parts: dict[str, Decimal]
) -> None:
    """P8: min over parts of ⌊available ÷ number⌋."""
    made = can_make(stock, parts)
    assert all(made * number <= max(Decimal(0), stock.get(part, Decimal(0))) for part, number in parts.items())
    assert any((made + 1) * number > stock.get(part, Decimal(0)) for part, number in parts.items())


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_bundle_and_its_part_sold_together_never_take_more_parts_than_there_are(
    there: int, sets: int, cups: int
) -> None:
    """P8, pain 20: what is left of the part after both sales bounds what the bundle shows."""
    recipe = {"tea-set": {"cup": Decimal(2)}}
    taken = explode("tea-set", Decimal(sets), recipe)["cup"] + cups
    left = Decimal(there) - taken
    assert taken + 2 * can_make({"cup": left}, recipe["tea-set"]) <= max(Decimal(there), taken)


def test_a_bundle_of_bundles_takes_the_parts_of_its_parts() -> None:
    recipes = {
        "hamper": {"tea-set": Decimal(2), "jam": Decimal(1)},
        "tea-set": {"cup": Decimal(4), "pot": Decimal(1), "jam": Decimal(1)},
    }
    assert explode("hamper", Decimal(3), recipes) == {"cup": 24, "pot": 6, "jam": 9}
    assert explode("cup", Decimal(3), recipes) == {"cup": 3}


def test_a_bundle_that_holds_itself_is_refused_with_the_way_to_itself() -> None:
    with pytest.raises(ValueError, match="a > b > a"):
        explode("a", Decimal(1), {"a": {"b": Decimal(1)}, "b": {"a": Decimal(2)}})


def test_a_bundle_leaves_from_one_place() -> None:
    """P8: a cup here and a pot there are no tea set anywhere."""
    stock = {"cup": {"wh": Decimal(9), "s1": Decimal(4)}, "pot": {"s1": Decimal(3)}}
    assert makeable_by_location(stock, {"cup": Decimal(2), "pot": Decimal(1)}) == {"wh": 0, "s1": 2}


def test_a_case_is_a_bundle_of_one_part() -> None:
    contained = {"value": "12", "unit": "each", "kind": "contained"}
    case = {"sku": "W-12", "name": "Water, 12", "unit": "case", "status": "active",
            "case": {"variant": "w", "quantity": contained}, "step": None, "tracking": "none"}
    assert list(problems("variant", case)) == []
    assert parts_of(case) == {"w": 12}
    twice = {"components": [{"key": str(n), "variant": "w", "quantity": contained} for n in (1, 2)]}
    assert parts_of({**case, **twice}) == {"w": 24}
    assert parts_of({"sku": "W"}) == {}


# ── lots, serial numbers, marks ──────────────────────────────────────────────────────────────────────────────────────
MARK = "0104600439931256\x1d215Qbag!\x1d93Zjqw"


@pytest.mark.parametrize(
    ("tracking", "units", "wrong"),
    [
        (None, None, None),
        ("none", [], None),
        ("lot", [{"lot": "L1"}], None),
        ("lot", [], "no unit says its lot"),
        ("serial", [{"serial": "1"}, {"serial": "2"}], None),
        ("serial", [{"serial": "1"}, {"serial": "1"}], "a serial stands twice"),
        ("marked", [{"mark": MARK}], "1 units say their mark, 2 are sold"),
        ("marked", [{"mark": MARK}, {"mark": MARK.replace("\x1d", "")}], None),
        ("marked", [{"mark": MARK}, {"lot": "L1"}], "1 of 2 units say no mark"),
    ],
)
def test_an_order_line_names_its_units_as_the_article_demands(tracking: Any, units: Any, wrong: str | None) -> None:
    """P7: two marks that differ in a separator nobody sees are two marks."""
    line = {"key": "1", "quantity": {"value": "2", "unit": "each", "kind": "ordered"}, "units": units}
    assert unsold_units(line, tracking) == wrong
    assert json.loads(json.dumps(line)) == line

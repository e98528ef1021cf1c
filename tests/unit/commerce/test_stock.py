"""How many units each channel may show."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import chain, combinations

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.stock import StockPolicy, allowed, divide, free, problems, publish, publish_by_location
from mappings.commerce.stock.allocation import left
from mappings.commerce.stock.ledger import Place, pool

LOCATIONS = ["almaty-wh", "almaty-1", "almaty-2"]
SHOP_AND_MARKET = {
    "shop-kz": StockPolicy(locations=("almaty-wh",), share=Decimal("0.6")),
    "market-kz": StockPolicy(locations=("almaty-wh",), share=Decimal("0.4")),
}


@st.composite
def policy_sets(draw: st.DrawFn) -> dict[str, StockPolicy]:
    """Channels with overlapping location sets whose shares of each location add up to at most 1."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4, unique=True))
    weights = draw(st.lists(st.integers(0, 100), min_size=len(names), max_size=len(names)))
    whole = max(sum(weights), draw(st.integers(1, 150)))
    return {
        name: StockPolicy(
            locations=tuple(draw(st.lists(st.sampled_from(LOCATIONS), max_size=3, unique=True))),
            share=(Decimal(weight) / whole).quantize(Decimal("0.0001"), rounding="ROUND_DOWN"),
            safety=draw(st.integers(0, 3)),
        )
        for name, weight in zip(names, weights, strict=True)
    }


QUANTITIES = st.decimals(-20, 200, places=2)
SELLABLE = st.dictionaries(st.sampled_from(LOCATIONS), QUANTITIES, max_size=3)
RESERVED = st.dictionaries(st.sampled_from([*LOCATIONS, None]), st.decimals(0, 60, places=1), max_size=4)


@given(SELLABLE, RESERVED, policy_sets())
def test_all_channels_together_never_show_more_than_there_is_in_any_set_of_locations(
    sellable: Mapping[str, Decimal], reserved: Mapping[str | None, Decimal], policies: Mapping[str, StockPolicy]
) -> None:
    """P8: Σ over channels ≤ stock − reserved, for every subset of locations, overlapping or not."""
    parts = publish_by_location(sellable, reserved, policies)
    for subset in chain.from_iterable(combinations(LOCATIONS, size) for size in range(1, 4)):
        shown = sum(part.get(location, 0) for part in parts.values() for location in subset)
        there = sum((max(Decimal(0), sellable.get(location, Decimal(0))) for location in subset), Decimal(0))
        assert shown <= there
    everywhere = sum((max(Decimal(0), quantity) for quantity in sellable.values()), Decimal(0))
    nowhere = reserved.get(None, Decimal(0))
    shown = sum(publish(sellable, reserved, policies).values())
    assert shown <= max(Decimal(0), everywhere - nowhere)
    for location in LOCATIONS:
        there = max(Decimal(0), sellable.get(location, Decimal(0)))
        left = max(Decimal(0), there - reserved.get(location, Decimal(0)))
        assert sum(part.get(location, 0) for part in parts.values()) <= left


@given(SELLABLE, RESERVED, policy_sets())
def test_a_figure_is_a_whole_number_never_negative_and_only_of_the_channels_own_locations(
    sellable: Mapping[str, Decimal], reserved: Mapping[str | None, Decimal], policies: Mapping[str, StockPolicy]
) -> None:
    """P8: negative on-hand counts 0 and hides nothing elsewhere."""
    parts = publish_by_location(sellable, reserved, policies)
    assert parts.keys() == policies.keys()
    for channel, by_location in parts.items():
        assert set(by_location) == set(policies[channel].locations)
        assert all(isinstance(units, int) and units >= 0 for units in by_location.values())


@given(SELLABLE, RESERVED, policy_sets(), st.sampled_from(LOCATIONS))
def test_a_reservation_or_a_loss_never_raises_what_all_channels_show_together(
    sellable: dict[str, Decimal],
    reserved: dict[str | None, Decimal],
    policies: Mapping[str, StockPolicy],
    where: str,
) -> None:
    """P8: fewer free units, not more on show, in all and at every place."""
    before = sum(sum(p.values()) for p in publish_by_location(sellable, reserved, without_safety(policies)).values())
    more = {**reserved, where: reserved.get(where, Decimal(0)) + 1}
    less = {**sellable, where: sellable.get(where, Decimal(0)) - 1}
    for changed in ((sellable, more), (less, reserved)):
        after = sum(sum(part.values()) for part in publish_by_location(*changed, without_safety(policies)).values())
        assert after <= before
        was, rest = left(sellable, reserved), left(*changed)
        assert all(units <= was.get(place, 0) for place, units in rest.items())


def test_a_reservation_without_a_place_is_taken_where_the_channels_sell() -> None:
    """P8: it may have to be sent from there."""
    stock = {"almaty-1": Decimal(50), "almaty-wh": Decimal(10)}
    assert publish(stock, {None: Decimal(4)}, SHOP_AND_MARKET) == {"shop-kz": 4, "market-kz": 2}
    assert publish(stock, {None: Decimal(14)}, SHOP_AND_MARKET) == {"shop-kz": 0, "market-kz": 0}


def without_safety(policies: Mapping[str, StockPolicy]) -> dict[str, StockPolicy]:
    return {name: StockPolicy(locations=policy.locations, share=policy.share) for name, policy in policies.items()}


@given(st.integers(0, 1000), st.lists(st.integers(0, 50), min_size=1, max_size=5))
def test_nothing_is_left_over_when_the_shares_are_the_whole(units: int, weights: list[int]) -> None:
    total = sum(weights)
    shares = [Decimal(weight * 100 // total) / 100 if total else Decimal(0) for weight in weights]
    shares[0] += 1 - sum(shares)
    parts = divide(units, {str(n): share for n, share in enumerate(shares)})
    assert sum(parts.values()) == units
    for n, share in enumerate(shares):
        assert abs(parts[str(n)] - units * share) < 1


def test_the_last_kettle_is_shown_by_one_channel_only() -> None:
    """P8: the copy loop shows it twice and sells it twice."""
    assert publish({"almaty-wh": Decimal(1)}, {}, SHOP_AND_MARKET) == {"shop-kz": 1, "market-kz": 0}


@pytest.mark.parametrize(
    ("units", "shop", "market"),
    [("0", 0, 0), ("-3", 0, 0), ("2", 1, 1), ("3", 2, 1), ("5", 3, 2), ("12", 7, 5), ("0.9", 0, 0), ("10.9", 6, 4)],
)
def test_units_are_divided_by_share_and_largest_remainder(units: str, shop: int, market: int) -> None:
    assert publish({"almaty-wh": Decimal(units)}, {}, SHOP_AND_MARKET) == {"shop-kz": shop, "market-kz": market}


def test_ties_go_to_the_policy_that_stands_first() -> None:
    half = {name: StockPolicy(locations=("wh",), share=Decimal("0.5")) for name in ("b", "a")}
    assert publish({"wh": Decimal(1)}, {}, half) == {"b": 1, "a": 0}


def test_reserved_units_are_taken_before_anything_is_divided() -> None:
    assert publish({"almaty-wh": Decimal(10)}, {"almaty-wh": Decimal(10)}, SHOP_AND_MARKET) == {
        "shop-kz": 0,
        "market-kz": 0,
    }
    assert free({"wh": Decimal(5), "s1": Decimal(2)}, {None: Decimal(6)}) == {"wh": 0, "s1": 1}


def test_what_is_reserved_where_nothing_lies_is_kept_free_at_the_next_place() -> None:
    """P8: an order that cannot be sent from where it is reserved is sent from somewhere else."""
    assert free({"wh": Decimal(-5), "s1": Decimal(2)}, {}) == {"wh": 0, "s1": 2}
    assert free({"wh": Decimal(-5), "s1": Decimal(2)}, {"wh": Decimal(1)}) == {"wh": 0, "s1": 1}
    assert free({"wh": Decimal(0), "s1": Decimal(2)}, {"wh": Decimal(3)}) == {"wh": 0, "s1": 0}
    assert free({"s1": Decimal(2)}, {"wh": Decimal(1)}) == {"s1": 1}, "and where it was never seen to lie"


@given(
    st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2)),
                    min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(-2, 9)), max_size=5),
    st.sampled_from("abc"), st.integers(0, 9),
)
def test_what_a_rule_hides_at_a_place_empties_no_other_place_and_what_is_lost_there_fills_none(
    there: dict[str, tuple[int, int, int]], rows: list[tuple[str | None, int]], where: str, fewer: int
) -> None:
    """P8: a store that fell silent, or is being counted, hides what is its own: what was sold there is not looked for
    elsewhere. More that is hidden, or lost, raises no figure anywhere."""
    def rest(known: dict[str, tuple[int, int, int]]) -> dict[str, Decimal]:
        """What is left where (units, hidden of them, lacking) are at each place."""
        return left(*pool(
            (Place(code=code, there=Decimal(units), units=Decimal(max(0, units - away)), missing=Decimal(lacking))
             for code, (units, away, lacking) in known.items()), [(code, Decimal(units)) for code, units in rows],
        ))

    shown = rest(there)
    units, away, lacking = there.setdefault(where, (0, 0, 0))
    shown.setdefault(where, Decimal(0))
    hidden = rest({**there, where: (units, away + fewer, lacking)})
    lost = rest({**there, where: (max(0, units - fewer), away, lacking + max(0, fewer - units))})
    assert all(hidden[code] <= figure and lost[code] <= figure for code, figure in shown.items())
    asked = {code: sum(n for at, n in rows if at == code) for code in [*there, None]}
    covered = all(n <= there[code][0] for code, n in asked.items() if code is not None and n > 0)
    if covered and asked[None] <= 0 and all(row[2] == 0 for row in there.values()):
        elsewhere = set(there) - {where}
        assert all(hidden[code] == shown[code] for code in elsewhere), "each place covers what is reserved there"


def test_safety_is_kept_back_once_per_channel_and_the_rest_is_shown() -> None:
    shop = {"shop": StockPolicy(locations=("wh", "s1"), share=Decimal(1), safety=3)}
    stock = {"wh": Decimal(2), "s1": Decimal(4)}
    assert publish_by_location(stock, {}, shop) == {"shop": {"wh": 0, "s1": 3}}
    assert publish({"wh": Decimal(2)}, {}, shop) == {"shop": 0}


def test_a_channel_shows_the_sum_of_its_locations() -> None:
    policies = {
        "shop": StockPolicy(locations=("wh", "s1"), share=Decimal("0.5")),
        "market": StockPolicy(locations=("wh",), share=Decimal("0.5")),
    }
    assert publish({"wh": Decimal(4), "s1": Decimal(4), "s2": Decimal(9)}, {}, policies) == {"shop": 4, "market": 2}


def test_shares_above_the_whole_are_refused_with_the_location_and_the_figures() -> None:
    policies = {name: StockPolicy(locations=("wh",), share=Decimal("0.6")) for name in ("shop", "market")}
    assert problems(policies) == ["wh: the shares add up to 1.2, at most 1 is there (shop 0.6, market 0.6)"]
    with pytest.raises(ValueError, match=r"wh: the shares add up to 1\.2"):
        publish({"wh": Decimal(1)}, {}, policies)
    assert problems({"a": StockPolicy(locations=(), share=Decimal(-1), safety=-1)}) == [
        "a: share -1 is outside 0 … 1",
        "a: safety -1 is negative",
    ]


@given(st.integers(0, 50), st.integers(0, 50), st.lists(st.integers(0, 50), max_size=3))
def test_what_is_allowed_now_keeps_all_exposures_within_the_stock(
    target: int, sellable: int, exposures: list[int]
) -> None:
    """P8: lowering goes out at once, raising waits until the others are confirmed lower."""
    now = allowed(target, sellable, exposures)
    assert 0 <= now <= target
    if sum(exposures) <= sellable:
        assert now + sum(exposures) <= sellable
    else:
        assert now == 0


def test_a_raise_waits_for_the_lowering_elsewhere() -> None:
    assert allowed(6, 10, [8]) == 2
    assert allowed(6, 10, [4]) == 6


@given(
    st.dictionaries(st.sampled_from(["wh", "st"]), st.decimals(-2, 40, places=3), min_size=1),
    st.decimals(0, 5, places=3), st.sampled_from(["0.25", "0.05", "0.3", "1", "2.5"]).map(Decimal),
)
@settings(max_examples=100)
def test_goods_by_weight_are_shown_in_whole_steps_and_never_twice(
    sellable: dict[str, Decimal], reserved: Decimal, step: Decimal
) -> None:
    """P8: what channels show together is a multiple of the step, at most what is there; less than a step is left over
    of each place."""
    policies = {
        "shop": StockPolicy(locations=("wh", "st"), share=Decimal("0.5")),
        "market": StockPolicy(locations=("wh", "st"), share=Decimal("0.5")),
    }
    parts = publish_by_location(sellable, {"wh": reserved}, policies, step)
    shown = sum((steps * step for by_place in parts.values() for steps in by_place.values()), Decimal(0))
    over = left(sellable, {"wh": reserved})
    assert shown <= sum(over.values())
    assert sum(over.values()) - shown < step * len(over)
    assert all(sum(by_place[place] for by_place in parts.values()) * step <= over[place] for place in over)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(-2, 9).map(Decimal), min_size=1),
    st.dictionaries(st.sampled_from(["a", "b", "c", None]), st.integers(0, 12).map(Decimal)),
)
def test_what_is_reserved_at_a_place_beyond_what_lies_there_is_sold_nowhere_else(
    there: dict[str, Decimal], reserved: dict[str | None, Decimal]
) -> None:
    """P8: two in one store, three in another, three sold at the first: two are left in all, not three."""
    nothing = Decimal(0)
    rest = left(there, reserved)
    lies = sum((max(nothing, units) for units in there.values()), nothing)
    assert sum(rest.values(), nothing) == max(nothing, lies - sum(reserved.values(), nothing))
    assert all(nothing <= rest[place] <= max(nothing, units) for place, units in there.items())

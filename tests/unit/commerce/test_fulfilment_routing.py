"""Routing serves what can be served, from the right place, and says what is wrong where nothing can."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.fulfilment.routing import (
    BY,
    FAR,
    Part,
    Place,
    Routing,
    Unroutable,
    distance,
    kilometres,
    route,
)

CODES = ("wh", "s1", "s2")
VARIANTS = ("kettle", "cup")
units = st.integers(0, 4).map(Decimal)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, tuple[str, Decimal]]:
    rows = draw(st.lists(st.tuples(st.sampled_from(VARIANTS), st.integers(1, 3).map(Decimal)), min_size=1, max_size=3))
    return {str(n): row for n, row in enumerate(rows, 1)}


@st.composite
def places(draw: st.DrawFn) -> dict[str, Place]:
    return {
        code: Place(
            code=code, services=frozenset(draw(st.sets(st.sampled_from(("ship", "pickup")), min_size=1))),
            closed=draw(st.sampled_from((None, None, None, "given up"))), distance=float(draw(st.integers(0, 3))),
        )
        for code in CODES
    }


stocks = st.fixed_dictionaries({code: st.fixed_dictionaries(dict.fromkeys(VARIANTS, units)) for code in CODES})
rules = st.builds(
    Routing, places=st.permutations(CODES).map(tuple),
    by=st.lists(st.sampled_from(BY), min_size=1, max_size=3, unique=True).map(tuple), parcels=st.integers(1, 3),
)


def ways(
    wanted: dict[str, tuple[str, Decimal]], free: dict[str, dict[str, Decimal]], there: dict[str, Place], rule: Routing
) -> list[dict[str, str]]:
    """Every way to serve the order, by trying all of them: line → place."""
    able = [code for code in rule.places if there[code].closed is None and "ship" in there[code].services]
    found = []
    for choice in product(able, repeat=len(wanted)):
        taken: dict[tuple[str, str], Decimal] = {}
        for code, (variant, quantity) in zip(choice, wanted.values(), strict=True):
            taken[code, variant] = taken.get((code, variant), Decimal(0)) + quantity
        fits = all(quantity <= free[code][variant] for (code, variant), quantity in taken.items())
        if fits and len(set(choice)) <= rule.parcels:
            found.append(dict(zip(wanted, choice, strict=True)))
    return found


@given(wanted=orders(), free=stocks, there=places(), rule=rules)
@settings(max_examples=100, deadline=None)
def test_an_order_is_unroutable_only_when_no_way_exists_and_else_has_the_fewest_parcels(
    wanted: dict[str, tuple[str, Decimal]], free: dict[str, dict[str, Decimal]], there: dict[str, Place], rule: Routing
) -> None:
    """Compared with every way there is: legal, no unit twice, each line whole, parcels minimal."""
    verdict = route(wanted, free, there, rule)
    every = ways(wanted, free, there, rule)
    if isinstance(verdict, Unroutable):
        assert every == []
        assert verdict.reason
        assert verdict.remedy
        return
    came = {part.line: part.place for part in verdict}
    assert came in every
    assert {part.line: part.quantity for part in verdict} == {key: quantity for key, (_, quantity) in wanted.items()}
    assert len(set(came.values())) == min(len(set(way.values())) for way in every)


@given(wanted=orders(), free=stocks, there=places(), rule=rules, by=st.sampled_from(("priority", "distance")))
@settings(max_examples=50, deadline=None)
def test_of_places_that_hold_everything_the_rule_chooses(
    wanted: dict[str, tuple[str, Decimal]], free: dict[str, dict[str, Decimal]], there: dict[str, Place], rule: Routing,
    by: str,
) -> None:
    """priority: the first of the rule's list; distance: the nearest."""
    chosen = Routing(places=rule.places, by=(by,), parcels=1)  # type: ignore[arg-type]  # drawn from two of its words
    verdict = route(wanted, free, there, chosen)
    single = {way[next(iter(way))] for way in ways(wanted, free, there, chosen)}
    if isinstance(verdict, Unroutable):
        assert not single
        return
    ranked = sorted(single, key=lambda code: (there[code].distance if by == "distance" else 0, rule.places.index(code)))
    assert {part.place for part in verdict} == {ranked[0]}


def shelf(**codes: int) -> dict[str, dict[str, Decimal]]:
    return {code: {"kettle": Decimal(units)} for code, units in codes.items()}


def at(code: str, *services: str, closed: str | None = None) -> Place:
    return Place(code=code, services=frozenset(services or ("ship",)), closed=closed)


ONE = {"1": ("kettle", Decimal(1))}


def test_the_place_the_buyer_comes_to_is_never_exchanged_for_another() -> None:
    """Click & collect: what lies elsewhere does not help, and a closed store says so with a remedy."""
    there = {"s1": at("s1", "pickup"), "wh": at("wh", "ship", "pickup")}
    rule = Routing(places=("wh", "s1"), parcels=2)
    assert route(ONE, shelf(s1=1, wh=9), there, rule, service="pickup", chosen="s1") == (
        Part(line="1", place="s1", quantity=Decimal(1)),
    )
    short = route(ONE, shelf(s1=0, wh=9), there, rule, service="pickup", chosen="s1")
    assert isinstance(short, Unroutable)
    assert short.short == ("1",)
    shut = route(ONE, shelf(s1=1), {"s1": at("s1", "pickup", closed="given up")}, rule, service="pickup", chosen="s1")
    assert isinstance(shut, Unroutable)
    assert "closed" in shut.reason
    assert "buyer" in shut.remedy
    other = route(ONE, shelf(s1=1), there, rule, service="curbside", chosen="s1")
    assert isinstance(other, Unroutable)
    assert "curbside" in other.reason


def test_an_order_is_split_only_where_the_rule_says_so() -> None:
    """parcels: 1 keeps it together; a line is never torn apart."""
    wanted = {"1": ("kettle", Decimal(2)), "2": ("cup", Decimal(1))}
    free = {"wh": {"kettle": Decimal(2)}, "s1": {"cup": Decimal(1)}}
    there = {"wh": at("wh"), "s1": at("s1")}
    whole = route(wanted, free, there, Routing(places=("wh", "s1")))
    assert isinstance(whole, Unroutable)
    assert "parcels" in whole.remedy
    assert whole.short == ()
    split = route(wanted, free, there, Routing(places=("wh", "s1"), parcels=2))
    assert not isinstance(split, Unroutable)
    assert {part.line: part.place for part in split} == {"1": "wh", "2": "s1"}
    torn = route({"1": ("kettle", Decimal(3))}, shelf(wh=2, s1=2), there, Routing(places=("wh", "s1"), parcels=2))
    assert isinstance(torn, Unroutable)
    assert torn.short == ("1",)


def test_one_parcel_is_better_than_two_even_from_a_place_that_stands_later_in_the_rule() -> None:
    """The warehouse stands first and has the kettle; the store has both: it all comes from the store."""
    wanted = {"1": ("kettle", Decimal(1)), "2": ("cup", Decimal(1))}
    free = {"wh": {"kettle": Decimal(5)}, "s1": {"kettle": Decimal(1), "cup": Decimal(1)}}
    verdict = route(wanted, free, {"wh": at("wh"), "s1": at("s1")}, Routing(places=("wh", "s1"), parcels=2))
    assert not isinstance(verdict, Unroutable)
    assert {part.place for part in verdict} == {"s1"}


@pytest.mark.parametrize(("one", "other", "km"), [
    (("43.2380", "76.8829"), ("51.1605", "71.4704"), 973),      # Almaty – Astana
    (("0", "0"), ("0", "180"), 20015),
    (("42.6977", "23.3219"), ("42.6977", "23.3219"), 0),
])
def test_distances_are_those_of_the_globe(one: tuple[str, str], other: tuple[str, str], km: int) -> None:
    """Great circles, within a kilometre."""
    positions = [{"lat": lat, "lon": lon} for lat, lon in (one, other)]
    assert round(kilometres(*positions)) == pytest.approx(km, abs=2)
    assert kilometres(*positions) == pytest.approx(kilometres(*reversed(positions)))


positions = st.fixed_dictionaries({
    "lat": st.integers(-9_000, 9_000).map(lambda n: f"{n / 100:.2f}"),
    "lon": st.integers(-18_000, 18_000).map(lambda n: f"{n / 100:.2f}"),
})


@given(one=positions, other=positions, third=positions)
@settings(max_examples=100, deadline=None)
def test_a_distance_is_one_on_any_globe(one: dict[str, str], other: dict[str, str], third: dict[str, str]) -> None:
    """Nothing to itself, the same both ways, never longer than by way of a third place or half around the earth; a turn
    of the globe by 360 degrees changes nothing, and a degree along a meridian is 111.195 km."""
    there = kilometres(one, other)
    assert kilometres(one, one) == 0
    assert there == pytest.approx(kilometres(other, one))
    assert 0 <= there <= 20_015.2 < FAR
    assert there <= kilometres(one, third) + kilometres(third, other) + 1e-6
    turned = {**one, "lon": f"{float(one['lon']) + 360:.2f}"}
    assert kilometres(turned, other) == pytest.approx(there, abs=1e-3)
    north = {"lat": f"{min(90.0, float(one['lat']) + 1):.2f}", "lon": one["lon"]}
    assert kilometres(one, north) == pytest.approx((float(north["lat"]) - float(one["lat"])) * 111.195, abs=0.01)


@given(home=positions, there=st.lists(positions, min_size=1, max_size=3), unknown=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_nearest_place_sends_it_and_one_whose_position_nobody_knows_comes_last(
    home: dict[str, str], there: list[dict[str, str]], unknown: bool
) -> None:
    """Whatever the rule's order of places: distance decides, and FAR is farther than anything on earth."""
    values: dict[str, dict[str, object]] = {f"p{n}": {"position": where} for n, where in enumerate(there)}
    if unknown:
        values["nowhere"] = {}
    away = {code: distance(row, {"position": home}) for code, row in values.items()}
    served = route(
        ONE, {code: {"kettle": Decimal(1)} for code in values},
        {code: Place(code=code, services=frozenset({"ship"}), distance=away[code]) for code in values},
        Routing(places=tuple(reversed(sorted(values))), by=("distance",)),
    )
    assert not isinstance(served, Unroutable)
    assert away[served[0].place] == min(away.values())
    assert served[0].place != "nowhere"


def test_a_town_stands_in_for_a_position_and_unknown_is_far() -> None:
    """An order has an address more often than a position."""
    assert distance({"address": {"city": "Алматы"}}, {"city": "АЛМАТЫ"}) == 0
    assert distance({"address": {"city": "Алматы"}}, {"city": "Астана"}) == FAR
    assert distance({}, {"position": {"lat": "1", "lon": "1"}}) == FAR
    assert distance({"position": {"lat": "0", "lon": "0"}}, {"city": None, "position": None}) == FAR
    both = {"position": {"lat": "0", "lon": "0"}, "address": {"city": "Алматы"}}
    assert distance(both, {"city": "Алматы", "position": {"lat": "0", "lon": "1"}}) == pytest.approx(111.195, abs=0.01)

"""What an order takes from stock, and which receipts the document of a shift covers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, strategies as st

from mappings.commerce.stock.claims import Claim, claims, of_shipped
from mappings.commerce.stock.shifts import Window, covers, posted_with, window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(key: str, variant: str | None, units: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "variant": variant, "quantity": {"value": units, "unit": "each", "kind": "ordered"}, **more}


def test_an_order_takes_what_is_ours_and_not_cancelled_and_of_a_bundle_its_parts() -> None:
    """P8: ordered − cancelled; nothing for a line nobody can name, or that its channel sends itself."""
    order = {"location": "wh", "lines": [
        line("1", "cup", "3", cancelled={"value": "1", "unit": "each", "kind": "ordered"}),
        line("2", None, "1"), line("3", "cup", "5", fulfilled_by="channel"), line("4", "set", "2", location="st"),
    ]}
    assert claims(order, {"set": {"cup": Decimal(4), "pot": Decimal(1)}}) == {
        ("1", None): Claim(variant="cup", quantity=Decimal(2), location="wh"),
        ("4", "cup"): Claim(variant="cup", quantity=Decimal(8), location="st"),
        ("4", "pot"): Claim(variant="pot", quantity=Decimal(2), location="st"),
    }


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 12))
def test_parts_of_a_bundle_go_in_their_own_number_and_never_more_than_were_taken(
    ordered: int, number: int, shipped: int
) -> None:
    """P8: whole · shipped ÷ ordered."""
    whole = Decimal(ordered * number)
    assert of_shipped(whole, Decimal(shipped), Decimal(ordered)) == min(whole, Decimal(shipped * number))


MINUTES = st.integers(-600, 600).map(lambda n: NOON + timedelta(minutes=n))
PLACES, REGISTERS = st.sampled_from(["st", "wh"]), st.sampled_from(["1", "2", None])


@given(st.lists(st.tuples(MINUTES, MINUTES, PLACES, REGISTERS, MINUTES), max_size=4), MINUTES, PLACES, REGISTERS)
def test_a_receipt_is_posted_with_the_first_document_that_covers_it(
    told: list[tuple[datetime, datetime, str, str | None, datetime]], sold_at: datetime, place: str,
    register: str | None,
) -> None:
    """P8: same place, same register where both are said, sold between beginning and end."""
    shifts = [(Window(location=at, since=since, until=until, register=of), seen) for since, until, at, of, seen in told]
    covering = [
        seen for since, until, at, of, seen in told
        if at == place and since <= sold_at <= until and (of is None or register is None or of == register)
    ]
    assert posted_with(shifts, place, register, sold_at) == (min(covering) if covering else None)
    assert len([1 for one, _ in shifts if covers(one, place, register, sold_at)]) == len(covering)


def test_only_a_document_with_a_place_a_beginning_and_an_end_sums_up_a_shift() -> None:
    day = {"since": "2026-03-01T08:00:00Z", "until": "2026-03-01T20:00:00Z"}
    whole = {"location": "st", "shift": {"register": "1", **day}}
    found = window(whole)
    assert found is not None
    assert (found.location, found.register, found.until - found.since) == ("st", "1", timedelta(hours=12))
    assert window({**whole, "location": None}) is None
    assert window({**whole, "shift": {"register": "1", "number": "Z7"}}) is None
    assert window({"location": "st"}) is None

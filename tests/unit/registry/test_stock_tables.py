"""What the registry keeps of promises, shifts, counts and silences."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from registry import (
    PART,
    Registry,
    Reservation,
    Shift,
    Tx,
    before_counts,
    cancel_reservations,
    heard,
    note_counts,
    note_silence,
    post_reservations,
    posted_reservations,
    promises,
    put_reservations,
    put_shifts,
    reservations_of,
    reserved,
    reserved_since,
    shifts_at,
    silences,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def promise(tx: Tx, line: str = "1", location: str | None = "L", quantity: str = "2", order: str = "o") -> int:
    row = Reservation(
        order=order, line=line, variant="v", channel="shop", quantity=Decimal(quantity), location=location
    )
    return put_reservations(tx, [row])


def test_a_promise_keeps_when_it_was_made_and_the_first_moments_that_were_seen(reg: Registry) -> None:
    """P2: an order read twice promises once; what is told twice to have gone went once."""
    with reg.write() as tx:
        assert promise(tx) == 1
        (made,) = promises(tx, ["v"])
        put_reservations(tx, [replace(made, made_at=later(9), taken_at=NOON)])
        assert reserved(tx, ["v", "w"]) == {"v": [("shop", "L", Decimal("2"), "o")], "w": []}
        assert post_reservations(tx, ["o"], later(2), moved_at=later(1)) == 1
        assert post_reservations(tx, ["o"], later(3)) == 0
        (row,) = promises(tx, ["v"])
        assert (row.made_at, row.taken_at, row.posted_at, row.moved_at) == (made.made_at, NOON, later(2), later(1))
        assert (row.released, row.because, row.of_line) == (False, None, "1")


def test_whose_figures_must_be_asked_for_once_more(reg: Registry) -> None:
    """P8: of what has gone; where a figure ends with the confirmation, of what was confirmed too."""
    with reg.write() as tx:
        for number in ("1", "2", "3"):
            promise(tx, order=number, location=number)
        put_reservations(tx, [replace(reservations_of(tx, ["3"])["3"][0], moved_at=NOON)])
        put_reservations(tx, [replace(reservations_of(tx, ["2"])["2"][0], taken_at=NOON)])
        post_reservations(tx, ["1"], NOON)
        assert posted_reservations(tx) == [("v", "1")]
        assert set(posted_reservations(tx, taken=True)) == {("v", "1"), ("v", "2")}
        assert set(posted_reservations(tx, moved=True)) == {("v", "1"), ("v", "3")}


def test_a_line_that_goes_in_parts_has_a_row_per_part(reg: Registry) -> None:
    """P8: what has gone ends with its figure, the rest stands."""
    with reg.write() as tx:
        promise(tx, quantity="3")
        (whole,) = promises(tx, ["v"])
        put_reservations(tx, [
            replace(whole, quantity=Decimal(2)),
            replace(whole, line=f"1{PART}s:a", quantity=Decimal(1), posted_at=NOON, moved_at=NOON),
        ])
        rest, part = promises(tx, ["v"])
        assert (rest.quantity, part.quantity, part.of_line) == (2, 1, "1")
        put_reservations(tx, [replace(part, released_at=later(1), because="contained")])
        assert [row.quantity for row in promises(tx, ["v"])] == [2]
        assert [(row.quantity, row.because) for row in reservations_of(tx, ["o"])["o"]] == [
            (2, None), (1, "contained"),
        ]


def test_a_cancellation_frees_what_has_not_gone(reg: Registry) -> None:
    """P8: what has gone comes back as a return; until a figure says so it is not shown again."""
    with reg.write() as tx:
        for line in ("1", "2", "3"):
            promise(tx, line)
        put_reservations(tx, [
            replace(row, posted_at=NOON) for row in promises(tx, ["v"]) if row.line == "2"
        ])
        assert cancel_reservations(tx, ["o"], ["1"]) == 1
        assert cancel_reservations(tx, ["o"]) == 1
        assert [row.line for row in promises(tx, ["v"])] == ["2"]


def test_what_sold_lately_counts_whatever_became_of_it_and_units_given_back_do_not(reg: Registry) -> None:
    """What a source that fell silent probably sold meanwhile is told from this."""
    with reg.write() as tx:
        promise(tx, "1")
        promise(tx, "2", quantity="5")
        cancel_reservations(tx, ["o"], ["1"])
        (row,) = promises(tx, ["v"])
        put_reservations(tx, [replace(row, line="2b", quantity=Decimal(-5), made_at=None)])
        assert reserved_since(tx, ["v", "w"], reg.now() - timedelta(hours=1)) == {"v": Decimal(7)}
        assert reserved_since(tx, ["v"], reg.now() + timedelta(hours=1)) == {}
        assert isinstance(row, Reservation)


def test_a_shift_is_seen_once_and_known_by_its_place(reg: Registry) -> None:
    row = Shift(channel="erp", document="S1", location="L", since=NOON, until=later(480), seen_at=later(500),
                register="1")
    with reg.write() as tx:
        put_shifts(tx, [row])
        put_shifts(tx, [replace(row, until=later(490), seen_at=later(900))])
        assert shifts_at(tx, ["L", "M"]) == [replace(row, until=later(490))]
        assert shifts_at(tx, ["M"]) == []


def test_the_figure_from_before_a_count_stays_the_first_until_the_count_is_done(reg: Registry) -> None:
    with reg.write() as tx:
        note_counts(tx, [("s", Decimal("7.5"))], [])
        note_counts(tx, [("s", Decimal(3)), ("t", Decimal(1))], [])
        assert before_counts(tx, ["s", "t", "u"]) == {"s": Decimal("7.5"), "t": Decimal(1)}
        note_counts(tx, [], ["s"])
        assert before_counts(tx, ["s", "t"]) == {"t": Decimal(1)}


def test_who_was_heard_last_and_is_silent_since_when(reg: Registry) -> None:
    with reg.write() as tx:
        heard(tx, [("pos", "L", NOON)])
        heard(tx, [("pos", "L", later(-5)), ("pos", "M", later(1))])
        note_silence(tx, [("pos", "L", later(60)), ("erp", "", later(61))])
        heard(tx, [("pos", "M", later(2))])
        found = {key: (one.heard_at, one.quiet_since) for key, one in silences(tx).items()}
        assert found == {
            ("pos", "L"): (NOON, later(60)), ("pos", "M"): (later(2), None), ("erp", ""): (None, later(61)),
        }
        note_silence(tx, [("pos", "L", None)])
        assert silences(tx)["pos", "L"].quiet_since is None

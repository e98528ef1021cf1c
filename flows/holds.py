"""Holds as people see and decide them: what is stopped, what it would move, what it is worth; approve or reject.

What surprises here: a person decides about exactly the set that was shown. Its ``set`` is a digest of all held
documents; deciding with another one than is held now is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flows.figures import Units, of_text
from flows.labels import labels
from flows.pledges import ZERO, told_figures
from flows.push import push
from flows.wiring import House
from registry import (
    HeldItem,
    Hold,
    OutboxChange,
    Tx,
    close_outbox,
    decide_hold,
    digest,
    holds,
    holds_called,
    items_of,
    outbox_rows,
    records,
    records_by_field,
    set_outbox,
    write_audit,
)

EVERYTHING = 10**6


class CannotDecide(Exception):
    """The hold is not there, was decided before, or is another set by now; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One price of a held record: before and after, in one currency; ``units`` are those the channel offers."""

    label: str
    before: Decimal | None
    after: Decimal
    currency: str
    units: Units

    @property
    def stake(self) -> Decimal:
        """``|after − before| · max(1, units)``; the whole price where there was none before."""
        return abs(self.after - (self.before or Decimal(0))) * max(1, self.units)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A hold with what is in it. ``count`` records are held now; ``moved`` lists their prices, the dearest first."""

    hold: Hold
    count: int
    labels: Sequence[str]
    moved: Sequence[Moved]
    set: str

    @property
    def stakes(self) -> Mapping[str, Decimal]:
        """Currency → the money at stake: Σ of the moves' stakes."""
        found: dict[str, Decimal] = {}
        for one in self.moved:
            found[one.currency] = found.get(one.currency, Decimal(0)) + one.stake
        return found


def open_sets(house: House) -> list[Shown]:
    """Every open hold and alert, the newest first."""
    with house.registry.read() as tx:
        return [_shown(house, tx, one) for one in holds(tx)]


def hold_called(house: House, name: str) -> Shown:
    """The hold whose uid begins or ends so. Raises CannotDecide where none or several do."""
    with house.registry.read() as tx:
        return _shown(house, tx, _called(tx, name))


def approve(house: House, name: str, *, who: str, because: str, set: str | None = None) -> Shown:
    """Afterwards the held writes are due and go out as they were shown; what renders otherwise is judged anew.

    Raises CannotDecide.
    """
    return house.registry.attempt(lambda tx: _decide(house, tx, name, "approved", who, because, set))


def reject(house: House, name: str, *, who: str, because: str, set: str | None = None) -> Shown:
    """Afterwards none of the held documents is ever written; the channel keeps what it shows until a record changes.

    Raises CannotDecide.
    """
    return house.registry.attempt(lambda tx: _decide(house, tx, name, "rejected", who, because, set))


def send_approved(house: House, shown: Shown) -> int:
    """Writes what was approved, at once; how many writes the channel took."""
    return push(house, shown.hold.channel, shown.hold.entity).total("written")


def _decide(house: House, tx: Tx, name: str, state: str, who: str, because: str, wanted: str | None) -> Shown:
    hold = _called(tx, name)
    shown = _shown(house, tx, hold)
    if hold.state != "open":
        raise CannotDecide(f"hold {hold.uid} was {hold.state} by {hold.who}; nothing is held by it any more")
    if wanted is not None and wanted != shown.set:
        raise CannotDecide(
            f"hold {hold.uid} is another set by now ({shown.count} records, {shown.set}); look at it again: "
            f"serai hold show {hold.uid}"
        )
    uids = {item.uid for item in items_of(tx, hold)}
    decide_hold(tx, hold, state, who=who, reason=because)
    rows = [row for row in outbox_rows(tx, hold.channel, hold.entity, states=("held",), limit=EVERYTHING)
            if row.uid in uids]
    if state == "approved":
        now = house.registry.now()
        set_outbox(tx, [OutboxChange(id=row.id, state="due", reason=f"hold {hold.uid} was approved", due_at=now)
                        for row in rows])
    else:
        close_outbox(tx, [row.id for row in rows])
    write_audit(tx, who, f"hold {hold.uid} {state}", because, "; ".join(hold.because), shown.set)
    return shown


def _called(tx: Tx, name: str) -> Hold:
    found = holds_called(tx, name)
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.uid for one in holds(tx)) or "none is open"
    what = "several holds are called" if found else "there is no hold"
    raise CannotDecide(f"{what} {name!r}; open: {known}")


def _shown(house: House, tx: Tx, hold: Hold) -> Shown:
    items = items_of(tx, hold)
    uids = [item.uid for item in items]
    names = labels(tx, uids)
    units = _units(tx, hold.channel, uids)
    moved = [
        Moved(label=names.get(item.uid, item.uid), after=Decimal(move["after"]), currency=move["currency"],
              before=None if move["before"] is None else Decimal(move["before"]), units=units.get(item.uid, 0))
        for item in items for move in item.moves
    ]
    return Shown(
        hold=hold, count=len(items), labels=[names.get(uid, uid) for uid in uids], set=_set(items),
        moved=sorted(moved, key=lambda one: (-one.stake, one.label)),
    )


def _set(items: Sequence[HeldItem]) -> str:
    """The same for the same held documents, and for no others."""
    return digest("".join(f"{item.uid}{item.mark.hex()}" for item in items)).hex()[:12]


def _units(tx: Tx, channel: str, uids: Sequence[str]) -> dict[str, Units]:
    """Record → how many units of its article the channel shows, at all its places."""
    variants = {uid: record.values.get("variant") or uid for uid, record in records(tx, uids).items()}
    places = records_by_field(tx, "stock", "variant", sorted(set(variants.values())))
    listings = {variant: [variant, *(one.uid for one in places.get(variant, ()))] for variant in variants.values()}
    shown = told_figures(tx, {channel}, sorted({uid for of in listings.values() for uid in of}))
    return {
        uid: of_text(str(sum((shown.get(one, {}).get(channel, ZERO) for one in listings[variant]), ZERO)))
        for uid, variant in variants.items()
    }

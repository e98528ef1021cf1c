"""What may still be sold on each channel under hard allocation, kept in step with writes, answers, orders and looks.

What surprises here:

* The rules are `mappings.commerce.stock.escrow`; here they meet the registry's rows. Every change locks the rows of its
  variants, so that two workers never raise two channels into the same free units.
* **Figures are whole steps** of the article (`EscrowRow.step`), of which a channel is told so many units; what does not
  come out counts as one step more. An article that is sold in other steps than before is reckoned anew.
* **A raise needs to know the channel**: its version where it compares, its orders where it does not. What is not known
  is asked for by `look`, between two transactions of a push: first the figures, then the orders past that moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from connectors.base import Doc, Receipt
from connectors.errors import ConnectorError
from flows.figures import ORDERS_WAIT, RAISE_WAITS, Escrowed, Units, shown
from flows.pledges import (
    PUBLISH,
    ZERO,
    account,
    by_place,
    hard,
    kin,
    listings_at_places,
    rivals_of,
    steps_of,
    variants_of,
)
from flows.resources import resources_of
from flows.routes import Group
from flows.wiring import House
from mappings.commerce.stock import escrow
from mappings.commerce.stock.escrow import Account, Raises
from mappings.commerce.stock.units import ONE, covering, whole
from registry import (
    EscrowRow,
    Tx,
    bindings_of,
    decode,
    escrows,
    in_flight_payloads,
    mark_due,
    parked,
    put_escrows,
    unread_escrows,
    wake,
)

if TYPE_CHECKING:
    from flows.consequences import Change
    from flows.receipts import Sending

LOOK_FIRST: Final = "the channel is looked at first"
NOTHING_THERE: Final = ""
"""The version of a figure that the channel does not have yet."""
SUPPOSED: Final = "as last seen"
"""The version of a figure in a rehearsal."""
STILL_ARRIVES: Final = timedelta(minutes=5)
"""How long a request that was given up may still be carried out: longer than any platform works on one."""


def governs(house: House, channel: str, group: Group) -> Raises | None:
    """How the group's figures on the channel may rise under hard allocation; None: no escrow governs them."""
    return hard(house, channel) if group.entity == "stock" else None


def opened(house: House, tx: Tx, channel: str, group: Group, uids: Sequence[str], now: datetime) -> None:
    """Afterwards these listings, and all that shares something with them, have a row for each channel of the pool under
    hard allocation, locked till the commit.

    A new row counts what the channel was told, is being told or was seen to hold, whichever is most.
    """
    if governs(house, channel, group) is None:
        return
    policies = house.project.stock
    names = {channel, *(name for name in rivals_of(policies, channel) if hard(house, name) is not None)}
    placed = sorted(name for name in names if by_place(house, name))
    related = kin(tx, variants_of(tx, uids) if group.base == "stock" else uids)
    steps = steps_of(tx, related)
    wanted = dict.fromkeys(related, sorted(names.difference(placed)))
    if placed:
        at_places = listings_at_places(house, tx, related)
        wanted |= dict.fromkeys(at_places, placed)
        steps |= {uid: steps[variant] for uid, (variant, _) in at_places.items() if variant in steps}
    rows = escrows(tx, list(wanted), lock=True)
    missing = [(uid, name) for uid, of in wanted.items() for name in of if name not in rows.get(uid, {})]
    others = [(uid, row.channel) for uid, of in rows.items() for row in of.values() if row.step != steps.get(uid, ONE)]
    if missing:
        put_escrows(tx, _first(tx, missing, steps, now), new=True)
    if others:
        put_escrows(tx, [_anew(rows[one.variant][one.channel], one) for one in _first(tx, others, steps, now)])
    if missing or others:
        rows = escrows(tx, list(wanted), lock=True)
    gone = [
        _kept(row, escrow.dead(account(row)), sent_at=None) for of in rows.values() for row in of.values()
        if row.late > 0 and row.sent_at is not None and row.sent_at + STILL_ARRIVES < now
    ]
    put_escrows(tx, gone)


def _first(
    tx: Tx, missing: Sequence[tuple[str, str]], steps: Mapping[str, Decimal], now: datetime
) -> list[EscrowRow]:
    uids = sorted({uid for uid, _ in missing})
    bound = {
        (uid, binding.channel): binding for entity in ("stock/variant", "stock")
        for uid, found in bindings_of(tx, uids, entity).items() for binding in found
    }
    flying = in_flight_payloads(tx, "stock", uids)
    rows = []
    for uid, name in missing:
        binding, step = bound.get((uid, name)), steps.get(uid, ONE)
        there = None if binding is None or binding.values is None else max(ZERO, shown(binding.values))
        figures = [0 if there is None else covering(there, step)]
        if binding is not None and PUBLISH in binding.kept:
            figures.append(covering(Decimal(binding.kept[PUBLISH]), step))
        figures += [
            covering(Decimal(told), step) for channel, payload in flying.get(uid, ())
            if channel == name and (told := decode(payload).get(PUBLISH)) is not None
        ]
        exact = None if there is None else whole(there, step)
        rows.append(EscrowRow(
            channel=name, variant=uid, held=max(figures), opened_at=now, step=step,
            shown=exact[0] if exact is not None and exact[1] == 0 else None,
        ))
    return rows


def _anew(row: EscrowRow, first: EscrowRow) -> EscrowRow:
    """The row in the steps of ``first``, as it is now and as if it were new, whichever is more; what the channel shows
    is not known until it is looked at."""

    def counted(steps: int) -> int:
        return covering(steps * row.step, first.step)

    return replace(
        row, step=first.step, held=max(counted(row.held), first.held), late=counted(row.late), back=counted(row.back),
        sent=None if row.sent is None else counted(row.sent), shown=None, shown_at=None, version=None,
    )


def in_steps(row: EscrowRow, units: Units) -> int:
    """A figure in the steps of the row."""
    return covering(Decimal(units), row.step)


def _kept(row: EscrowRow, now: Account, **more: Any) -> EscrowRow:
    return replace(
        row, held=now.held, shown=now.shown, sent=now.sent, open=now.open, late=now.late, back=now.back, **more
    )


# ── writes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def sending(row: EscrowRow, figure: Units, raises: Raises, now: datetime) -> EscrowRow:
    """The row while ``figure`` goes out."""
    sent = escrow.sending(account(row), in_steps(row, figure), raises)
    return _kept(row, sent, expected=row.version, sent_at=now)


def stays(by: Escrowed, told: Units, target: Units) -> bool:
    """Whether a figure that is on its way is the one to show, once the channel confirms it."""
    steps = in_steps(by.row, told)
    then = escrow.applied(account(by.row), steps)
    return escrow.figure(then, in_steps(by.row, target), by.room, by.raises) == steps


def answered(
    house: House, tx: Tx, channel: str, group: Group, receipts: Sequence[tuple[Sending, Receipt]], now: datetime
) -> None:
    """Keeps what the channel said of each figure; what waits for a lowering is due again where one was confirmed."""
    way = governs(house, channel, group)
    if way is None:
        return
    rows = escrows(tx, [one.row.uid for one, _ in receipts], lock=True)
    changed: list[EscrowRow] = []
    less = False
    for one, receipt in receipts:
        row = rows.get(one.row.uid, {}).get(channel)
        if row is None or one.publish is None or receipt.outcome == "accepted":
            continue
        before, told_steps = account(row), in_steps(row, one.publish)
        if row.sent is None if one.view is None else one.view.escrowed is None:     # no escrow decided it
            at_least = row if receipt.outcome == "rejected" else _kept(row, escrow.seen(before, told_steps))
            changed.append(at_least)
            continue
        if receipt.outcome == "applied":
            version = _version(house, channel, group.mapping.resource, receipt.doc)
            told = _kept(row, escrow.applied(before, told_steps), version=version, expected=None, shown_at=now)
        elif receipt.outcome == "rejected":
            told = _kept(row, escrow.refused(before), version=None)
        else:
            told = _kept(row, escrow.unknown(before, told_steps, way), version=None)
        less = less or escrow.most(account(told)) < escrow.most(before)
        changed.append(told)
    put_escrows(tx, changed)
    if less:
        wake(tx, entity="stock", reason=RAISE_WAITS)


def unsent(house: House, tx: Tx, channel: str, group: Group, sending: Iterable[Sending], now: datetime) -> None:
    """These were decided and never sent: nothing of them counts."""
    never = Receipt(outcome="rejected", detail="it was not sent")
    answered(house, tx, channel, group, [(one, never) for one in sending], now)


def _version(house: House, channel: str, resource: str, doc: Doc | None) -> str | None:
    path = house.descriptor(channel, resource).version
    found: Any = doc
    for step in (path or "").split(".") if path is not None and doc is not None else ():
        found = found.get(step) if isinstance(found, dict) else None
    return None if path is None or found is None or found is doc else str(found)


# ── looks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def look(house: House, channel: str, group: Group, uids: Mapping[str, str]) -> None:
    """Reads what the channel shows of these (uid → its id there), then its orders past that moment.

    Afterwards what was found out is kept and these variants are due again. A channel that does not answer is asked
    again when they have waited for a while. A rehearsal asks nobody: it supposes that the channel shows what it last
    showed or was told, and that nothing was sold since.
    """
    from flows.fetching import take
    from flows.pull import pull
    from flows.steps import UNBOUNDED

    if house.rehearses:
        house.registry.attempt(lambda tx: _supposed(house, tx, channel, uids))
        return
    resource = group.mapping.resource
    asked_at = house.registry.now()
    inward = house.of(channel).inward
    try:
        found = house.connector(channel).fetch(resource, sorted(uids.values()))
        docs = [doc for doc in found.values() if doc is not None]
        if docs and resource in inward:
            page = house.account(channel, resource, "inward")
            take(house, page, channel, resource, docs, asked_at)
            house.finish(page.ledger(house.registry.now()))
        absent = {uid: (ZERO, NOTHING_THERE) for uid, id in uids.items() if found.get(id) is None}
        house.registry.attempt(lambda tx: looked(house, tx, channel, absent, asked_at))
        for other in resources_of(house, channel):      # those first to which orders refer: none of them may wait
            if "order" in inward[other].inward or "customer" in inward[other].inward:
                pull(house, channel, other, stretch=UNBOUNDED)
    except ConnectorError:
        return
    house.registry.attempt(lambda tx: mark_due(tx, [(channel, "stock", uid, None, False, None) for uid in uids]))


def _supposed(house: House, tx: Tx, channel: str, uids: Collection[str]) -> None:
    """As after a look at a channel that nothing happened on, and after its orders were read."""
    now = house.registry.now()
    rows = {uid: of[channel] for uid, of in escrows(tx, sorted(uids), lock=True).items() if channel in of}
    looked(house, tx, channel, {
        uid: ((row.held if row.shown is None else row.shown) * row.step, SUPPOSED) for uid, row in rows.items()
    }, now)
    rows = {uid: of[channel] for uid, of in escrows(tx, sorted(uids), lock=True).items() if channel in of}
    put_escrows(tx, [_kept(row, escrow.caught_up(account(row))) for row in rows.values()])
    mark_due(tx, [(channel, "stock", uid, None, False, None) for uid in uids])
    wake(tx, entity="stock", reason=RAISE_WAITS)


def looked(
    house: House, tx: Tx, channel: str, figures: Mapping[str, tuple[Decimal, str | None]], asked_at: datetime
) -> list[str]:
    """The channel was seen to show these (variant → figure, version), asked for at ``asked_at``; those that moved.

    A look that began before the last confirmed figure says nothing any more. A version that is not the one a write
    without an outcome expects proves that it will not be carried out any more.
    """
    way = hard(house, channel) if figures else None
    if way is None:
        return []
    changed = []
    for uid, rows in escrows(tx, sorted(figures), lock=True).items():
        row = rows.get(channel)
        if row is None or (row.shown_at is not None and asked_at <= row.shown_at):
            continue
        figure, version = figures[uid]
        known = account(row)
        past = way == "compare" and row.open and version != row.expected
        count, rest = whole(max(ZERO, figure), row.step)
        known = escrow.dead(known) if past else known
        now = escrow.seen(known, count) if rest == 0 else escrow.seen(known, count + 1, exact=False)
        changed.append(_kept(row, now, version=version, expected=None if past else row.expected, shown_at=asked_at))
    put_escrows(tx, changed)
    return [row.variant for row in changed]


def versions(house: House, channel: str, resource: str, docs: Sequence[Doc]) -> list[str | None]:
    """The version of each document, None where the platform has none."""
    return [_version(house, channel, resource, doc) for doc in docs]


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def orders_moved(house: House, tx: Tx, orders: Sequence[Change]) -> None:
    """What these orders take of their channel's figures, or give back to them, is reckoned with.

    Where the channel has a figure per place, an order counts against the one it names when it is first heard of; else
    which of them fell is only known when the channel is looked at. What is cancelled may be on show again at any place.
    """
    governed = {name for name in house.project.stock if hard(house, name) is not None}
    if not governed or not orders:
        return
    origins = {
        uid: binding.channel for uid, found in bindings_of(tx, [change.uid for change in orders], "order").items()
        for binding in found if binding.channel in governed
    }
    origins |= {change.uid: change.source for change in orders if change.source in governed}
    moved = [change for change in orders if change.uid in origins]
    variants = {uid for change in moved for uid in (*_units(change.before), *_units(change.after))}
    placed = {name for name in origins.values() if by_place(house, name)}
    places = _places(house, tx, variants) if placed else {}
    listings = {*variants, *(uid for of in places.values() for uid in of)}
    rows = escrows(tx, sorted(listings), lock=True) if listings else {}
    changed: dict[tuple[str, str], EscrowRow] = {}
    for change in moved:
        channel = origins[change.uid]
        first = change.before is None
        cancelled = change.after.get("status") == "cancelled"
        before = {} if first else _taken(change.before)
        after = _units(change.after) if first else _taken(change.after)
        for variant in {*before, *after}:
            units = after.get(variant, Decimal(0)) - before.get(variant, Decimal(0))
            at = places.get(variant, {}) if channel in placed else {variant: ""}
            named = _named(change.after, variant) if first and change.source == channel else {}
            for uid, place in at.items():
                row = changed.get((uid, channel)) or rows.get(uid, {}).get(channel)
                if row is None or (first and not _since(change.after, row.opened_at)):
                    continue
                now = account(row)
                if channel in placed:
                    if named.get(place, 0) > 0:
                        now = escrow.sold(now, whole(named[place], row.step)[0])
                elif units > 0:
                    now = escrow.sold(now, whole(units, row.step)[0])
                if first and cancelled:
                    now = escrow.returned(now, covering(units, row.step))
                elif units < 0:
                    now = escrow.returned(now, covering(-units, row.step))
                changed[uid, channel] = _kept(row, now)
    put_escrows(tx, changed.values())


def _places(house: House, tx: Tx, variants: Collection[str]) -> dict[str, dict[str, str]]:
    """Variant → its listings at places → the place's uid."""
    found: dict[str, dict[str, str]] = {}
    for uid, (variant, place) in listings_at_places(house, tx, sorted(variants)).items():
        found.setdefault(variant, {})[uid] = place
    return found


def _named(order: Mapping[str, Any], variant: str) -> dict[str, Decimal]:
    """Place → units of the variant that the order says were sold there."""
    found: dict[str, Decimal] = {}
    for line in order.get("lines") or ():
        place = line.get("location") or order.get("location")
        if line.get("variant") == variant and place is not None:
            found[place] = found.get(place, Decimal(0)) + _units({"lines": [line]}).get(variant, Decimal(0))
    return found


def _since(order: Mapping[str, Any], opened_at: datetime) -> bool:
    """Whether the order was placed since the channel's figures are reckoned with: older ones are in none of them."""
    placed = order.get("placed_at")
    return placed is not None and datetime.fromisoformat(placed) >= opened_at


def _units(order: Mapping[str, Any] | None) -> dict[str, Decimal]:
    """Variant → units that the order's lines ask of our stock."""
    found: dict[str, Decimal] = {}
    for line in (order or {}).get("lines") or ():
        uid = line.get("variant")
        if uid is not None and line.get("fulfilled_by") != "channel" and line.get("quantity") is not None:
            left = Decimal(line["quantity"]["value"])
            if line.get("cancelled") is not None:
                left -= Decimal(line["cancelled"]["value"])
            found[uid] = found.get(uid, Decimal(0)) + max(Decimal(0), left)
    return found


def _taken(order: Mapping[str, Any] | None) -> dict[str, Decimal]:
    return {} if order is None or order.get("status") == "cancelled" else _units(order)


def caught_up(house: House, channel: str, resource: str, began: datetime) -> None:
    """All orders of the channel up to ``began`` were read: what was sold unread before it is known now.

    Not while one of them waits or is parked without being a record: nobody knows what it took.
    """
    mapping = house.of(channel).inward.get(resource)
    if mapping is None or "order" not in mapping.inward or hard(house, channel) is None:
        return

    def work(tx: Tx) -> None:
        if _unnamed(tx, channel):
            return
        variants = unread_escrows(tx, channel, began)
        rows = [rows[channel] for rows in escrows(tx, variants, lock=True).values() if channel in rows]
        ripe = [row for row in rows if row.shown_at is not None and row.shown_at < began]
        put_escrows(tx, [_kept(row, escrow.caught_up(account(row))) for row in ripe])
        wake(tx, channel=channel, entity="stock", reason=ORDERS_WAIT)
        if ripe:
            mark_due(tx, [(channel, "stock", row.variant, None, False, None) for row in ripe])
            wake(tx, entity="stock", reason=RAISE_WAITS)

    house.registry.attempt(work)


def _unnamed(tx: Tx, channel: str) -> bool:
    """Whether some order of the channel was read and is no record, so that its goods are in no reservation."""
    return any(
        row.entity == "order" and row.direction == "inward" and row.record_uid is None
        for row in parked(tx, channel)
    )

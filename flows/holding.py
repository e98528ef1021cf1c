"""The breaker in force: which of the writes just rendered go out, and which a person looks at first (P9).

What surprises here:

* The set of a cause is judged over a window, so that many small batches are one large one; once it is held as a whole,
  every later write of that cause joins it.
* What a person planned and applied is decided already, unless a hold says otherwise of this very document. So is a
  first telling, but for a price of nothing: whoever switched the channel on saw what differs.
* A rejected document is never written, however often it is rendered; another rendering of the record is judged anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from flows.figures import of_text
from flows.pledges import PUBLISH
from flows.price_moves import Price, effect, in_todays_money, opens, prices_of
from flows.receipts import Sending
from flows.routes import Group
from flows.wiring import RELEASE, House
from mappings.commerce.breaker import Breaker, Effect, Move, Tally, alone, emptied, tally, together
from registry import (
    Binding,
    HeldItem,
    Hold,
    TallyRow,
    Tx,
    decode,
    held_items,
    listed,
    open_holds,
    put_held,
    put_hold,
    put_tallies,
    shown_prices,
    tallies,
)

NEVER_HELD: Final = ("order", "shipment", "return", "decision", "interaction")
"""What happened is told at once: holding it sells what is not there, or leaves a buyer without an answer."""
_UNKNOWN: Final = "unknown"


class Held(Struct, frozen=True, kw_only=True):
    """What does not go out: outbox row → why it is held, and → why it is refused for good."""

    held: Mapping[int, str]
    refused: Mapping[int, str]


def stop(
    house: House, tx: Tx, channel: str, group: Group, sending: Sequence[Sending], bound: Mapping[str, Binding],
    now: datetime,
) -> Held:
    """Judges what was rendered for a channel; afterwards the holds, their items and the window's tallies stand."""
    rule = house.project.breaker_of(channel)
    if not sending or group.entity in NEVER_HELD:
        return Held(held={}, refused={})
    told_anyway = group.entity == "stock" and rule.stock != "hold"
    if told_anyway and "price" not in group.joins and not [
        one for one in sending if one.write.op == "delete" or (one.publish == 0 and _empties(one, bound))
    ]:
        return Held(held={}, refused={})        # most of them: what only moves a figure of stock is never held
    effects = _effects(house, tx, channel, group, sending, bound)
    if told_anyway and not any(one.zeroes or one.deletes or one.moves for one in effects.values()):
        return Held(held={}, refused={})
    place = (channel, group.entity)
    opened = open_holds(tx, *place)
    known = held_items(tx, *place, list(effects))
    fates = {one.row.id: _decided(known.get(one.row.uid, ()), one.mark) for one in sending}
    refused = {id: fate.why for id, fate in fates.items() if fate.state == "rejected"}
    held = {one.row.id: fates[one.row.id].why for one in sending
            if fates[one.row.id].state == "open" and _planned(one)}
    judged = [one for one in sending if fates[one.row.id].state in ("", "open") and not _planned(one)]
    by_cause: dict[str, list[Sending]] = {}
    for one in judged:
        by_cause.setdefault(one.row.cause or _UNKNOWN, []).append(one)
    done: list[TallyRow] = []
    before = tallies(tx, *place, now - rule.window) if by_cause else {}
    for cause, ones in by_cause.items():
        hold = opened.get(cause)
        fresh = [one for one in ones
                 if hold is None or all(item.hold != hold.uid for item in known.get(one.row.uid, ()))]
        mine = tally(effects[one.row.uid] for one in fresh)
        if mine != Tally():
            done.append(TallyRow(cause=cause, changed=mine.changed, moved=mine.moved, deleted=mine.deleted,
                                 zeroed=mine.zeroed))
        whole = sum((_tally(row) for row in before.get(cause, ())), mine)
        stoppable = ones if group.entity != "stock" or rule.stock == "hold" else [
            one for one in ones if _moves_price(effects[one.row.uid]) or effects[one.row.uid].deletes
        ]
        said = _judged(tx, channel, group, cause, hold, stoppable, effects, whole, rule)
        if said is not None:
            hold, stopped = said
            put_held(tx, hold, [(one.row.uid, one.mark, _moves(effects[one.row.uid])) for one in stopped])
            held.update({one.row.id: f"{hold.uid}: {'; '.join(hold.because)}" for one in stopped})
    if done:
        put_tallies(tx, *place, done, before=now - rule.window)
    return Held(held=held, refused=refused)


def _judged(
    tx: Tx, channel: str, group: Group, cause: str, hold: Hold | None, ones: Sequence[Sending],
    effects: Mapping[str, Effect], whole: Tally, rule: Breaker,
) -> tuple[Hold, Sequence[Sending]] | None:
    """The hold of this cause and which of its writes it stops; None: all go out. ``ones``: those that may be."""
    if hold is not None and hold.kind == "all":
        return hold, ones
    many = whole.changed >= rule.at_least or max(whole.deleted, whole.zeroed) >= rule.at_least
    there = listed(tx, channel, group.name) if many else 0
    place = {"channel": channel, "entity": group.entity, "cause": cause}
    reasons = together(whole, there, rule) if many and ones else ()
    if reasons:
        return put_hold(tx, **place, kind="all", because=reasons), ones
    strange = [one for one in ones if alone([effects[one.row.uid]], rule)]
    if strange:
        said = alone([effects[one.row.uid] for one in strange], rule)
        more = () if hold is None else tuple(one for one in hold.because if one not in said)
        return put_hold(tx, **place, kind="single", because=(*more, *said)), strange
    if many and hold is None and (told := emptied(whole, there, rule)):
        put_hold(tx, **place, kind="alert", because=told)
    return None


def _effects(
    house: House, tx: Tx, channel: str, group: Group, sending: Sequence[Sending], bound: Mapping[str, Binding]
) -> dict[str, Effect]:
    """Record → what writing it would do to what the channel shows. A first telling changes nothing that was told; of a
    row with stock and price in one (a feed's) only a price that moves is a change."""
    told = {uid for uid, binding in bound.items() if binding.told_text not in (None, "{}")}
    prices: Mapping[str, list[Price]] = {}
    seen: Mapping[str, list[Price]] = {}
    if "price" in (group.entity, *group.joins):
        docs = {one.row.uid: (_told(bound.get(one.row.uid)), decode(one.text)) for one in sending}
        prices = prices_of(house, None, channel, group, docs, bound, tx)
        seen = _shown(house, tx, channel, [one for one in sending if not prices.get(one.row.uid)])
    stock = group.entity == "stock"
    moves = {one.row.uid: prices.get(one.row.uid) or seen.get(one.row.uid) or [] for one in sending}
    return {
        one.row.uid: effect(
            moves[one.row.uid], floor=_floor(one),
            counts=one.row.uid in told and (not stock or any(
                row.before is not None and row.after != row.before for row in moves[one.row.uid]
            )) and not opens(group.entity, moves[one.row.uid]),
            deletes=one.write.op == "delete" or (one.row.uid in told and not stock and _archives(one)),
            zeroes=stock and _empties(one, bound),
        )
        for one in sending
    }


def _moves_price(one: Effect) -> bool:
    return any(move.after != move.before for move in one.moves)


def _shown(house: House, tx: Tx, channel: str, sending: Sequence[Sending]) -> dict[str, list[Price]]:
    """Record → how its price moves from what the channel was seen to show; for documents that nothing reads back."""
    told = {one.row.uid: price for one in sending if (price := _price(one)) is not None}
    found = shown_prices(tx, [price["variant"] for price in told.values()], [channel]) if told else {}
    moves = {}
    for uid, price in told.items():
        now = next((row for row in found.get((channel, price["variant"]), ()) if row.until is None), None)
        before = (None, None) if now is None else in_todays_money(house, now.amount, now.currency)
        moves[uid] = [Price(
            path="amount", before=before[0], after=Decimal(price["amount"]),
            currency=price["currency"], was_currency=before[1],
            tax_mode=price.get("tax_mode"), was_tax_mode=None if now is None else now.tax_mode,
        )]
    return moves


def _price(one: Sending) -> Mapping[str, Any] | None:
    """What the channel's rules made of the price, where the write carries one."""
    found: Mapping[str, Any] | None = None if one.view is None else one.view.policy.get("price")
    return found if found is not None and found.get("amount") is not None else None


def _floor(one: Sending) -> Decimal | None:
    """The lowest price that the channel's own rules allow for the record, in the currency of what is written."""
    floor = (_price(one) or {}).get("floor")
    return None if floor is None else Decimal(floor)


def _told(binding: Binding | None) -> dict[str, Any]:
    return {} if binding is None or binding.told is None else binding.told


def _empties(one: Sending, bound: Mapping[str, Binding]) -> bool:
    """Whether it tells that nothing is left where something was told."""
    binding = bound.get(one.row.uid)
    before = None if binding is None or one.publish != 0 else binding.kept.get(PUBLISH)
    return before is not None and of_text(before) > 0


def _archives(one: Sending) -> bool:
    if one.view is None:
        return False
    values = one.view.values
    base = values if "status" in values else next((v for v in values.values() if isinstance(v, dict)), {})
    return base.get("status") == "archived"


class _Fate(Struct, frozen=True, kw_only=True):
    """What became of this very document: the state of the last hold that it was in, and why, as a sentence."""

    state: str = ""
    why: str = ""


def _decided(items: Sequence[HeldItem], mark: bytes) -> _Fate:
    for item in reversed(items):
        if item.mark == mark:
            said = {"rejected": f"rejected by {item.who} (hold {item.hold})",
                    "open": f"{item.hold}: a person has not decided yet"}
            return _Fate(state=item.state, why=said.get(item.state, ""))
    return _Fate()


def _planned(one: Sending) -> bool:
    """Whether a person put in force what made this due."""
    return (one.row.cause or "").startswith(f"{RELEASE} ")


def _tally(row: TallyRow) -> Tally:
    return Tally(changed=row.changed, moved=row.moved, deleted=row.deleted, zeroed=row.zeroed)


def _moves(one: Effect) -> list[dict[str, Any]]:
    return [_move(move) for move in one.moves]


def _move(move: Move) -> dict[str, Any]:
    return {"before": None if move.before is None else str(move.before), "after": str(move.after),
            "currency": move.currency}

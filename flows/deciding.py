"""A page of what is due on a channel: claimed, rendered, judged, its keys and payloads fixed.

What surprises here:

* Nothing is sent here, and nothing may be sent that was not fixed here (P2, P3).
* All of it is one transaction, but on SQLite, where it would keep everybody else from writing: there bulk pages are
  claimed in one, looked at and judged without the lock, and fixed in another. What was marked due meanwhile is left out
  of the page and stays due; so what is fixed is rendered from what is there. What other channels are told may have
  risen since, as it may on PostgreSQL, but to their aims at most, which add up to no more than is there (P8). What an
  escrow governs is decided under the lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from msgspec import Struct

from flows import consenting, escrows, order_moves, repricing
from flows.holding import stop
from flows.ledger import Account
from flows.people import CUSTOMER, told_elsewhere
from flows.pledges import sold_from
from flows.receipts import Sending
from flows.render import View, views
from flows.reversals import taken_back
from flows.routes import Group
from flows.verdicts import Verdicts
from flows.wiring import House, not_there
from mappings.language import Fault, OutwardDoc, Ref
from registry import (
    Binding,
    OutboxRow,
    Tx,
    binding_for,
    claim_due,
    consented,
    encode_all,
    mark_due,
    refs_for,
    reopen,
    still_claimed,
    wake,
)

FREELY_CREATED: Final = ("order", "decision", "customer", "shipment", "return", "interaction", "loyalty_event", "offer")
"""Entities whose creation on a channel follows from what happened; the others want a person's consent first."""
BULK: Final = ("stock", "price", "product", "variant")
"""Entities of which there is much and whose writes are absolute: what overtakes one is simply told next."""
LOOKS_FOR: Final = 10.0
"""Seconds for which a page is left to whoever looks at it; it stays theirs longer unless somebody else takes it."""


class Looked(Struct, frozen=True, kw_only=True):
    """What a page's verdicts follow from, by the uid of the rows: as channel and registry were when it was read.

    ``texts`` are the documents encoded; ``served`` is None where no figure of a single place is told.
    """

    now: datetime
    seen: Mapping[str, View]
    bound: Mapping[str, Binding]
    said: Mapping[str, Binding]
    documents: Mapping[str, OutwardDoc]
    texts: Mapping[str, str]
    faults: Mapping[str, Sequence[Fault]]
    skipped: Mapping[str, str]
    may_create: bool
    stopped: Mapping[str, str]
    elsewhere: Mapping[str, str]
    joining: Collection[str]
    stops: Mapping[str, consenting.Stop]
    served: Collection[str] | None


def decide_page(
    house: House, page: Account, channel: str, group: Group, limit: int, patient: datetime, ahead: bool
) -> list[Sending] | None:
    """Claims what is due, renders it, and fixes key and payload of what must be written; None: nothing was due.

    ``ahead``: only what goes before bulk work.
    What has waited since before ``patient`` is looked at again, whatever became of whoever should have woken it.
    """
    apart = not house.registry.postgres and group.entity in BULK and escrows.governs(house, channel, group) is None
    way = _in_steps if apart else _in_one
    return house.registry.repeat(partial(way, house, page, channel, group, limit, patient, ahead))


def _in_one(
    house: House, page: Account, channel: str, group: Group, limit: int, patient: datetime, ahead: bool
) -> list[Sending] | None:
    page.clear()
    with house.registry.write() as tx:
        rows = _claim(house, tx, channel, group, limit, patient, ahead)
        if not rows:
            return None
        looked = _look(house, tx, page, channel, group, rows)
        return _fix(house, tx, looked, _judge(house, page, channel, group, looked, rows))


def _in_steps(
    house: House, page: Account, channel: str, group: Group, limit: int, patient: datetime, ahead: bool
) -> list[Sending] | None:
    page.clear()
    with house.registry.write() as tx:
        rows = _claim(house, tx, channel, group, limit, patient, ahead, house.owner)
    if not rows:
        return None
    with house.registry.read() as tx:
        looked = _look(house, tx, page, channel, group, rows)
    verdicts = _judge(house, page, channel, group, looked, rows)
    with house.registry.write() as tx:
        still = still_claimed(tx, rows)
        if len(still) < len(rows):
            page.clear()
            verdicts = _judge(house, page, channel, group, looked, still)
        return _fix(house, tx, looked, verdicts)


def _claim(
    house: House, tx: Tx, channel: str, group: Group, limit: int, patient: datetime, ahead: bool,
    owner: str | None = None,
) -> list[OutboxRow]:
    """What is due; with ``owner`` it is theirs beyond this transaction."""
    wake(tx, channel=channel, entity=group.entity, before=patient)
    if house.descriptor(channel, group.mapping.resource).supersedes:
        reopen(tx, channel, group.entity)
    now = house.registry.now()
    rows = claim_due(tx, channel, group.entity, limit, ahead=ahead, owner=owner, seconds=LOOKS_FOR)
    escrows.opened(house, tx, channel, group, [row.uid for row in rows], now)
    mark_due(tx, repricing.later(house, channel, group, now) if rows else [])
    for row in rows:
        if row.uid == repricing.EVERY:
            repricing.all_of(house, tx, channel, group, row)
    return rows


def _look(house: House, tx: Tx, page: Account, channel: str, group: Group, rows: Sequence[OutboxRow]) -> Looked:
    """Everything that the verdicts need, read in a constant number of statements."""
    now = house.registry.now()
    uids = [row.uid for row in rows]
    seen = views(house, tx, channel, group, uids, now)
    bound = binding_for(tx, channel, group.name, uids)
    mapping = group.mapping
    order = [uid for uid in uids if uid in seen and not _silent(seen[uid])]
    shapes = [seen[uid].values for uid in order]
    refs = refs_for(tx, channel, list(mapping.outward_references(shapes)))
    result = mapping.map_outward(shapes, _refs(refs), house.context(channel, now, page.run))
    faults: dict[str, list[Fault]] = {}
    for fault in result.faults:
        faults.setdefault(order[fault.doc], []).append(fault)
    facts = house.descriptor(channel, mapping.resource)
    elsewhere, joining = (
        told_elsewhere(tx, channel, set(uids) - bound.keys(), page.run) if group.name == CUSTOMER else ({}, set())
    )
    stops = consenting.stops(house, tx, channel, group, seen, now)
    stops |= taken_back(tx, channel, group, seen, {row.uid: row.attempt for row in rows})
    documents = {order[out.index]: out for out in result.docs}
    return Looked(
        now=now, seen=seen, bound=bound, said=_said(house, tx, channel, group, seen), faults=faults,
        documents=documents,
        texts=dict(zip(documents, encode_all([out.doc for out in documents.values()]), strict=True)),
        skipped={order[skip.doc]: skip.reason for skip in result.skips},
        may_create=group.entity in FREELY_CREATED or facts.ours or (channel, group.entity) in consented(tx),
        stopped=order_moves.stopped(tx, uids) if group.entity == "order" else {},
        elsewhere=elsewhere, joining=joining, stops=stops,
        served=_served(house, tx, channel) if group.base == group.entity == "stock" else None,
    )


def _judge(
    house: House, page: Account, channel: str, group: Group, looked: Looked, rows: Sequence[OutboxRow]
) -> Verdicts:
    """What becomes of each row, counted in ``page``; nothing is stored."""
    page.read = len(rows)
    verdicts = Verdicts(house=house, channel=channel, group=group, page=page, now=looked.now)
    seen, bound, faults, documents = looked.seen, looked.bound, looked.faults, looked.documents
    for row in rows:
        view, out = seen.get(row.uid), documents.get(row.uid)
        if row.uid in looked.stops:
            verdicts.kept_back(row, looked.stops[row.uid])
        elif row.uid in looked.elsewhere:
            verdicts.unchanged(row, looked.elsewhere[row.uid])
        elif row.uid in looked.joining:
            verdicts.waiting(row, not_there(CUSTOMER, channel))
        elif row.uid in looked.stopped:
            verdicts.waiting(row, looked.stopped[row.uid])
        elif row.uid == repricing.EVERY:
            verdicts.unchanged(row, "a rule began or ended: each of its prices is looked at")
        elif view is not None and view.price is not None and view.price.silent:
            verdicts.unpriced(row, view, view.price, bound.get(row.uid))
        elif view is not None and view.missing:
            verdicts.unready(row, view, bound.get(row.uid))
        elif view is not None and group.base == group.entity == "order" and view.values.get("status") == "offered":
            verdicts.unchanged(row, "an offer goes to no other channel before it is accepted")
        elif view is not None and view.stuck and house.may_create(channel, "stock"):
            verdicts.stuck(row, view.stuck)
        elif (
            looked.served is not None and view is not None and row.uid not in bound and row.attempt == 0
            and _nothing_to_show(view, looked.served)
        ):
            verdicts.unchanged(row, "the channel keeps none of it there, and is to show none")
        elif row.uid in faults:
            verdicts.fault(row, faults[row.uid])
        elif view is None or out is None:
            verdicts.unchanged(row, looked.skipped.get(row.uid, "the record is gone"))
        else:
            verdicts.weigh(
                row, view, out.doc, looked.texts[row.uid], out.id, bound.get(row.uid), looked.said, looked.may_create
            )
    return verdicts


def _fix(house: House, tx: Tx, looked: Looked, verdicts: Verdicts) -> list[Sending]:
    """Stores the verdicts that the breaker lets stand; returns what is to be sent."""
    held = stop(house, tx, verdicts.channel, verdicts.group, verdicts.sending, looked.bound, looked.now)
    verdicts.stop(held)
    return verdicts.store(tx)


def _served(house: House, tx: Tx, channel: str) -> set[str]:
    """The places that the channel sells from, by uid and by code."""
    policy = house.project.stock.get(channel)
    if policy is None:
        return set()
    return {*policy.locations, *(uid for uid, code in sold_from(house, tx).items() if code in policy.locations)}


def _nothing_to_show(view: View, served: Collection[str]) -> bool:
    """Whether a figure is 0 and stays so at a place that the channel does not sell from: there it need not keep any.

    Where it sells, it is told: some platforms sell freely what they have no figure of.
    """
    place = view.values.get("location")
    if (place.get("code") if isinstance(place, Mapping) else place) in served:
        return False
    return view.publish == 0 and view.target == 0 and not view.waits


def _silent(view: View) -> bool:
    return view.price is not None and view.price.silent


def _refs(found: Mapping[tuple[str, str], tuple[str, Mapping[str, Any]]]) -> dict[tuple[str, str], Ref]:
    return {key: Ref(id=id, kept=kept) for key, (id, kept) in found.items()}


def _said(house: House, tx: Tx, channel: str, group: Group, seen: Mapping[str, View]) -> dict[str, Binding]:
    """What the channel itself says of the records in these groups, by uid; nothing where it is not read."""
    if not any(group.entity in mapping.inward for mapping in house.of(channel).inward.values()):
        return {}
    parts = sorted({uid for view in seen.values() for uid in view.parts.get(group.entity, ())})
    return binding_for(tx, channel, group.entity, parts)

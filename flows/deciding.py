"""A page of what is due on a channel: claimed, rendered, judged, its keys and payloads fixed, in one transaction.

What surprises here: nothing is sent here, and nothing may be sent that was not fixed here (P2, P3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

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
from mappings.language import Fault, Ref
from registry import (
    Binding,
    Tx,
    binding_for,
    claim_due,
    consented,
    mark_due,
    refs_for,
    reopen,
    wake,
)

FREELY_CREATED: Final = ("order", "decision", "customer", "shipment", "return", "interaction", "loyalty_event", "offer")
"""Entities whose creation on a channel follows from what happened; the others want a person's consent first."""


def decide_page(
    house: House, page: Account, channel: str, group: Group, limit: int, patient: datetime, ahead: bool, tx: Tx
) -> list[Sending] | None:
    """Claims what is due, renders it, and fixes key and payload of what must be written; None: nothing was due.

    ``ahead``: only what goes before bulk work.
    What has waited since before ``patient`` is looked at again, whatever became of whoever should have woken it.
    """
    page.clear()
    wake(tx, channel=channel, entity=group.entity, before=patient)
    facts = house.descriptor(channel, group.mapping.resource)
    if facts.supersedes:
        reopen(tx, channel, group.entity)
    rows = claim_due(tx, channel, group.entity, limit, ahead=ahead)
    if not rows:
        return None
    page.read = len(rows)
    now = house.registry.now()
    uids = [row.uid for row in rows]
    escrows.opened(house, tx, channel, group, uids, now)
    seen = views(house, tx, channel, group, uids, now)
    bound = binding_for(tx, channel, group.name, uids)
    said = _said(house, tx, channel, group, seen)
    mapping = group.mapping
    mark_due(tx, repricing.later(house, channel, group, now))
    order = [uid for uid in uids if uid in seen and not _silent(seen[uid])]
    shapes = [seen[uid].values for uid in order]
    refs = refs_for(tx, channel, list(mapping.outward_references(shapes)))
    result = mapping.map_outward(shapes, _refs(refs), house.context(channel, now, page.run))
    documents = {order[out.index]: out for out in result.docs}
    faults: dict[str, list[Fault]] = {}
    for fault in result.faults:
        faults.setdefault(order[fault.doc], []).append(fault)
    skipped = {order[skip.doc]: skip.reason for skip in result.skips}
    may_create = group.entity in FREELY_CREATED or facts.ours or (channel, group.entity) in consented(tx)
    stopped = order_moves.stopped(tx, uids) if group.entity == "order" else {}
    verdicts = Verdicts(house=house, channel=channel, group=group, page=page, now=now)
    elsewhere, joining = (
        told_elsewhere(tx, channel, set(uids) - bound.keys(), page.run) if group.name == CUSTOMER else ({}, set())
    )
    stops = consenting.stops(house, tx, channel, group, seen, now)
    stops |= taken_back(tx, channel, group, seen, {row.uid: row.attempt for row in rows})
    served = _served(house, tx, channel) if group.base == group.entity == "stock" else None
    for row in rows:
        view, out = seen.get(row.uid), documents.get(row.uid)
        if row.uid in stops:
            verdicts.kept_back(row, stops[row.uid])
        elif row.uid in elsewhere:
            verdicts.unchanged(row, elsewhere[row.uid])
        elif row.uid in joining:
            verdicts.waiting(row, not_there(CUSTOMER, channel))
        elif row.uid in stopped:
            verdicts.waiting(row, stopped[row.uid])
        elif row.uid == repricing.EVERY:
            repricing.all_of(house, tx, channel, group, row)
            verdicts.unchanged(row, "a rule began or ended: each of its prices is looked at")
        elif view is not None and view.price is not None and view.price.silent:
            verdicts.unpriced(row, view, view.price, bound.get(row.uid))
        elif view is not None and view.missing:
            verdicts.unready(row, view, bound.get(row.uid))
        elif view is not None and group.base == group.entity == "order" and view.values.get("status") == "offered":
            verdicts.unchanged(row, "an offer goes to no other channel before it is accepted")
        elif view is not None and view.stuck and house.may_create(channel, "stock"):
            verdicts.stuck(row, view.stuck)
        elif view is not None and row.uid not in bound and row.attempt == 0 and _nothing_to_show(view, served):
            verdicts.unchanged(row, "the channel keeps none of it there, and is to show none")
        elif row.uid in faults:
            verdicts.fault(row, faults[row.uid])
        elif view is None or out is None:
            verdicts.unchanged(row, skipped.get(row.uid, "the record is gone"))
        else:
            verdicts.weigh(row, view, out.doc, out.id, bound.get(row.uid), said, may_create)
    verdicts.stop(stop(house, tx, channel, group, verdicts.sending, bound, now))
    return verdicts.store(tx)


def _served(house: House, tx: Tx, channel: str) -> set[str]:
    """The places that the channel sells from, by uid and by code."""
    policy = house.project.stock.get(channel)
    if policy is None:
        return set()
    return {*policy.locations, *(uid for uid, code in sold_from(house, tx).items() if code in policy.locations)}


def _nothing_to_show(view: View, served: Collection[str] | None) -> bool:
    """Whether a figure is 0 and stays so at a place that the channel does not sell from: there it need not keep any.

    Where it sells, it is told: some platforms sell freely what they have no figure of.
    """
    place = view.values.get("location")
    if served is None or (place.get("code") if isinstance(place, Mapping) else place) in served:
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

"""Orders, shipments and returns as they come in: what does not add up or breaks a machine is parked, never adjusted.

What surprises here: an order is parked *beside* its record. The record is made, what it names is reserved, its
deadlines run; but while its money does not add up, or a line's article is not known, nothing of it goes out
(`stopped`). A shipment or a return that no machine allows becomes nothing at all until a person has looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from connectors.base import Doc
from flows import tracked
from flows.faults import explained
from flows.wiring import House
from flows.work import Item, Work
from mappings.commerce.match import keys as match_keys
from mappings.commerce.orders.balance import imbalance
from mappings.commerce.orders.edits import changes
from mappings.commerce.orders.figures import estimated_fees, fees
from mappings.commerce.orders.machines import CONTRADICTIONS, Illegal, contradiction, illegal_tender
from mappings.commerce.orders.merging import words_of
from mappings.commerce.orders.quantities import over_handed, over_returned
from mappings.commerce.orders.refunds import exchange_apart, over_refunded
from mappings.commerce.stock.units import off_step
from mappings.language import Fault, Inward as InwardResult, Mapping as MappingFile
from registry import (
    Binding,
    EditRow,
    NumberRow,
    ParkedRow,
    Tx,
    drop_keys,
    encode,
    open_inward,
    park,
    put_edits,
    put_numbers,
    records,
    records_by_field,
)

BALANCE: Final = "balance"
STEP: Final = "step"
MOVE: Final = "move"
MOVED: Final = ("shipment", "return")
"""Entities that move an order on."""
UNKNOWN: Final = "\x00unknown"


class Home(Struct, frozen=True, kw_only=True):
    """Where an order came from first: what is wrong with it is parked there, once, whoever's word showed it."""

    channel: str
    id: str
    resource: str | None


def nameable(
    mapping: MappingFile, docs: Sequence[Doc], refs: Mapping[tuple[str, str], str], context: Mapping[str, Any],
    result: InwardResult, mode: str,
) -> tuple[InwardResult, dict[str, list[Fault]]]:
    """Orders at fault for nothing but articles that nobody knows become records without these articles.

    What they can name is reserved; ``faults`` by the order's id say what is parked. A line that could not be named has
    no ``variant`` at all, unlike a line without an article, whose variant is null.
    """
    apart: dict[tuple[int, str], list[Fault]] = {}
    for fault in result.faults if mode in ("on", "canary") else ():
        if fault.entity == "order" and fault.id is not None:
            apart.setdefault((fault.doc, fault.id), []).append(fault)
    named = {
        key: faults for key, faults in apart.items()
        if all(fault.reference is not None and fault.reference[0] == "variant" for fault in faults)
    }
    if not named:
        return result, {}
    missing = {fault.reference for faults in named.values() for fault in faults if fault.reference is not None}
    places = sorted({doc for doc, _ in named})
    again = mapping.map_inward([docs[n] for n in places], {**refs, **dict.fromkeys(missing, UNKNOWN)}, context)
    found = [record._replace(doc=places[record.doc]) for record in again.records if record.entity == "order"]
    found = [record for record in found if (record.doc, record.id) in named]
    taken = {(record.doc, record.id) for record in found}
    for record in found:
        for line in record.values.get("lines") or ():
            if line.get("variant") == UNKNOWN:
                del line["variant"]
    rest = [fault for fault in result.faults if fault.entity != "order" or (fault.doc, fault.id) not in taken]
    partial = {id: faults for (doc, id), faults in named.items() if (doc, id) in taken}
    return InwardResult([*result.records, *found], rest, result.skips), partial


def estimated(house: House, channel: str, values: dict[str, Any]) -> dict[str, Any]:
    """A new order with the fees that its channel's policy expects, but for kinds that the channel tells itself."""
    policy = house.project.orders.get(channel)
    if policy is None or not policy.fees or values.get("total") is None:
        return values
    return {**values, "fees": fees(values.get("fees"), estimated_fees(values, policy.fees))}


def judge(
    work: Work, item: Item, uid: str, values: Mapping[str, Any], before: Mapping[str, Any] | None,
    rest: Sequence[Binding],
) -> bool:
    """Whether the order must be looked at by a person; then it is parked at the end of the page, beside its record.

    Its own document is looked at for money, all channels' words together for illegal moves.
    """
    first = min((b for b in rest if b.values_text is not None), key=_since, default=None)
    ours = Home(channel=work.channel, id=item.record.id, resource=work.resource)
    home = ours
    if first is not None and _since(first) < (item.changed.get("$since", work.moment), work.channel):
        home = Home(channel=first.channel, id=first.external_id, resource=first.resource)
    faults = work.partial.get(item.record.id, [])
    apart = None if faults else imbalance(item.values) if imbalance(values) is not None else None
    said = [item.values, *(b.values or {} for b in rest)]
    known = None if before is None else before.get("status")
    illegal = (
        None if values.get("handed_over") is True else contradiction(words_of(said, values.get("lines") or ()), known)
    ) or (
        None if before is None else illegal_tender(before.get("tenders") or (), item.values.get("tenders") or ())
    ) or over_handed(values) or over_returned(values)
    if faults:
        work.judged[ours.channel, ours.id] = ParkedRow(
            channel=work.channel, entity="order", direction="inward", external_id=item.record.id, record_uid=uid,
            resource=work.resource, kind="parked", document=_document(work, item),
            **explained(faults[0], work.channel, others=len(faults) - 1),
        )
    elif apart is not None:
        work.judged[ours.channel, ours.id] = _row(work, ours, uid, BALANCE, apart, _document(work, item))
    elif illegal is not None:
        work.judged[home.channel, home.id] = _row(work, home, uid, MOVE, illegal, None)
    else:
        work.cleared.update({(ours.channel, ours.id), (home.channel, home.id)})
        return False
    return True


def admissible(work: Work, entity: str, items: list[Item]) -> list[Item]:
    """The shipments or returns that the machines of their orders allow; the others are parked. Three statements."""
    named = {str(item.record.values.get(name)) for item in items for name in ("order", "exchange")} - {"None"}
    orders = {uid: record.values for uid, record in records(work.tx, sorted(named)).items()}
    orders |= {uid: item.values for uid, item in work.shown.items() if uid in named and uid not in orders}
    moved = {name: records_by_field(work.tx, name, "order", list(orders)) for name in MOVED}
    tracking = (tracked.tracking_of(work.tx, tracked.variants_of(list(orders.values())))
                if entity == "shipment" and tracked.required(work) else {})
    taken, rows = [], []
    for item in items:
        order = orders.get(str(item.record.values.get("order")))
        illegal = None
        if order is not None:
            uid = str(item.record.values["order"])
            others = {name: [one.values for one in found[uid] if one.uid != item.uid]
                      for name, found in moved.items()}
            others[entity].append(item.record.values)
            illegal = _illegal(entity, order, others["shipment"], others["return"])
        if illegal is None and order is not None and entity == "shipment":
            illegal = tracked.illegal(item.record.values, order, tracking)
        if illegal is None and entity == "return":
            illegal = exchange_apart(item.record.values, orders.get(str(item.record.values.get("exchange"))))
        if illegal is None:
            taken.append(item)
            continue
        home = Home(channel=work.channel, id=item.record.id, resource=work.resource)
        rows.append(_row(work, home, None, MOVE, illegal, _document(work, item), entity))
    if rows:
        country = work.house.channel(work.channel).company.country
        drop_keys(work.tx, [
            (entity, kind, value) for item in items if item.new and item not in taken
            for kind, value in match_keys(entity, item.record.values, work.channel, item.record.id, country=country)
        ])
        park(work.tx, rows)
        work.account.count(entity, "parked", len(rows), reason="its order does not allow it")
    return taken


def _illegal(
    entity: str, order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]],
    returns: Sequence[Mapping[str, Any]],
) -> Illegal | None:
    status = order.get("status")
    if entity == "shipment" and (status, "shipped") in CONTRADICTIONS and status != "cancelled":
        what, _, todo = CONTRADICTIONS[str(status), "shipped"].partition(": ")
        return Illegal(path="$.order", message=what, remedy=f"{todo}; then `serai replay`")
    if entity == "return" and status == "offered":
        return Illegal(path="$.order", message="an offer that nobody has accepted has nothing to return",
                       remedy="see on the channel which order is meant; then `serai replay`")
    if entity == "shipment":
        return over_handed(order, shipments)
    return over_returned(order, shipments, returns) or over_refunded(order, returns)


def store(work: Work) -> None:
    """Parks what was judged; keeps what was edited and by which numbers orders are known. A few statements a page."""
    if not work.shown:
        return
    for uid, fault in tracked.receipts(work).items():
        for (entity, id), known in work.known.items():
            if (entity, known) == ("order", uid):
                home = Home(channel=work.channel, id=id, resource=work.resource)
                work.judged.setdefault((work.channel, id), _row(work, home, uid, tracked.RULE, fault, None))
    for (channel, id), row in _off_step(work).items():
        work.judged.setdefault((channel, id), row)
    if work.judged:
        park(work.tx, list(work.judged.values()))
    orders = [change for change in work.changes if change.entity == "order"]
    edits = [
        EditRow(order=change.uid, channel=change.source, at=work.now, kind=edit.kind, key=edit.key, detail=str(edit))
        for change in orders if change.before is not None for edit in changes(change.before, change.after)
    ]
    if edits:
        put_edits(work.tx, edits)
    if work.numbers:
        put_numbers(work.tx, work.numbers)


def _off_step(work: Work) -> dict[tuple[str, str], ParkedRow]:
    """(channel, id) → why an order cannot be served: a line is no multiple of its article's step. One statement.

    What a till handed over was weighed, and is no order.
    """
    asked = {
        change.uid: change.after for change in work.changes
        if change.entity == "order" and change.source == work.channel and change.after.get("handed_over") is not True
        and change.after.get("status") != "cancelled"
    }
    described = records(work.tx, sorted(tracked.variants_of(list(asked.values())))) if asked else {}
    steps = {
        uid: (Decimal(step), str(record.values["unit"])) for uid, record in described.items()
        if (step := record.values.get("step")) is not None
    }
    found = {uid: what for uid, order in asked.items() if (what := off_step(order, steps)) is not None} if steps else {}
    return {
        (work.channel, id): _row(
            work, Home(channel=work.channel, id=id, resource=work.resource), uid, STEP,
            Illegal(path="$.lines", message=found[uid], remedy="agree with the buyer on what can be sold and change or "
                    "cancel the line on its channel: it goes on by itself"), None,
        ) for (entity, id), uid in work.known.items() if entity == "order" and uid in found
    }


def numbers_of(channel: str, uid: str, values: Mapping[str, Any], id: str) -> list[NumberRow]:
    """Every number by which a channel knows an order: its own id and number, and what it says of others' numbers."""
    said = {"id": id, "channel": values.get("number"), **{
        whose: number for whose, number in (values.get("numbers") or {}).items() if number is not None
    }}
    return [NumberRow(order=uid, channel=channel, whose=whose, number=number)
            for whose, number in said.items() if number is not None]


def stopped(tx: Tx, uids: Sequence[str]) -> dict[str, str]:
    """Orders of which nothing goes out, with the reason: their money does not add up, or an article is not known."""
    return {
        uid: f"the order is parked: {message}" for uid, (rule, message) in open_inward(tx, "order", uids).items()
        if rule != MOVE
    }


def _since(binding: Binding) -> tuple[int, str]:
    return binding.changed.get("$since", 1 << 62), binding.channel


def _document(work: Work, item: Item) -> bytes:
    return encode(work.docs[item.record.doc]).encode()


def _row(
    work: Work, home: Home, uid: str | None, rule: str, fault: Any, document: bytes | None, entity: str = "order",
) -> ParkedRow:
    return ParkedRow(
        channel=home.channel, entity=entity, direction="inward", external_id=home.id, record_uid=uid,
        resource=home.resource, document=document, path=fault.path, field=fault.path.removeprefix("$."), rule=rule,
        message=fault.message, remedy=fault.remedy,
    )


__all__ = [
    "BALANCE", "MOVE", "MOVED", "admissible", "estimated", "judge", "nameable", "numbers_of", "stopped", "store",
]

"""Items that could not become contributions: parked with everything a person needs, or waiting for a reference.

What surprises here: one item ends once, however many of its fields are at fault; the first fault stands in the row, the
others are counted in its message. The raw document is kept with the row, so that nothing is lost while it waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Doc
from flows.ledger import Account
from flows.wiring import House
from mappings.language import Fault, Inward as InwardResult
from registry import ParkedRow, Tx, encoded, park


def settle_faults(
    house: House, tx: Tx, account: Account, channel: str, resource: str, docs: Sequence[Doc],
    result: InwardResult, mode: Mapping[str, str],
) -> int:
    """Counts skips, parks faulty items, lets those that miss a reference wait; returns how many items these were.

    ``mode`` is the channel's mode by entity: what is switched off leaves no trace, what is in shadow waits for nothing.
    """
    for skip in result.skips:
        account.count(skip.entity or resource, "skipped", reason=skip.reason)
    by_item: dict[tuple[int, str, str], list[Fault]] = {}
    for fault in result.faults:
        document = house.document_id(channel, resource, docs[fault.doc])
        by_item.setdefault((fault.doc, fault.entity, fault.id or document), []).append(fault)
    rows = []
    for (index, entity, id), faults in by_item.items():
        word = mode.get(entity, "off")
        soft = [fault for fault in faults
                if fault.kind in ("wait", "fetch") or (word == "shadow" and fault.reference is not None)]
        hard = [fault for fault in faults if fault not in soft]
        first = (hard or faults)[0]
        if word == "off" or (word == "shadow" and not hard):
            why = "switched off" if word == "off" else "shadow: what it refers to is not matched yet"
            account.count(entity, "skipped", reason=why)
            continue
        kind = "parked" if hard else "waiting"
        account.count(entity, kind)
        account.fault(f"{channel} {entity} {id}: {first}")
        rows.append(ParkedRow(
            channel=channel, entity=entity, external_id=id, direction="inward", resource=resource, kind=kind,
            document=encoded(docs[index]), awaits=None if hard else first.reference,
            **explained(first, channel, others=len(faults) - 1),
        ))
    if rows:
        park(tx, rows)
    return len(by_item) + len(result.skips)


def explained(fault: Fault, channel: str, *, others: int = 0) -> dict[str, Any]:
    """What a parked row says of a fault: field, path, place, rule, masked value, message, remedy."""
    return {
        "field": fault.field, "path": fault.path, "file": fault.file, "line": fault.line, "rule": fault.rule,
        "value_masked": fault.value, "message": fault.message + (f" (and {others} more)" if others else ""),
        "remedy": remedy(fault, channel),
    }


def remedy(fault: Fault, channel: str) -> str:
    """The next command for a person, by what is at fault."""
    if fault.reference is not None:
        entity, id = fault.reference
        return (f"bind it to its record with `serai match bind {channel} {id} RECORD` ({entity}), or let the channel "
                "with authority bring it; then `serai replay`")
    return f"mend the document, or the row {fault.file}:{fault.line}, then `serai replay`"

"""Parked items taken up again, once a person has mended what was wrong."""

from __future__ import annotations

from collections.abc import Sequence

from flows.collecting import MESSAGE
from flows.fetching import fetch
from flows.ledger import Ledger
from flows.wiring import House
from registry import Parked, Tx, mark_due, parked, unpark


def replay(house: House, uids: Sequence[str] | None = None, *, channel: str | None = None) -> list[Ledger]:
    """Takes parked items up again: inward by fetching the document anew, outward by marking it due.

    Afterwards what succeeded is no longer parked; what did not says so again, with one more to its ``times``. A message
    that is no notice can only be let go.
    """
    with house.registry.read() as tx:
        rows = parked(tx, channel, uids=uids)
    messages = [row.key for row in rows if row.entity == MESSAGE]
    if messages:
        house.registry.attempt(lambda tx: unpark(tx, messages, state="dismissed"))
    ledgers = []
    inward: dict[tuple[str, str], list[Parked]] = {}
    for row in rows:
        if row.direction == "inward" and row.resource is not None:
            inward.setdefault((row.channel, row.resource), []).append(row)
    outward = [row for row in rows if row.direction == "outward" and row.record_uid is not None]
    for (name, resource), items in inward.items():
        account = house.account(name, resource, "inward")
        fetch(house, account, name, resource, sorted({house.document_of(item) for item in items}))
        ledgers.append(house.finish(account.ledger(house.registry.now())))
    if outward:
        def work(tx: Tx) -> None:
            mark_due(tx, [(row.channel, row.entity, str(row.record_uid), None, True, None) for row in outward])
            unpark(tx, [row.key for row in outward])

        house.registry.attempt(work)
    return ledgers

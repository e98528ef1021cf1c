"""What the inbox holds, worked off: each document that notices name is fetched once and let in.

What surprises here: a notice is a hint, so that twenty of one document are one fetch, and none is believed (P2, P5).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from connectors.errors import ConnectorError, RetryLater
from flows.fetching import fetch, no_longer_waiting, recount_posted, waiting_again
from flows.ledger import Ledger
from flows.resources import followed
from flows.settings import ENTITIES
from flows.wiring import House
from registry import StoredNotice


def take_notices(house: House, *, limit: int = 500, channels: Sequence[str] | None = None) -> list[Ledger]:
    """Stored notices, coalesced by channel and resource: each document is fetched once and accepted.

    A channel that asks to wait, or that a person must mend, has its notices put back; the other channels go on.
    """
    rows = house.registry.inbox.claim(limit, house.owner, house.claim_seconds, channels)
    groups: dict[tuple[str, str], list[StoredNotice]] = {}
    for row in rows:
        groups.setdefault((row.channel, row.resource), []).append(row)
    ledgers = []
    told: dict[str, None] = {}
    for (channel, resource), notices in sorted(groups.items(), key=lambda group: _rank(house, *group[0])):
        uids = [notice.uid for notice in notices]
        if resource not in house.of(channel).inward or not followed(house, channel, resource)[0]:
            house.registry.inbox.done(uids, house.owner)
            continue
        account = house.account(channel, resource, "inward")
        try:
            fetch(house, account, channel, resource, sorted({notice.id for notice in notices}))
            waiting_again(house, account, channel, resource)
        except ConnectorError as fault:
            wait = fault.after if isinstance(fault, RetryLater) else 60.0
            house.registry.inbox.fail(uids, str(fault), house.registry.now() + timedelta(seconds=wait))
            ledgers.append(house.finish(account.ledger(house.registry.now(), note=str(fault)), error=str(fault)))
            continue
        house.registry.inbox.done(uids, house.owner)
        ledgers.append(house.finish(account.ledger(house.registry.now())))
        told[channel] = None
    for channel in told:
        ledgers += _others_again(house, channel)
    if ledgers:
        ledgers += recount_posted(house)
    return ledgers


def _others_again(house: House, channel: str) -> list[Ledger]:
    """Documents of other resources that waited for what these brought, such as a parcel whose order came after it."""
    ledgers = []
    with house.registry.read() as tx:
        ready = no_longer_waiting(house, tx, channel)
    for resource, ids in ready.items():
        if not followed(house, channel, resource)[0]:
            continue
        account = house.account(channel, resource, "inward")
        try:
            fetch(house, account, channel, resource, sorted(ids))
        except ConnectorError as fault:     # they wait on: the next notice or read of the channel asks again
            ledgers.append(house.finish(account.ledger(house.registry.now(), note=str(fault)), error=str(fault)))
            continue
        ledgers.append(house.finish(account.ledger(house.registry.now())))
    return ledgers


def _rank(house: House, channel: str, resource: str) -> tuple[int, str, str]:
    """Over all channels, those first to which the others refer."""
    mapping = house.of(channel).inward.get(resource)
    entities = mapping.inward if mapping is not None else ()
    return (min((ENTITIES.index(entity) for entity in entities), default=len(ENTITIES)), channel, resource)

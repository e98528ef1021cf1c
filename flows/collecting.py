"""Notices that a platform keeps for us until we ask come into the inbox, beside those that it posts.

What surprises here:

* They are asked for by the timetable, with the first resource of the channel; where the platform can be waited for, the
  drain does so all the time. The drain then acts on them like on any other.
* A platform forgets them once they are stored, never before (P1): what was stored and not forgotten comes again and is
  the same delivery.
* A message that is no notice would come for ever: it is parked by its id and then forgotten too. What it says is not
  kept: nobody could find it there for whom it names (P13).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from connectors.base import Connector, Notice, Unreadable
from connectors.errors import ConnectorError
from flows.wiring import House
from registry import ParkedRow, park

MESSAGE = "message"
"""What a parked message stands under in place of an entity."""


def keeps_notices(house: House, channel: str) -> bool:
    """Whether the channel's platform may keep notices for us."""
    return type(house.connector(channel)).kept is not Connector.kept


def listening(house: House) -> list[str]:
    """The channels whose platform can be waited for; who cannot be asked at all says so when it is read."""
    found = []
    for channel in house.settings.channels:
        with suppress(Exception):  # whatever is wrong with one channel must not stop the others
            if house.connector(channel).listens:
                found.append(channel)
    return found


def collect(house: House, channel: str, *, wait: float = 0.0) -> int:
    """Afterwards every notice that the channel's platform kept for us is in the inbox, once; the number that is new.

    Where the platform can be waited for, it is for so many seconds. Raises what the connector raises, which then stands
    among the runs of the channel too; what was stored before stays stored.
    """
    account = house.account(channel, "notices", "inward")
    new = 0
    try:
        for found in house.connector(channel).kept(wait):
            new += house.registry.inbox.put([
                (channel, one.delivery, one.resource, one.id, one.at, None) for one in found if isinstance(one, Notice)
            ])
            _park(house, channel, [one for one in found if isinstance(one, Unreadable)])
    except ConnectorError as fault:
        house.finish(account.ledger(house.registry.now(), note=str(fault)), error=str(fault))
        raise
    return new


def _park(house: House, channel: str, found: Sequence[Unreadable]) -> None:
    rows = [
        ParkedRow(
            channel=channel, entity=MESSAGE, direction="inward", external_id=one.id,
            message=f"a message that the platform kept for us is no notice: {one.why}",
            remedy="nothing was lost by it that the timetable does not read; ask whoever else writes there, then "
                   "`serai replay` lets it go",
        )
        for one in found
    ]  # fmt: skip
    if rows:
        house.registry.attempt(lambda tx: park(tx, rows))

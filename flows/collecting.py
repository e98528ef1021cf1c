"""Notices that a platform keeps for us until we ask come into the inbox, beside those that it posts.

What surprises here: they are asked for by the timetable, with the first resource of the channel; the drain then acts on
them like on any other. A platform forgets them once they are stored, never before (P1).
"""

from __future__ import annotations

from connectors.base import Connector
from flows.wiring import House


def keeps_notices(house: House, channel: str) -> bool:
    """Whether the channel's platform may keep notices for us."""
    return type(house.connector(channel)).kept is not Connector.kept


def collect(house: House, channel: str) -> int:
    """Afterwards every notice that the channel's platform kept for us is in the inbox, once; the number that is new.

    Raises what the connector raises; what was stored before stays stored.
    """
    new = 0
    for notices in house.connector(channel).kept():
        new += house.registry.inbox.put([
            (channel, notice.delivery, notice.resource, notice.id, notice.at, None) for notice in notices
        ])
    return new

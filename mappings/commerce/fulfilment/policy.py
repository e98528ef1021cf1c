"""What a retailer chose: terms and acceptance per channel, calendars per company, routings by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.commerce.fulfilment.calendar import Calendar, calendar
from mappings.commerce.fulfilment.deadlines import Terms
from mappings.commerce.fulfilment.decisions import Acceptance
from mappings.commerce.fulfilment.routing import Routing

EVERY = "*"


@dataclass(frozen=True, kw_only=True)
class ChannelRules:
    """How orders of one channel are handled. ``routing``: service → name; one that is not named is not routed.
    ``returns``: places that may take its goods back; None: every place that offers it, unless the channel itself holds
    the money."""

    terms: Terms = field(default_factory=Terms)
    acceptance: Acceptance = "person"
    routing: Mapping[str, str] = field(default_factory=dict)
    returns: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Fulfilment:
    """policies/fulfilment.yaml, read. A channel without a row is handled as ``*`` says."""

    channels: Mapping[str, ChannelRules] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    routing: Mapping[str, Routing] = field(default_factory=dict)

    def of(self, channel: str) -> ChannelRules:
        """The channel's rules."""
        return self.channels.get(channel) or self.channels.get(EVERY) or ChannelRules()

    def route_of(self, channel: str, service: str) -> Routing | None:
        """The routing of a channel's orders that want a service; None: they are not routed."""
        name = self.of(channel).routing.get(service)
        return None if name is None else self.routing[name]

    def calendar_of(self, company: str, zone: str, place: Mapping[str, Any] | None = None) -> Calendar:
        """When work is done: a place's own hours and cut-off where it states them, else its company's; the company's
        holidays hold at each of its places."""
        usual = self.calendars.get(company) or Calendar(zone=zone)
        if place is None or (place.get("hours") is None and place.get("cut_off") is None):
            return usual
        own = calendar(
            zone=place.get("zone") or usual.zone, hours=place.get("hours"), holidays=usual.holidays,
            cut_off=place.get("cut_off"),
        )
        return Calendar(
            zone=own.zone, hours=own.hours if place.get("hours") is not None else usual.hours,
            holidays=usual.holidays, cut_off=own.cut_off if place.get("cut_off") is not None else usual.cut_off,
        )

"""One record out of what several channels say about it: field by field, by authority.

What surprises here: a covered null wins like any value (the channel says "this is empty"), while a field a channel does
not cover says nothing; and a channel that the authority does not list never decides, however new its value is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from mappings.canonical import fields
from mappings.commerce.customers.survivorship import Group, survive
from mappings.commerce.orders.merging import settled

Rule: TypeAlias = str | Sequence[str]
"""``newest``, ``origin``, or an order of channels, in which the two words may stand for the channel they name."""
Authority: TypeAlias = Mapping[str, Rule]
"""Field to rule; ``*`` is the rule of every field without its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contribution:
    """What one channel says of one record, mapped.

    ``covers`` are the fields it speaks about; ``since`` is when the channel first said anything of the record (the
    earliest is the record's origin); ``changed`` is when each field last took another value on that channel.
    """

    channel: str
    values: Mapping[str, Any]
    covers: Collection[str]
    asked_at: datetime
    since: datetime
    changed: Mapping[str, datetime] = field(default_factory=dict)

    def moved(self, name: str) -> tuple[datetime, datetime, str]:
        """When the field last changed here, ordered so that no two channels tie."""
        return self.changed.get(name, self.since), self.asked_at, self.channel


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """The record's values, and for each of them the channel it came from."""

    values: dict[str, Any]
    sources: dict[str, str]


def merge(entity: str, contributions: Sequence[Contribution], authority: Authority) -> Merged:
    """The record: each field from the channel with authority over it.

    ``value(field) = the value of the first channel in authority(field) whose contribution covers field``, where
    ``newest`` stands for the contribution whose field changed last and ``origin`` for the channel that spoke first.
    Channels that are not listed do not decide; a field nobody may decide is absent. Lists are taken whole. The answer
    does not depend on the order of ``contributions``; its fields stand in the order of the entity's schema.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    origin = _origin(contributions)
    for name in fields(entity):
        speaking = [c for c in contributions if name in c.values and name in c.covers]
        if speaking:
            chosen = _decide(name, speaking, authority.get(name, authority.get("*", ())), origin)
            if chosen is not None:
                values[name] = chosen.values[name]
                sources[name] = chosen.channel
    return Merged(values=values, sources=sources)


def record_values(
    entity: str, contributions: Sequence[Contribution], authority: Authority, before: Mapping[str, Any] | None = None,
    groups: Sequence[Group] = (),
) -> dict[str, Any]:
    """The values of `merge`; an order's machines follow from what all channels say and from what it was (``before``).

    A buyer's cancellation counts until the goods have left, and a repeated or late status changes nothing. What a
    customer allowed is the strictest of all that was said, and ``groups`` of a customer's fields are taken whole.
    """
    merged = merge(entity, contributions, authority)
    values = merged.values
    if entity == "customer":
        return survive(values, contributions, groups, merged.sources.get("accounts"))
    if entity == "order":
        first = sorted(contributions, key=lambda c: (c.since, c.channel))
        values = settled(values, [c.values for c in first], before)
    return values


def _origin(contributions: Sequence[Contribution]) -> str | None:
    first = min(contributions, key=lambda c: (c.since, c.channel), default=None)
    return None if first is None else first.channel


def _decide(name: str, speaking: Sequence[Contribution], rule: Rule, origin: str | None) -> Contribution | None:
    """A channel with two documents about one record speaks through the one that changed last."""
    for word in [rule] if isinstance(rule, str) else rule:
        channel = origin if word == "origin" else word
        candidates = [c for c in speaking if word == "newest" or c.channel == channel]
        if candidates:
            return candidates[0] if len(candidates) == 1 else max(
                candidates, key=lambda c: (c.moved(name), str(c.values[name]))  # two accounts of one channel may tie
            )
    return None

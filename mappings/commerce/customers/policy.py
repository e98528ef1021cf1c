"""All that policies/customers.yaml says, in one frozen value; each part belongs to the module that acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mappings.commerce.customers.consent import MARKETING, Purpose
from mappings.commerce.customers.matching import MatchPolicy
from mappings.commerce.customers.region import Region
from mappings.commerce.customers.segments import Segment
from mappings.commerce.customers.survivorship import Group

EVERY: Final = "*"


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What is kept of an erased person: ``keep`` names personal fields of invoices per entity, for ``years``;
    ``backups_days`` is when the last backup that knows the person is gone.
    """

    keep: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    years: int = 0
    backups_days: int = 30


@dataclass(frozen=True, kw_only=True)
class Loyalty:
    """``authority`` is the one channel that keeps points and gift cards; ``tills`` are the channels that may ask it
    through Serai while a buyer waits, and ``within`` the seconds after which no answer is a refusal.
    """

    authority: str
    tills: frozenset[str] = frozenset()
    within: float = 5.0


@dataclass(frozen=True, kw_only=True)
class CustomerPolicy:
    """How customers are matched, merged, reached, shown to channels, grouped and erased; who keeps their points."""

    match: MatchPolicy = field(default_factory=MatchPolicy)
    survivorship: tuple[Group, ...] = ()
    purposes: Mapping[str, Purpose] = field(default_factory=lambda: {MARKETING: Purpose()})
    regions: Mapping[str, Region] = field(default_factory=dict)
    loyalty: Loyalty | None = None
    segments: tuple[Segment, ...] = ()
    erasure: Erasure = field(default_factory=Erasure)

    def region(self, channel: str) -> Region:
        """The channel's own row, else that of ``*``, else one that may be given everything."""
        return self.regions.get(channel) or self.regions.get(EVERY) or Region()

"""What of a person goes to which channel: refused by lint where a mapping would read it, taken out when it runs.

What surprises here: both are done. Lint speaks of the mapping and the policy in force; what is rendered is shielded
whatever any mapping reads, so that a mistake in one of them gives nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from mappings import canonical
from mappings.commerce.customers.region import shield
from mappings.language import LintError

if TYPE_CHECKING:
    from flows.routes import PlatformMappings
    from flows.settings import Project
    from flows.wiring import House


@cache
def personal(entity: str) -> frozenset[str]:
    """The entity's fields that say something of a person."""
    properties = canonical.schemas()[entity]["properties"]
    return frozenset(name for name, field in properties.items() if field.get("x-personal"))


def shield_of(house: House, channel: str, entity: str) -> Callable[[Mapping[str, Any]], dict[str, Any]] | None:
    """What makes of a record what the channel's region may see of it; None: it may see all of it."""
    rule = house.project.customers.region(channel)
    fields = personal(entity)
    if rule.personal == "allow" or not fields:
        return None
    return partial(shield, personal=fields, rule=rule, secret=house.secret)


def denied(project: Project, loaded: Mapping[str, PlatformMappings]) -> list[LintError]:
    """A mistake for every mapping that would write something personal to a channel that may be given nothing of it."""
    errors = []
    for channel in project.channels.values():
        if project.customers.region(channel.name).personal != "deny":
            continue
        for entity in channel.receives:
            group = loaded[channel.platform].outward.get(entity) if channel.platform in loaded else None
            if group is None:
                continue
            for read, names in group.mapping.outward_needs.items():
                for name in sorted(names & personal(read)):
                    line, file = next(
                        ((row.line, row.file) for row in group.mapping.rows if name in row.text),
                        (1, group.mapping.name),
                    )
                    errors.append(LintError(
                        file=file, line=line, column=1, code="personal",
                        what=f"{read}.{name} goes to {channel.name}, which may be given nothing of a person",
                        allowed="`personal: pseudonym` or `allow` in policies/customers.yaml, or a mapping without it",
                    ))
    return errors

"""What survives of what several identities say of one person: field groups are taken whole, from one of them.

What surprises here: a group is never mixed: a given name of one account and a family name of another make somebody who
does not exist. Consents are the most restrictive of all; accounts stand side by side and are never added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mappings.commerce.customers.consent import strictest

if TYPE_CHECKING:
    from mappings.commerce.merge import Contribution

NEWEST: Final = "newest"
COMPLETE: Final = "complete"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Fields that are taken together; ``order`` names channels, ``newest`` or ``complete``, the first that holds."""

    name: str
    fields: tuple[str, ...]
    order: tuple[str, ...]


def survive(
    values: Mapping[str, Any], contributions: Sequence[Contribution], groups: Sequence[Group] = (),
    keeper: str | None = None,
) -> dict[str, Any]:
    """The values of a person: those of the merge by authority, with groups, consents and accounts put in their place.

    A group comes from the contribution of the first word of its order that says anything of it: a channel's (of several
    accounts the one that changed last), the one that changed last (``newest``), or the one with most fields filled
    (``complete``, of equal ones the newest). ``keeper`` is the channel that decides accounts: all of its copies stand
    side by side. Does not depend on the order of contributions.
    """
    found = dict(values)
    for group in groups:
        chosen = _chosen(group, contributions)
        if chosen is not None:
            for name in group.fields:
                found.pop(name, None)
                if name in chosen.values:
                    found[name] = chosen.values[name]
    said = [c.values["consents"] for c in contributions if c.values.get("consents") is not None]
    if said:
        found["consents"] = strictest(sorted(said, key=str))
    if found.get("accounts") is not None:
        found["accounts"] = side_by_side([
            c for c in contributions if c.channel == keeper and c.values.get("accounts") is not None
        ])
    return found


def side_by_side(contributions: Sequence[Contribution]) -> list[dict[str, Any]]:
    """Every account once, under its own number; of two copies the one read later. Balances are never added."""
    rows: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}
    for one in contributions:
        for account in one.values["accounts"]:
            place = (account["kind"], account["key"])
            rank = (account.get("at") or "", one.moved("accounts"), str(sorted(account.items(), key=str)))
            if place not in rows or rank > rows[place][0]:
                rows[place] = (rank, dict(account))
    return [rows[place][1] for place in sorted(rows)]


def _chosen(group: Group, contributions: Sequence[Contribution]) -> Contribution | None:
    speaking = [c for c in contributions if any(c.values.get(name) is not None for name in group.fields)]

    def last(one: Contribution) -> Any:
        return max(one.moved(name) for name in group.fields), str(sorted(one.values.items(), key=str))

    for word in group.order:
        mine = [c for c in speaking if word in (NEWEST, COMPLETE) or c.channel == word]
        if mine and word == COMPLETE:
            return max(mine, key=lambda c: (sum(c.values.get(name) is not None for name in group.fields), last(c)))
        if mine:
            return max(mine, key=last)
    return None

"""Product content in the outward view: each channel's own words, its categories, and what a listing still lacks.

What surprises here: only writes that publish a listing are kept back: products, variants, and groups that carry the
product with them (feeds). A price or a stock figure of a listing that is out already always goes: holding it oversells;
and so does an archived record: taking goods from the shelf needs no description.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.policies.products import JUDGED
from flows.routes import Group
from flows.settings import Project
from mappings.commerce.products import Listing, Missing, listed

PLAIN = Listing()
NO_PRICE = Missing(
    what="no price holds now", where="price", remedy="give it a price on the company's list, or see `serai hold list`"
)


def publishes(group: Group) -> bool:
    """Whether writes of the group put a listing before buyers."""
    return group.entity in ("product", "variant") or "product" in group.joins


def as_they_are(project: Project, channel: str, group: Group) -> bool:
    """Whether the channel sees the group's records as they are, all of them: it has no rules of its own, and neither a
    product, which may have other words for it, nor a price, which may be missing, is among them."""
    return channel not in project.products and not {"product", "price"} & {group.base, *group.joins}


def with_content(
    project: Project, channel: str, group: Group, shaped: dict[str, Any]
) -> tuple[dict[str, Any], tuple[Missing, ...], Mapping[str, str]]:
    """The view with product and variant as the channel is to see them; what the listing lacks; and why they are so.

    The reasons name the row or table that a field came from (P11); what came from the master has none.
    """
    alone = group.base == group.entity
    base = shaped if alone else shaped.get(group.base)
    found = {entity: base if entity == group.base else shaped.get(entity) for entity in JUDGED}
    records = {entity: values for entity, values in found.items() if isinstance(values, dict)}
    rule = project.products.get(channel, PLAIN)
    needless = rule is PLAIN and not records.get("product", {}).get("content") and "price" not in group.joins
    if not records or needless:
        return shaped, (), {}
    shown = listed(channel, records, rule)
    view = dict(shown.records[group.base]) if alone and group.base in records else dict(shaped)
    view.update({entity: values for entity, values in shown.records.items() if not (alone and entity == group.base)})
    lacks = shown.missing
    if "price" in group.joins and shaped.get("prices") == []:
        lacks = (*lacks, NO_PRICE)
    hidden = any(values.get("status") == "archived" for values in records.values())
    return view, lacks if publishes(group) and not hidden else (), shown.because

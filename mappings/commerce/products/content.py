"""Content per channel: the channel's own title, text, pictures and attributes laid over the master's, by policy.

What surprises here: rows are laid field by field, and a null of a row is not "empty" but "as the master has it"; a
channel that is to show nothing asks for nothing in its policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mappings.commerce.products.categories import Attribute, attributes_of, category_of
from mappings.commerce.products.identifiers import worldwide
from mappings.commerce.products.readiness import Missing, Requirement, concerning, missing

CONTENT_FIELDS: Final = ("name", "description", "link", "images", "attributes")
"""What a content row may say instead of the master."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What a channel shows of products: ``content`` rows by key, the first that says something wins, of ``over``.

    ``categories``: own category → the channel's; None: the own word goes out. ``unready``: what becomes of a listing
    that is out already and lacks something now: ``keep`` (nothing more is told of it) or ``withdraw``. ``gtins``: a
    till scans any number, a marketplace takes those only that name the same goods in every shop.
    """

    content: tuple[str, ...] = ()
    over: tuple[str, ...] = CONTENT_FIELDS
    categories: Mapping[str, str] | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    requires: tuple[Requirement, ...] = ()
    unready: Literal["keep", "withdraw"] = "keep"
    gtins: Literal["any", "worldwide"] = "any"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """Records as a channel is to see them, by entity; what they lack; and which field came from which row or table."""

    records: Mapping[str, Mapping[str, Any]]
    missing: tuple[Missing, ...]
    because: Mapping[str, str]


def listed(channel: str, records: Mapping[str, Mapping[str, Any]], policy: Listing) -> Listed:
    """What the channel is to see of a product and a variant, whichever of them ``records`` holds.

    ``field(c) = row(k).field for the first k of content(c) with a non-null one, else master.field``, for each field of
    ``over``; attributes so one by one; then category and attributes by the channel's tables. ``content`` itself is left
    out. With an empty policy the records come back as they are, without ``content``.
    """
    shown: dict[str, Mapping[str, Any]] = dict(records)
    because: dict[str, str] = {}
    gaps: list[Missing] = []
    product = records.get("product")
    if product is not None:
        shown["product"] = _laid(product, policy.content or (channel,), policy.over, because)
    for entity in ("product", "variant"):
        if entity in shown:
            shown[entity] = _in_words(channel, entity, shown[entity], policy, because, gaps)
    lacks = missing(shown, concerning(policy.requires, shown))
    number = shown.get("variant", {}).get("gtin")
    if policy.gtins == "worldwide" and number is not None and worldwide(number) is None:
        shown["variant"] = {**shown["variant"], "gtin": None}
        because["variant.gtin"] = "rule gtins: worldwide"
    return Listed(records=shown, missing=(*lacks, *gaps), because=because)


def _laid(
    product: Mapping[str, Any], keys: Sequence[str], over: Sequence[str], because: dict[str, str]
) -> dict[str, Any]:
    """The product with the rows of these keys over it."""
    rows = {row["key"]: row for row in product.get("content") or ()}
    laid = {name: value for name, value in product.items() if name != "content"}
    for key in reversed([key for key in keys if key in rows]):
        for name in over:
            value = rows[key].get(name)
            if value is None:
                continue
            if name == "attributes":
                own = {one["key"]: one["value"] for one in value if one["value"] is not None}
                laid[name] = {**(laid.get(name) or {}), **own}
                because.update({f"product.attributes.{attribute}": f"content {key}" for attribute in own})
            else:
                laid[name] = value
                because[f"product.{name}"] = f"content {key}"
    return laid


def _in_words(
    channel: str, entity: str, values: Mapping[str, Any], policy: Listing, because: dict[str, str],
    gaps: list[Missing],
) -> Mapping[str, Any]:
    """The record with the channel's category and attributes; what a table misses is a gap."""
    changed: dict[str, Any] = {}
    own = values.get("category")
    if policy.categories is not None and own is not None:
        changed["category"] = category_of(own, values.get("category_path") or (), policy.categories)
        because[f"{entity}.category"] = "table of categories"
        if changed["category"] is None:
            gaps.append(Missing(
                what=f"{entity}.category has no counterpart on {channel}", where=f"{entity}.category",
                remedy=f"add it to policies/products.yaml: {channel}: categories",
            ))
    if policy.attributes and values.get("attributes") is not None:
        changed["attributes"], unknown = attributes_of(values["attributes"], policy.attributes)
        for name, _ in unknown:
            gaps.append(Missing(
                what=f"the value of {entity}.attributes.{name} has no counterpart on {channel}",
                where=f"{entity}.attributes.{name}",
                remedy=f"add it to policies/products.yaml: {channel}: attributes: {name}: values",
            ))
    return {**values, **changed} if changed else values

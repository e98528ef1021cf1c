"""Listings of the simulated marketplace: how they are shown, searched, put, patched, and what is wrong with them.

What surprises here:

* HTTP 200 says nothing: ``status`` is INVALID for what the product type does not allow, ACCEPTED for the rest, and some
  of that turns out to be wrong when it is processed (a price of nothing).
* A search shows a thousand listings at most, whatever ``numberOfResults`` says, 20 on a page.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from deployments.sandbox.amazon.state import EVERYWHERE, OWN, PRODUCT_TYPES, Listing, Market, money, stamp
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, parsed

MOST, PAGE = 1_000, 20
_CREATED, _UPDATED = attrgetter("created"), attrgetter("updated")
BOUNDS: Mapping[str, tuple[Callable[[Listing], datetime], bool]] = {
    "createdAfter": (_CREATED, True), "createdBefore": (_CREATED, False),
    "lastUpdatedAfter": (_UPDATED, True), "lastUpdatedBefore": (_UPDATED, False),
}
"""A bound of a search → the stamp that it is about, and whether it lies before what is shown."""
_BY: Mapping[Callable[[Listing], datetime], Callable[[Listing], Any]] = {
    _CREATED: attrgetter("created", "sku"), _UPDATED: attrgetter("updated", "sku"),
}
_KEYS: Mapping[str, Callable[[Listing], Any]] = {
    "sku": attrgetter("sku"), "createdDate": _BY[_CREATED], "lastUpdatedDate": _BY[_UPDATED],
}  # fmt: skip


def shown(market: Market, listing: Listing, parts: Sequence[str]) -> Doc:
    """A listing with the data sets asked for."""
    doc: Doc = {"sku": listing.sku}
    place = market.marketplace
    if "summaries" in parts:
        summary: Doc = {
            "marketplaceId": place, "asin": listing.asin, "productType": listing.product_type,
            "conditionType": "new_new", "status": market.status(listing), "itemName": listing.title,
            "createdDate": stamp(listing.created), "lastUpdatedDate": stamp(listing.updated),
        }  # fmt: skip
        doc["summaries"] = [summary]
    if "attributes" in parts:
        doc["attributes"] = listing.attributes
    if "issues" in parts:
        doc["issues"] = listing.issues
    if "offers" in parts and listing.price is not None:
        price = money(listing.price, market.currency)
        audience = {"value": "ALL", "displayName": "Sell on Amazon"}
        doc["offers"] = [{"marketplaceId": place, "offerType": "B2C", "price": price, "audience": audience}]
    if "fulfillmentAvailability" in parts:
        rows = listing.attributes.get("fulfillment_availability") or [{}]
        code = rows[0].get("fulfillment_channel_code", OWN)
        row: Doc = {"fulfillmentChannelCode": code}
        if not listing.network and listing.quantity is not None:
            row["quantity"] = listing.quantity
        doc["fulfillmentAvailability"] = [row]
    if "productTypes" in parts:
        doc["productTypes"] = [{"marketplaceId": place, "productType": listing.product_type}]
    return doc


def search(market: Market, query: Mapping[str, str]) -> Doc:
    """A page of `searchListingsItems`."""
    size = int(query.get("pageSize", "10"))
    if not 1 <= size <= PAGE:
        raise Refused(400, "InvalidInput", f"pageSize is at most {PAGE}")
    if ("identifiers" in query) != ("identifiersType" in query):
        raise Refused(400, "InvalidInput", "identifiers and identifiersType go together")
    for listing in market.listings.values():
        if listing.waiting:
            market.process(listing)
    rows = _ordered(market, query.get("sortBy", "lastUpdatedDate"))
    wanted = set(query["identifiers"].split(",")) if "identifiers" in query else None
    if wanted is not None:
        if len(wanted) > PAGE or query["identifiersType"] != "SKU":
            raise Refused(400, "InvalidInput", f"at most {PAGE} identifiers, of type SKU")
        rows = [listing for listing in rows if listing.sku in wanted]
    for name in BOUNDS:
        if name in query:
            rows = _within(rows, name, parsed(query[name]), query.get("sortBy", "lastUpdatedDate"))
    if query.get("sortOrder", "DESC") == "DESC":
        rows = rows[::-1]
    start = _start(query)
    part = rows[start : min(start + size, MOST)]
    asked = query.get("includedData", "summaries").split(",")
    found: Doc = {"numberOfResults": len(rows), "items": [shown(market, one, asked) for one in part]}
    after = start + len(part)
    if part and after < min(len(rows), MOST):
        found["pagination"] = {"nextToken": f"page.{after}"}
    return found


def _start(query: Mapping[str, str]) -> int:
    token = query.get("pageToken")
    if token is None:
        return 0
    head, _, text = token.partition(".")
    if head != "page" or not text.isdigit():
        raise Refused(400, "InvalidInput", "pageToken is not valid")
    return int(text)


def _ordered(market: Market, by: str) -> list[Listing]:
    if by not in market.ranked:
        market.ranked[by] = sorted(market.listings.values(), key=_KEYS[by])
    return market.ranked[by]


def _within(rows: list[Listing], bound: str, moment: datetime, by: str) -> list[Listing]:
    """Those at or after, or at or before a moment; by halving where it is what the rows are sorted by."""
    stamp, after = BOUNDS[bound]
    if _KEYS[by] is not _BY[stamp]:
        return [one for one in rows if (stamp(one) >= moment if after else stamp(one) <= moment)]
    if after:
        return rows[bisect_left(rows, moment, key=stamp):]
    return rows[:bisect_right(rows, moment, key=stamp)]


def issue(code: str, message: str, category: str, *names: str, stops: bool = False) -> Doc:
    """What is wrong with a listing or a submission of it."""
    found: Doc = {"code": code, "message": message, "severity": "ERROR", "attributeNames": list(names),
                  "categories": [category]}  # fmt: skip
    if stops:
        found["enforcements"] = {"actions": [{"action": "LISTING_SUPPRESSED"}], "exemption": {"status": "NOT_EXEMPT"}}
    return found


def put(market: Market, sku: str, body: Any) -> Doc:
    """`putListingsItem`: everything that is said of a listing, new or known."""
    kind, attributes = _kind(body), body.get("attributes")
    if not isinstance(attributes, dict):
        raise Refused(400, "InvalidInput", "attributes are required")
    issues = faults(market, kind, attributes)
    needed = () if body.get("requirements") == "LISTING_OFFER_ONLY" else PRODUCT_TYPES.get(kind, {}).get("required", ())
    issues += [
        issue("90220", f"'{name}' is required but not supplied.", "MISSING_ATTRIBUTE", name)
        for name in needed if name not in attributes
    ]  # fmt: skip
    if not issues:
        listing = market.listings.get(sku)
        if listing is None:
            asin = f"B0{market.number('asin'):08d}"
            listing = Listing(sku=sku, asin=asin, product_type=kind, created=market.now(), updated=market.now())
            market.put(listing)
        market.submit(listing, lambda one: apply(market, one, attributes, whole=True))
    return _answer(market, sku, issues)


def patch(market: Market, sku: str, body: Any) -> Doc:
    """`patchListingsItem`: some attributes replaced, merged or deleted."""
    listing = market.listings.get(sku)
    if listing is None:
        raise Refused(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {market.marketplace}")
    kind, patches = _kind(body), body.get("patches")
    if not isinstance(patches, list) or not patches:
        raise Refused(400, "InvalidInput", "patches must hold at least one operation")
    given: Doc = {}
    for row in patches:
        name = str(row.get("path", "")).removeprefix("/attributes/")
        if row.get("op") not in ("add", "replace", "merge", "delete") or "/" in name or name == "":
            raise Refused(400, "InvalidInput", "only top-level attributes can be patched")
        given[name] = None if row["op"] == "delete" else row.get("value")
    issues = faults(market, kind, given)
    if kind not in (listing.product_type, "PRODUCT"):
        issues.append(issue("8541", f"The listing is a {listing.product_type}.", "INVALID_ATTRIBUTE", "productType"))
    if not issues:
        market.submit(listing, lambda one: apply(market, one, given, whole=False))
    return _answer(market, sku, issues)


def _kind(body: Any) -> str:
    if not isinstance(body, dict) or not isinstance(body.get("productType"), str):
        raise Refused(400, "InvalidInput", "productType is required")
    return str(body["productType"])


def _answer(market: Market, sku: str, issues: Sequence[Doc]) -> Doc:
    return {"sku": sku, "status": "INVALID" if issues else "ACCEPTED", "submissionId": str(uuid.uuid4()),
            "issues": list(issues)}  # fmt: skip


def faults(market: Market, kind: str, attributes: Mapping[str, Any]) -> list[Doc]:
    """What the product type's definition does not allow."""
    rules = PRODUCT_TYPES.get(kind)
    if rules is None:
        return [issue("4000001", f"'{kind}' is not a product type.", "INVALID_ATTRIBUTE", "productType")]
    found = []
    for name, value in attributes.items():
        if name not in EVERYWHERE and name not in rules["more"]:
            found.append(issue("4000003", f"'{name}' is not an attribute of {kind}.", "INVALID_ATTRIBUTE", name))
        elif value is not None and (not isinstance(value, list) or not value
                                    or not all(isinstance(row, dict) for row in value)):  # fmt: skip
            found.append(issue("99022", f"'{name}' does not have enough values.", "INVALID_ATTRIBUTE", name))
        elif value is not None and not all(_sound(market, name, row) for row in value):
            found.append(issue("90244", f"'{name}' has a value that is not valid.", "INVALID_ATTRIBUTE", name))
    return found


def _sound(market: Market, name: str, row: Doc) -> bool:
    if name == "fulfillment_availability":
        quantity = row.get("quantity", 0)
        whole = isinstance(quantity, int) and not isinstance(quantity, bool)
        return isinstance(row.get("fulfillment_channel_code"), str) and whole and quantity >= 0
    if name == "purchasable_offer":
        here = row.get("marketplace_id", market.marketplace) == market.marketplace
        if row.get("currency") != market.currency or not here:
            return False
        steps = [step for one in row.get("our_price") or () for step in one.get("schedule") or ()]
        return steps != [] and all(isinstance(step.get("value_with_tax"), int | Decimal) for step in steps)
    return "value" in row or name == "list_price"


def apply(market: Market, listing: Listing, given: Mapping[str, Any], *, whole: bool) -> None:
    """The submission is processed: the listing says this now, or an issue says why it does not."""
    if whole:
        listing.attributes = {}
    named = listing.title
    listing.issues = [one for one in listing.issues if not set(one["attributeNames"]) & set(given)]
    market.moved(listing)
    for name, value in given.items():
        if value is None:
            listing.attributes.pop(name, None)
        elif name == "purchasable_offer" and _price(value) <= 0:
            listing.issues.append(issue("18155", "The price must be above zero.", "INVALID_PRICE", name))
            market.tell("LISTINGS_ITEM_ISSUES_CHANGE", {
                "SellerId": market.seller, "MarketplaceId": market.marketplace, "Asin": listing.asin,
                "Sku": listing.sku, "Severities": ["ERROR"], "EnforcementActions": [],
            })  # fmt: skip
            continue
        else:
            listing.attributes[name] = value
        if name == "fulfillment_availability" and value is not None and not listing.network:
            market.show(listing, int(value[0].get("quantity", 0)), _why(market))
        if name == "purchasable_offer" and value is not None:
            market.ask(listing, _price(value), _why(market))
        if name == "item_name" and (listing.title != named or whole):
            was = None if whole and named == listing.sku else named
            market.books.enter("name", market.now(), sku=listing.sku, was=was, now=listing.title, why=_why(market))


def _why(market: Market) -> Any:
    return "opening" if market.opening is not None else "write"


def _price(value: Sequence[Doc]) -> Decimal:
    return Decimal(str(value[0]["our_price"][0]["schedule"][0]["value_with_tax"]))


def delete(market: Market, sku: str) -> Doc:
    """`deleteListingsItem`."""
    market.listing(sku)
    market.drop(sku)
    return _answer(market, sku, ())

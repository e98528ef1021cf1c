"""What lies in Amazon's network, as its inventory is asked. A token for the next page lives thirty seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from deployments.sandbox.amazon.state import Market, stamp
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, parsed

PAGE = 50
TOKEN_LIFE = timedelta(seconds=30)


def summaries(market: Market, query: Mapping[str, str]) -> Doc:
    """A page of `getInventorySummaries`."""
    if query["granularityType"] != "Marketplace" or query["granularityId"] != market.marketplace:
        raise Refused(400, "InvalidInput", "granularityType is Marketplace, granularityId its id")
    rows = sorted(market.held.items())
    if "sellerSkus" in query:
        wanted = query["sellerSkus"].split(",")
        if len(wanted) > PAGE:
            raise Refused(400, "InvalidInput", f"at most {PAGE} SKUs")
        rows = [row for row in rows if row[0] in wanted]
    if "startDateTime" in query:
        since = parsed(query["startDateTime"])
        rows = [row for row in rows if row[1][1] >= since]
    start = _start(market, query)
    part = rows[start : start + PAGE]
    found = [_summary(market, sku, quantity, query.get("details") == "true") | {"lastUpdatedTime": stamp(at)}
             for sku, (quantity, at) in part]  # fmt: skip
    place = {"granularityType": "Marketplace", "granularityId": market.marketplace}
    answer: Doc = {"payload": {"granularity": place, "inventorySummaries": found}}
    if start + PAGE < len(rows):
        answer["pagination"] = {"nextToken": f"{start + PAGE}.{int(market.now().timestamp())}"}
    return answer


def _start(market: Market, query: Mapping[str, str]) -> int:
    if "nextToken" not in query:
        return 0
    start, _, at = query["nextToken"].partition(".")
    if not start.isdigit() or not at.isdigit() or market.now().timestamp() - int(at) > TOKEN_LIFE.total_seconds():
        raise Refused(400, "InvalidInput", "nextToken has expired")
    return int(start)


def _summary(market: Market, sku: str, quantity: int, details: bool) -> Doc:
    listing = market.listings[sku]
    doc: Doc = {"asin": listing.asin, "fnSku": f"X00{sku}", "sellerSku": sku, "condition": "NewItem",
                "productName": listing.title, "totalQuantity": quantity}  # fmt: skip
    if details:
        doc["inventoryDetails"] = {"fulfillableQuantity": quantity, "inboundWorkingQuantity": 0,
                                   "inboundShippedQuantity": 0, "inboundReceivingQuantity": 0}  # fmt: skip
    return doc

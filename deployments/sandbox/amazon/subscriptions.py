"""Who may be told of what: destinations and subscriptions of notifications, and tokens for restricted data.

What surprises here: destinations belong to the application, not to the seller: they want a token of another grant. A
destination is made once per queue; a subscription once per type.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from deployments.sandbox.amazon.state import Market
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc

ARN = re.compile(r"^arn:aws:sqs:\S+:\S+:\S+")


def destination(market: Market, body: Any) -> Doc:
    """`createDestination`."""
    wanted = body.get("resourceSpecification") if isinstance(body, dict) else None
    sqs = wanted.get("sqs") if isinstance(wanted, dict) else None
    arn = sqs.get("arn") if isinstance(sqs, dict) else None
    if not isinstance(arn, str) or not ARN.match(arn) or not isinstance(body.get("name"), str):
        raise Refused(400, "InvalidInput", "name and the ARN of a queue are required")
    if any(one["resource"]["sqs"]["arn"] == arn for one in market.destinations.values()):
        raise Refused(409, "ResourceConflict", "there is a destination for this queue")
    id = str(uuid.uuid4())
    market.destinations[id] = {"destinationId": id, "name": body["name"], "resource": {"sqs": {"arn": arn}}}
    return {"payload": market.destinations[id]}


def destinations(market: Market) -> Doc:
    """`getDestinations`."""
    return {"payload": list(market.destinations.values())}


def subscribe(market: Market, kind: str, body: Any) -> Doc:
    """`createSubscription`."""
    if not isinstance(body, dict) or body.get("destinationId") not in market.destinations:
        raise Refused(400, "InvalidInput", "destinationId is not known")
    if not isinstance(body.get("payloadVersion"), str):
        raise Refused(400, "InvalidInput", "payloadVersion is required")
    if kind in market.subscriptions:
        raise Refused(409, "ResourceConflict", f"there is a subscription of {kind}")
    market.subscriptions[kind] = {"subscriptionId": str(uuid.uuid4()), "payloadVersion": body["payloadVersion"],
                                  "destinationId": body["destinationId"]}  # fmt: skip
    return {"payload": market.subscriptions[kind]}


def subscription(market: Market, kind: str) -> Doc:
    """`getSubscription`."""
    if kind not in market.subscriptions:
        raise Refused(404, "NotFound", f"there is no subscription of {kind}")
    return {"payload": market.subscriptions[kind]}


def restricted(market: Market, body: Any) -> list[str]:
    """The paths that `createRestrictedDataToken` is asked to open."""
    rows = body.get("restrictedResources") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not 1 <= len(rows) <= 50:
        raise Refused(400, "InvalidInput", "restrictedResources holds 1 to 50 resources")
    for row in rows:
        if row.get("method") != "GET" or not str(row.get("path", "")).startswith("/orders/v0/orders"):
            raise Refused(400, "InvalidInput", "Resource not provided.")
        if not set(row.get("dataElements") or ()) <= {"buyerInfo", "shippingAddress", "buyerTaxInformation"}:
            raise Refused(400, "InvalidInput", "dataElements: not a type of personal data")
    return [str(row["path"]) for row in rows]

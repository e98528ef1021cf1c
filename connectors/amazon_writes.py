"""What is sent to Amazon beside feeds and what its answers mean: submissions of listings, packages, buyers of orders.

What surprises here:

* A listing is compared by what its seller said of it (``attributes``), not by what buyers see: sales lower the latter.
* A package's reference is a positive number of ours, made of the write's key: the same key is the same package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from msgspec import structs

from connectors.base import Doc, Receipt, Write
from connectors.errors import ShapeChanged
from connectors.writes import NOT_FOUND, holds

SENT_AT: Final = "@"
"""Between a submission's id and its moment, in a ticket."""
WITHIN: Final = "/"
"""Between an order's id and its package's reference."""


def submission(write: Write) -> Doc:
    """The body of putListingsItem or patchListingsItem; attributes that change are replaced one by one."""
    if write.op == "create":
        return {"requirements": "LISTING", **{name: value for name, value in write.doc.items() if name != "sku"}}
    if "attributes" in write.doc:
        return {"productType": write.doc["productType"], "patches": _patches(write)}
    return write.doc


def meant(write: Write) -> Write:
    """The write as Amazon knows it: whoever tells the first figure or price of a listing that is there changes it."""
    return structs.replace(write, op="update") if write.op == "create" and "patches" in write.doc else write


def _patches(write: Write) -> list[Doc]:
    """The patches of an update: its own, or one for each attribute that it names."""
    named = write.doc.get("attributes") or {}
    return write.doc.get("patches") or [
        {"op": "replace", "path": f"/attributes/{name}", "value": value} for name, value in named.items()
    ]


def sku_of(write: Write) -> str:
    """Which listing a write is about. Raises ValueError where it names none."""
    sku = write.id if write.id is not None else write.doc.get("sku")
    if not isinstance(sku, str) or sku == "":
        raise ValueError("`sku` should be a text")
    return sku


def judged(write: Write, body: Any, at: datetime) -> Receipt:
    """What a submission's answer means: INVALID is a rejection, ACCEPTED is to be processed. Raises ShapeChanged."""
    status = body.get("status") if isinstance(body, dict) else None
    if status == "INVALID":
        return Receipt(outcome="rejected", id=write.id, detail=told(body.get("issues")))
    if status not in ("ACCEPTED", "VALID"):
        raise ShapeChanged(f"listings: the answer to a submission has the status {status!r}")
    return Receipt(outcome="accepted", id=sku_of(write), ticket=f"{body.get('submissionId')}{SENT_AT}{at.isoformat()}")


def told(issues: Any) -> str:
    """What Amazon says is wrong: the code, the attributes, the sentence; "" when nothing stops the submission."""
    rows = [row for row in issues or () if isinstance(row, dict) and row.get("severity", "ERROR") == "ERROR"]
    parts = [" ".join(filter(None, (str(row.get("code", "")), *map(str, row.get("attributeNames") or ()), "—",
                                    str(row.get("message", ""))))) for row in rows[:5]]  # fmt: skip
    return "; ".join(parts)


def concluded(write: Write, doc: Doc | None, over: bool) -> Receipt:
    """What became of a submission, from the listing as it is now; ``over``: it had time enough to be processed."""
    if write.op == "delete":
        if doc is None:
            return Receipt(outcome="applied", id=write.id)
        return Receipt(outcome="rejected", detail=NOT_FOUND + "the listing is still there")
    id = sku_of(write)
    if doc is not None and said(doc.get("attributes") or {}, write):
        return Receipt(outcome="applied", id=id, doc=doc)
    wrong = told(_about(doc, write))
    if wrong:
        return Receipt(outcome="rejected", id=id, detail=wrong)
    if write.ticket is not None and not over:
        return Receipt(outcome="accepted", id=id, ticket=write.ticket)
    if write.ticket is not None:
        return Receipt(outcome="unknown", id=id, detail="it was accepted, and the listing does not say it")
    lacks = "the listing does not exist" if doc is None else "the listing does not say what was sent"
    return Receipt(outcome="rejected", detail=NOT_FOUND + lacks)


def said(attributes: Mapping[str, Any], write: Write) -> bool:
    """Every attribute sent stands in the listing; rows of others (another audience, another place) may stand beside."""
    if write.op == "create":
        return all(_stands(attributes.get(name), value) for name, value in write.doc.get("attributes", {}).items())
    for row in _patches(write):
        name = str(row["path"]).rpartition("/")[2]
        if row["op"] == "delete":
            if name in attributes:
                return False
        elif not _stands(attributes.get(name), row.get("value")):
            return False
    return True


def _stands(held: Any, sent: Any) -> bool:
    if not isinstance(sent, list) or not isinstance(held, list):
        return holds(held, sent)
    return all(any(holds(row, wanted) for row in held) for wanted in sent)


def _about(doc: Doc | None, write: Write) -> list[Doc]:
    """The listing's issues with what this write sent."""
    names = {str(row["path"]).rpartition("/")[2] for row in write.doc.get("patches", ())}
    names |= set(write.doc.get("attributes", {}))
    found = [] if doc is None else doc.get("issues") or []
    return [row for row in found if names & {str(name).split(".")[0] for name in row.get("attributeNames") or ()}]


# ── packages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def reference(key: str) -> str:
    """The package's number that a key stands for: positive, of at most 15 digits."""
    return str(int(sha256(key.encode()).hexdigest(), 16) % 899_999_999_999_999 + 100_000_000_000_000)


def package_of(write: Write) -> tuple[str, str]:
    """Order and reference of the package that a write is about."""
    if write.id is not None:
        order, _, ours = write.id.rpartition(WITHIN)
        return order, ours
    return str(write.doc["orderId"]), str(write.doc.get("packageReferenceId") or reference(write.key))


def parcel(marketplace: str, write: Write, at: datetime) -> Doc:
    """The body of confirmShipment."""
    doc, (_, ours) = write.doc, package_of(write)
    detail = {name: value for name, value in doc.items() if name not in ("orderId", "id") and value is not None}
    return {"marketplaceId": marketplace,
            "packageDetail": {"shipDate": at.isoformat(), **detail, "packageReferenceId": ours}}  # fmt: skip


def packages(order: Doc) -> Iterator[Doc]:
    """The packages of an order, each with its order and an id of its own."""
    for row in order.get("packages") or ():
        id = f"{order['orderId']}{WITHIN}{row['packageReferenceId']}"
        yield {**row, "id": id, "orderId": order["orderId"], "lastUpdatedTime": order["lastUpdatedTime"]}


def same_parcel(doc: Doc, write: Write) -> bool:
    """The package holds what was sent; a carrier comes back under its name."""
    rows = {row["orderItemId"]: row["quantity"] for row in doc.get("packageItems") or ()}
    sent = {row["orderItemId"]: row["quantity"] for row in write.doc.get("orderItems") or ()}
    return rows == sent and doc.get("trackingNumber") == write.doc.get("trackingNumber")


# ── buyers ───────────────────────────────────────────────────────────────────────────────────────────────

_BUYER: Final[Mapping[str, str]] = {"BuyerName": "buyerName", "BuyerEmail": "buyerEmail"}
_ADDRESS: Final[Mapping[str, str]] = {
    "Name": "name", "AddressLine1": "addressLine1", "AddressLine2": "addressLine2", "AddressLine3": "addressLine3",
    "City": "city", "StateOrRegion": "stateOrRegion", "PostalCode": "postalCode", "CountryCode": "countryCode",
    "Phone": "phone",
}  # fmt: skip


def with_buyer(order: Doc, old: Any) -> Doc:
    """The order with buyer and address of Orders v0, in the words of Orders 2026-01-01."""
    told = old if isinstance(old, dict) else {}
    found = dict(order)
    buyer = {name: told["BuyerInfo"][word] for word, name in _BUYER.items() if word in told.get("BuyerInfo", {})}
    address = {name: told["ShippingAddress"][word] for word, name in _ADDRESS.items()
               if word in told.get("ShippingAddress", {})}  # fmt: skip
    if buyer:
        found["buyer"] = buyer
    if address:
        found["recipient"] = {"deliveryAddress": address}
    return found


# ── returns ──────────────────────────────────────────────────────────────────────────────────────────────────────────

BACK: Final = ("DELIVERED", "PARTIALLY_PROCESSED", "PROCESSED")
"""States of a return whose goods are with the seller again."""


def is_back(row: Doc) -> bool:
    """Whether the goods of a return came back."""
    return row.get("status") in BACK


def with_item(row: Doc, order: Doc | None) -> Doc:
    """The return with ``orderItemId``, where just one item of its order has its SKU."""
    sku = row["marketplaceChannelDetails"].get("channelSku") or row.get("merchantSku")
    items = [] if order is None else order["orderItems"]
    found = [item["orderItemId"] for item in items if (item.get("product") or {}).get("sellerSku") == sku]
    return {**row, "orderItemId": found[0]} if len(found) == 1 else row

"""How the shop's records are shown: each as the fields of its type, its connections as functions of their arguments."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from graphql import GraphQLError

from deployments.sandbox.notation import Doc, parsed
from deployments.sandbox.shopify.state import EARLIEST, Row, Shop, kind_of, stamp

MOST = 250
"""No list gives more at once."""
_TERM = re.compile(r"(-?\w+):(>=|<=|>|<)?('[^']*'|[^\s]+)")


_UNBOUNDED: ContextVar[bool] = ContextVar("unbounded", default=False)


@contextmanager
def unbounded() -> Iterator[None]:
    """Inside, every list is given whole: a bulk operation asks."""
    token = _UNBOUNDED.set(True)
    try:
        yield
    finally:
        _UNBOUNDED.reset(token)


def connection(rows: Sequence[tuple[str, Any]], first: int | None, after: str | None) -> Doc:
    """A page of (key, record) pairs in their order, after the record that a cursor names."""
    if _UNBOUNDED.get():
        first = len(rows) + 1
    if first is None or (not 0 < first <= MOST and not _UNBOUNDED.get()):
        raise GraphQLError(
            f"you must provide one of first or last, from 1 to {MOST}", extensions={"code": "BAD_REQUEST"}
        )
    start = 0
    if after is not None:
        last = _uncovered(after)
        start = next((n + 1 for n, (key, _) in enumerate(rows) if key == last), -1)
        if start < 0:  # what the cursor names is gone: on with what comes after it
            start = next((n for n, (key, _) in enumerate(rows) if number_of(key) > number_of(last)), len(rows))
    part = rows[start : start + first]
    edges = [{"node": record, "cursor": _covered(key)} for key, record in part]
    info = {"hasNextPage": start + first < len(rows), "endCursor": edges[-1]["cursor"] if edges else None}
    return {"nodes": [record for _, record in part], "edges": edges, "pageInfo": info}


def number_of(key: str) -> int:
    """The number at the end of a key, by which lists are ordered."""
    found = re.search(r"(\d+)\D*$", key)
    return int(found[1]) if found else 0


def _covered(key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"last_id": key}).encode()).decode()


def _uncovered(cursor: str) -> str:
    try:
        return str(json.loads(base64.urlsafe_b64decode(cursor))["last_id"])
    except (ValueError, KeyError, TypeError):
        problem = GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "BAD_REQUEST"})
    raise problem


def paged(rows: Callable[[], Iterable[tuple[str, Any]]]) -> Callable[..., Doc]:
    """A field that is a connection over these records."""

    def field(info: Any, first: int | None = None, after: str | None = None, **arguments: Any) -> Doc:
        return connection(list(rows()), first, after)

    return field


def listed(records: Sequence[Any]) -> Callable[..., list[Any]]:
    """A field that is a plain list, cut where it is asked to be."""
    return lambda info, first=None, **arguments: list(records if first is None else records[:first])


def wanted(query: str | None) -> Callable[[Mapping[str, Any], datetime | None], bool]:
    """What a search keeps: terms on ``updated_at``, ``status`` and ids, joined by AND; GraphQLError for any other."""
    tests: list[Callable[[Mapping[str, Any], datetime | None], bool]] = []
    for name, comparison, text in _TERM.findall(query or ""):
        value = text.strip("'")
        if name == "updated_at" and comparison == ">=":
            bound = parsed(value)
            tests.append(lambda doc, at, bound=bound: at is not None and at >= bound)  # type: ignore[misc]  # bound now
        elif name == "status" and comparison == "":
            words = value.upper().split(",")
            tests.append(lambda doc, at, words=words: doc["status"] in words)  # type: ignore[misc]  # bound now
        elif name == "-return_status" and comparison == "":
            word = value.upper()
            tests.append(lambda doc, at, word=word: doc.get("returnStatus", "NO_RETURN") != word)  # type: ignore[misc]  # bound now
        elif name == "variant_id" and comparison == "":
            tests.append(lambda doc, at, value=value: doc["variantId"].endswith(f"/{value}"))  # type: ignore[misc]  # same
        else:
            raise GraphQLError(f"the search of this shop does not know {name}:{comparison}")
    return lambda doc, at: all(test(doc, at) for test in tests)


class Views:
    """The shop's records as its schema shows them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def search(self, kind: str, query: str | None, extra: str = "") -> list[tuple[str, Any]]:
        """The records of a kind that a search finds, by the index, in the order of their ids."""
        keep = wanted(" ".join(filter(None, [query, extra])))
        seen = [(id, row, self.shop.touched(row)) for id, row in self.shop.table(kind).items()]
        found = [(id, row) for id, row, at in seen if keep(row.doc, at)]
        found.sort(key=lambda pair: number_of(pair[0]))
        return [(id, self.record(row.doc)) for id, row in found]

    def by_id(self, id: str) -> Doc | None:
        """The record that an id names; None: there is none."""
        row: Row | None = self.shop.table(kind_of(id)).get(id)
        return None if row is None else self.record(row.doc)

    def record(self, doc: Doc) -> Doc:
        """A record as the fields of its type."""
        make: Callable[[Doc], Doc] | None = getattr(self, f"_{doc['__typename'].lower()}", None)
        return doc if make is None else {**doc, **make(doc)}

    def _maybe(self, id: str | None) -> Callable[..., Doc | None]:
        return lambda info, **arguments: None if id is None else self.by_id(id)

    def _location(self, doc: Doc) -> Doc:
        def levels(info: Any, first: int | None = None, after: str | None = None, query: str | None = None) -> Doc:
            keep = wanted(query)
            stocked = [(item, level) for (item, place), level in self.shop.levels.items() if place == doc["id"]]
            rows = [(item, level) for item, level in stocked if keep({}, self.shop.touched(level))]
            rows.sort(key=lambda pair: number_of(pair[0]))
            return connection([(item, self.level(item, doc["id"])) for item, _ in rows], first, after)

        return {"inventoryLevels": levels}

    def level(self, item: str, place: str) -> Doc:
        """A stock level."""
        held = self.shop.levels[item, place]

        def quantities(info: Any, names: Sequence[str]) -> list[Doc]:
            known = {"available": held.available, "committed": held.committed, "reserved": 0}
            known["on_hand"] = sum(known.values())
            return [{"name": name, "quantity": known[name]} for name in names if name in known]

        number = number_of(place) * 1_000_003 + number_of(item)
        return {
            "__typename": "InventoryLevel", "id": f"gid://shopify/InventoryLevel/{number}?inventory_item_id={number_of(item)}",
            "updatedAt": stamp(held.at if held.at > EARLIEST else self.shop.now()), "isActive": True,
            "location": self._maybe(place), "item": self._maybe(item), "quantities": quantities,
        }  # fmt: skip

    def _product(self, doc: Doc) -> Doc:
        media = [
            (str(n), {"__typename": "MediaImage", "id": f"{doc['id']}{n}", "alt": file.get("alt"),
                      "preview": {"image": {"url": file["originalSource"]}}})
            for n, file in enumerate(doc["files"])
        ]  # fmt: skip
        return {
            "media": paged(lambda: media), "options": listed(doc["options"]),
            "variants": paged(lambda: [(v["id"], self.record(v)) for v in self.shop.variants_of(doc["id"])]),
        }  # fmt: skip

    def _productvariant(self, doc: Doc) -> Doc:
        return {"product": self._maybe(doc["product"]), "inventoryItem": self._maybe(doc["item"])}

    def _inventoryitem(self, doc: Doc) -> Doc:
        variants = [(doc["variant"], self._maybe(doc["variant"]))]

        def at_place(info: Any, locationId: str) -> Doc | None:
            return None if self.shop.level(doc["id"], locationId) is None else self.level(doc["id"], locationId)

        return {
            "inventoryLevel": at_place,
            "variants": paged(lambda: [(key, found) for key, make in variants if (found := make(None)) is not None]),
            "inventoryLevels": paged(lambda: [(p, self.level(doc["id"], p)) for p in self.shop.places_of(doc["id"])]),
        }

    def _customer(self, doc: Doc) -> Doc:
        mail = None if not doc["email"] else {"emailAddress": doc["email"], "marketingState": doc["marketing"],
                                              "marketingUpdatedAt": None}  # fmt: skip
        name = " ".join(filter(None, [doc["firstName"], doc["lastName"]]))
        return {
            "displayName": name or doc["email"] or doc["phone"] or "", "verifiedEmail": bool(doc["email"]),
            "defaultEmailAddress": mail, "defaultAddress": doc["address"],
            "defaultPhoneNumber": None if not doc["phone"] else {"phoneNumber": doc["phone"]},
        }  # fmt: skip

    def _lineitem(self, doc: Doc) -> Doc:
        return {"variant": self._maybe(doc["variantId"]), "taxLines": listed(doc["taxLines"])}

    def _line_of(self, order: str, key: str) -> Doc:
        lines = {line["id"]: line for line in self.shop.get(order)["lines"]}
        return self.record(lines[key])

    def _order(self, doc: Doc) -> Doc:
        lines = [(line["id"], self.record(line)) for line in doc["lines"]]
        parts = [(part["id"], self._part(doc, part)) for part in doc["parts"]]
        refunds = [found for id in doc["refunds"] if (found := self.by_id(id)) is not None]
        sent = [found for id in doc["fulfilled"] if (found := self.by_id(id)) is not None]
        return {
            "lineItems": paged(lambda: lines), "shippingLines": paged(lambda: [(s["id"], s) for s in doc["shipping"]]),
            "transactions": listed(doc["payments"]), "refunds": listed(refunds), "fulfillments": listed(sent),
            "returns": paged(lambda: [(id, self.by_id(id)) for id in doc.get("returns", [])]),
            "fulfillmentOrders": paged(lambda: parts), "customer": self._maybe(doc["customer"]),
            "retailLocation": self._maybe(doc["retail"]),
            "totalCashRoundingAdjustment": {"paymentSet": doc["rounding"]},
        }  # fmt: skip

    def _part(self, order: Doc, part: Doc) -> Doc:
        items = [
            (key, {"__typename": "FulfillmentOrderLineItem", "id": key.replace("LineItem", "FulfillmentOrderLineItem"),
                   "remainingQuantity": quantity, "lineItem": self._line_of(order["id"], key)})
            for key, quantity in part["left"].items()
        ]  # fmt: skip
        place = {"location": self._maybe(part["location"])}
        return {**part, "assignedLocation": place, "lineItems": paged(lambda: items)}

    def _return(self, doc: Doc) -> Doc:
        parcels = [self.shop.get(id) for id in self.shop.get(doc["order"])["fulfilled"]]
        sent = {row["line"]: row for parcel in parcels for row in parcel["lines"]}

        def fulfilled(line: str) -> Doc:
            return {**sent[line], "lineItem": self._line_of(doc["order"], line)}

        rows = [(row["id"], {**row, "fulfillmentLineItem": fulfilled(row["line"])}) for row in doc["lines"]]
        refunds = [(id, self.by_id(id)) for id in doc["refunds"]]
        return {
            "order": self._maybe(doc["order"]), "returnLineItems": paged(lambda: rows),
            "refunds": paged(lambda: refunds),
            "exchangeLineItems": paged(lambda: [(one["id"], one) for one in doc["exchanged"]]),
        }  # fmt: skip

    def _refund(self, doc: Doc) -> Doc:
        rows = [
            (
                row["id"],
                {**row, "lineItem": self._line_of(doc["order"], row["line"]), "location": self._maybe(row["location"])},
            )
            for row in doc["lines"]
        ]
        return {
            "refundLineItems": paged(lambda: rows),
            "transactions": paged(lambda: [(payment["id"], payment) for payment in doc["payments"]]),
        }

    def _fulfillment(self, doc: Doc) -> Doc:
        rows = [(row["id"], {**row, "lineItem": self._line_of(doc["order"], row["line"])}) for row in doc["lines"]]
        return {
            "location": self._maybe(doc["location"]), "order": self._maybe(doc["order"]),
            "trackingInfo": listed(doc["tracking"]), "fulfillmentLineItems": paged(lambda: rows),
        }  # fmt: skip

    def price(self, price_list: str, row: Doc) -> Doc:
        """A fixed price of a price list."""
        return {**row, "originType": "FIXED", "variant": self._maybe(row["variantId"])}

    def _pricelist(self, doc: Doc) -> Doc:
        def prices(
            info: Any, first: int | None = None, after: str | None = None, query: str | None = None, **_: Any
        ) -> Doc:
            keep = wanted(query)
            held = [(row["variantId"], row) for (of, _), row in self.shop.prices.items() if of == doc["id"]]
            held = sorted(((key, row) for key, row in held if keep(row, None)), key=lambda pair: number_of(pair[0]))
            return connection([(key, self.price(doc["id"], row)) for key, row in held], first, after)

        return {"prices": prices}

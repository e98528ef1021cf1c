"""Medusa's price lists as 2.21.2 keeps them, beside its customers: lists, their prices, and the trap in the batch.

What surprises here: a price that is created where one stands already stands twice, as in Medusa; nothing tells of it.
"""

from __future__ import annotations

from typing import Any

from connectors.base import Doc
from tests.contract.harness import Call, Reply
from tests.contract.medusa_simulator import Shop, refused

ROUTE = "/admin/price-lists"
LIST = {"title", "description", "starts_at", "ends_at", "status", "type", "rules", "prices", "metadata"}
PRICE = {"currency_code", "amount", "variant_id", "min_quantity", "max_quantity", "rules"}
QUERY = {"fields", "offset", "limit", "order", "with_deleted"}


class ListShop(Shop):
    """A shop with these variants, in Kazakhstan's money, and price lists."""

    def __init__(self, *variants: str) -> None:
        super().__init__()
        self.variants = set(variants)
        self.lists: dict[str, Doc] = {}
        self.prices: dict[str, Doc] = {}

    def listed(self) -> dict[str, list[tuple[str, Any, Any]]]:
        """Title of a list → (variant, amount, from how many pieces on) of its prices."""
        return {
            row["title"]: sorted(((price["variant_id"], price["amount"], price["min_quantity"])
                                  for price in self.prices.values() if price["list"] == id), key=str)
            for id, row in self.lists.items()
        }  # fmt: skip

    def serve(self, call: Call) -> Reply:
        if not call.path.startswith(ROUTE):
            return super().serve(call)
        _, _, id, *rest = (*call.path.removeprefix("/admin").split("/"), "") if call.path != ROUTE else ("", "", "")
        if id and id not in self.lists:
            return refused(404, "not_found", f"Price lists with id: {id} was not found")
        if call.method == "GET":
            if set(call.query) - QUERY:
                return refused(400, "invalid_data", f"Unrecognized fields: {sorted(set(call.query) - QUERY)}")
            if rest[:1] == ["prices"]:
                rows = [self._price(price) for price in self.prices.values() if price["list"] == id]
                return self._page("prices", rows, call)
            with_prices = "prices." in call.query.get("fields", "")
            return self._page("price_lists", [self._row(one, with_prices) for one in self.lists], call)
        if call.method == "DELETE":
            del self.lists[id]
            self.prices = {one: price for one, price in self.prices.items() if price["list"] != id}
            return Reply(body={"id": id, "object": "price_list", "deleted": True})
        if rest[:2] == ["prices", "batch"]:
            return self._batch(id, call.json)
        unknown = set(call.json) - LIST
        if unknown or (not id and not {"title", "description"} <= set(call.json)):
            return refused(400, "invalid_data", f"Invalid request: {sorted(unknown)}")
        known = id or f"plist_{len(self.calls):06d}"
        bare: Doc = {"starts_at": None, "ends_at": None, "status": "draft", "type": "sale", "rules": {},
                     "metadata": None}  # fmt: skip
        self.lists[known] = {**bare, **self.lists.get(known, {}), **call.json, "id": known}
        return Reply(body={"price_list": self._row(known, False)})

    def _batch(self, id: str, body: Doc) -> Reply:
        new, old, gone = (body.get(name, []) for name in ("create", "update", "delete"))
        for price in [*new, *old]:
            if set(price) - PRICE - {"id"}:
                return refused(400, "invalid_data", f"Invalid request: {price}; ask ops@shop.example")
            if price["variant_id"] not in self.variants:
                return refused(400, "invalid_data", f"No price set exist for variants: {price['variant_id']}")
        if any(price["id"] not in self.prices for price in old):
            return refused(400, "invalid_data", "Cannot set field 'currency_code' of Price to null")
        for number, price in enumerate(new):
            self.prices[f"price_{len(self.calls):06d}_{number}"] = {"min_quantity": None, **price, "list": id}
        for price in old:
            self.prices[price["id"]].update(price)
        for one in gone:
            self.prices.pop(one, None)
        return Reply(body={"created": [], "updated": [], "deleted": {"ids": gone, "object": "price", "deleted": True}})

    def _row(self, id: str, with_prices: bool) -> Doc:
        row = {**self.lists[id], "deleted_at": None}
        row.pop("prices", None)
        if with_prices:
            row["prices"] = [
                {**price, "id": one, "rules": {}, "max_quantity": None, "deleted_at": None}
                for one, price in self.prices.items() if price["list"] == id
            ]
        return row

    def _price(self, price: Doc) -> Doc:
        id = next(one for one, other in self.prices.items() if other is price)
        return {"id": id, "currency_code": price["currency_code"], "amount": price["amount"], "max_quantity": None,
                "min_quantity": price["min_quantity"], "deleted_at": None, "price_rules": [],
                "price_set": {"variant": {"id": price["variant_id"]}}}  # fmt: skip

    def _page(self, name: str, rows: list[Doc], call: Call) -> Reply:
        limit, offset = int(call.query.get("limit", "50")), int(call.query.get("offset", "0"))
        page = sorted(rows, key=lambda row: str(row["id"]))[offset : offset + limit]
        return Reply(body={name: page, "count": len(rows), "offset": offset, "limit": limit})

"""What many retailers have instead of Serai: a script that copies what changed from one system to the next.

What surprises here: it is written fairly, as a competent programmer writes it in an afternoon: it polls with a
watermark, copies the ERP's stock and prices to each channel, posts new orders into the ERP, and tries again when a
request fails. It knows no allocation, no reference looked up before a retry, no receipts, no parking: that is what the
comparison shows. It shares no code with Serai.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import requests

from deployments.demo.copy_amazon import MARKETPLACE, CopyAmazon
from deployments.demo.tariff import on_amazon, on_market

Doc = dict[str, Any]


class CopyLoop:
    """The script's memory: what it has copied already."""

    def __init__(self, environment: Mapping[str, str], *, currency: str = "KZT", warehouse: str = "almaty-wh") -> None:
        self._env = environment
        self._currency = currency
        self._warehouse = warehouse
        self._session = requests.Session()
        self._session.trust_env = False
        self._copied: set[str] = set()
        self._customers: dict[str, str] = {}
        self._shown: dict[tuple[str, str, str], Any] = {}
        self._sent: set[str] = set()
        self._amazon = CopyAmazon(environment, self._session)
        self._on_amazon: dict[str, Doc] = {}
        self.failures: list[str] = []

    def tick(self) -> None:
        """One round: orders into the ERP and CRM, stock and prices out, tracking back."""
        for work in (self._orders, self._offers, self._tracking):
            try:
                work()
            except requests.RequestException as fault:
                self.failures.append(f"{work.__name__}: {type(fault).__name__}")

    def _call(self, system: str, method: str, path: str, *, body: Doc | None = None, **query: Any) -> Any:
        """A request with three tries, as scripts do it."""
        name = system.upper()
        for attempt in range(3):
            try:
                answer = self._session.request(
                    method, self._env[f"SERAI_{name}_URL"] + path, json=body, params=query, timeout=2,
                    headers={"Authorization": f"Bearer {self._env[f'SERAI_{name}_TOKEN']}"},
                )
                answer.raise_for_status()
                return answer.json()
            except requests.RequestException:
                if attempt == 2:
                    raise
        return None

    def _has(self, system: str) -> bool:
        return f"SERAI_{system.upper()}_URL" in self._env

    def _all(self, system: str, resource: str) -> list[Doc]:
        """Every row of a resource, whatever the system's way of paging; none of a system that the company lacks."""
        rows: list[Doc] = []
        if not self._has(system):
            return rows
        query: Doc = {}
        while True:
            answer = self._call(system, "GET", f"/{resource}", **query)
            if system == "erp":
                rows += answer["items"]
                following = answer["next_cursor"]
                query = {"cursor": following}
            elif system == "shop":
                rows += answer[resource]
                following = answer["pageInfo"]["endCursor"]
                query = {"after": following}
            elif system == "market":
                rows += answer["result"]["items"]
                following = answer["result"]["page"] < answer["result"]["pages"]
                query = {"page": str(answer["result"]["page"] + 1)}
            else:
                rows += answer
                following = answer != []
                if following:
                    key = next(name for name in ("id", "sku") if name in answer[-1])
                    query = {"after_modified": str(answer[-1]["modified"]), "after": str(answer[-1][key])}
            if following in (None, False, ""):
                return rows

    def _offers(self) -> None:
        """The ERP's on-hand figure to every channel alike, and its price, dearer on the marketplaces."""
        stock = {row["item"]: int(Decimal(row["on_hand"])) for row in self._all("erp", "stock")
                 if row["location"] == self._warehouse}
        prices = {row["item"]: Decimal(row["amount"]) for row in self._all("erp", "prices")}
        variants = {row["sku"]: row["id"] for row in self._all("shop", "variants")}
        offers = {row["sellerSku"] for row in self._all("market", "offers")}
        listed = self._amazon.listed() if self._has("amazon") else set()
        for sku, units in stock.items():
            if sku in listed:
                figure = {"fulfillment_channel_code": "DEFAULT", "quantity": units}
                self._list(sku, "fulfillment_availability", figure)
            if sku in variants:
                self._show("shop", "inventory", variants[sku], {"variantId": variants[sku], "available": units})
            if sku in offers:
                self._show("market", "stocks", sku, {"sellerSku": sku, "available": str(units)})
        for sku, amount in prices.items():
            if sku in variants:
                self._show("shop", "prices", variants[sku], {
                    "variantId": variants[sku], "amountMinor": int(amount * 100), "currency": self._currency})
            if sku in offers:
                self._show("market", "prices", sku, {
                    "sellerSku": sku, "price": {"amount": str(on_market(amount)), "currency": self._currency}})
            if sku in listed:
                schedule = [{"value_with_tax": float(on_amazon(amount))}]
                self._list(sku, "purchasable_offer", {
                    "marketplace_id": MARKETPLACE, "currency": self._currency, "our_price": [{"schedule": schedule}]})
            if self._has("pos"):
                self._show("pos", "prices", sku, {"sku": sku, "price": float(amount)})

    def _show(self, system: str, resource: str, id: str, doc: Doc) -> None:
        if self._shown.get((system, resource, id)) != doc:
            self._call(system, "POST", f"/{resource}", body=doc)
            self._shown[system, resource, id] = doc

    def _list(self, sku: str, attribute: str, value: Doc) -> None:
        if self._shown.get(("amazon", attribute, sku)) != value:
            self._amazon.change(sku, attribute, value)
            self._shown["amazon", attribute, sku] = value

    def _orders(self) -> None:
        if not self._copied:
            self._copied = {row["source_number"] for row in self._all("erp", "orders")}
        skus = {row["id"]: row["sku"] for row in self._all("shop", "variants")}
        for order in self._all("shop", "orders"):
            lines = [(line["id"], skus.get(line["variantId"], line["sku"]), line["quantity"],
                      Decimal(line["totalMinor"]) / 100) for line in order["lines"]]
            self._book("shop", order["number"], order["placedAt"], order["contact"], lines,
                       Decimal(order["shippingMinor"]) / 100, None, total=Decimal(order["totalMinor"]) / 100,
                       paid=order["financialStatus"] == "PAID")
        for order in self._all("market", "orders"):
            if order["state"] == "OFFERED":
                self._call("market", "POST", "/decisions", body={"orderId": order["orderId"], "kind": "ACCEPTED"})
            lines = [(line["itemId"], line["sellerSku"], int(line["qty"]), Decimal(line["total"]["amount"]))
                     for line in order["items"]]
            buyer = {"name": order["buyer"]["fullName"], "email": order["buyer"]["email"],
                     "phone": order["buyer"]["phone"]}
            self._book("market", order["orderId"], order["createdAt"], buyer, lines,
                       Decimal(order["delivery"]["cost"]["amount"]), None)
        self._on_amazon = {row["orderId"]: row for row in self._amazon.orders()} if self._has("amazon") else {}
        for order in self._on_amazon.values():
            lines = [(item["orderItemId"], item["product"]["sellerSku"], int(item["quantityOrdered"]),
                      Decimal(item["proceeds"]["proceedsTotal"]["amount"])) for item in order["orderItems"]]
            told = order.get("buyer") or {}
            buyer = {"name": told.get("buyerName"), "email": told.get("buyerEmail"),
                     "phone": ((order.get("recipient") or {}).get("deliveryAddress") or {}).get("phone")}
            self._book("amazon", order["orderId"], order["createdTime"], buyer, lines, Decimal(0), None)
        stores = {row["id"]: row["code"] for row in self._all("pos", "stores")}
        for receipt in self._all("pos", "receipts"):
            lines = [(str(row["n"]), row["sku"], row["qty"], Decimal(str(row["sum"]))) for row in receipt["rows"]]
            self._book("pos", receipt["id"], None, {"name": None, "email": None, "phone": receipt.get("phone")}, lines,
                       Decimal(0), stores[receipt["store"]])

    def _book(
        self, system: str, number: str, placed_at: str | None, buyer: Doc, lines: list[tuple[str, str, int, Decimal]],
        delivery: Decimal, store: str | None, *, total: Decimal | None = None, paid: bool = True,
    ) -> None:
        """One order into the ERP and the CRM, once (as far as the script remembers)."""
        if number in self._copied:
            return
        goods = sum((amount for _, _, _, amount in lines), Decimal(0)) + delivery
        total = goods if total is None else total
        doc: Doc = {
            "source_number": number, "state": "confirmed", "paid": "yes" if paid else "no", "currency": self._currency,
            "surcharge": str(total - goods),
            "ordered_at": placed_at or "2026-06-01T00:00:00Z", "customer": self._customer(buyer), "location": store,
            "handed_over": store is not None, "delivery": str(delivery), "total": str(total),
            "lines": [{"ref": ref, "item": sku, "qty": str(units), "price": str(amount / units), "sum": str(amount)}
                      for ref, sku, units, amount in lines],
        }
        try:
            self._call("erp", "POST", "/orders", body=doc)
            if self._has("crm"):
                self._call("crm", "POST", "/deals", body={
                    "properties": {"order_number": number, "placed_at": doc["ordered_at"], "stage": "won",
                                   "payment": "received", "amount": str(total), "currency": self._currency,
                                   "buyer_name": buyer["name"] or ""},
                    "lines": [{"ref": ref, "sku": sku, "name": "", "qty": str(units), "amount": str(amount)}
                              for ref, sku, units, amount in lines],
                })
        except requests.RequestException as fault:
            self.failures.append(f"order {number} of {system}: {fault}")
            return
        self._copied.add(number)

    def _customer(self, buyer: Doc) -> str | None:
        """A customer of the ERP by the exact e-mail text the buyer typed; a new one for every new spelling."""
        if not buyer["email"]:
            return None
        if buyer["email"] not in self._customers:
            made = self._call("erp", "POST", "/customers", body={
                "name": buyer["name"], "email": buyer["email"], "phone": buyer["phone"]})
            self._customers[buyer["email"]] = made["code"]
        return self._customers[buyer["email"]]

    def _tracking(self) -> None:
        numbers = {row["number"]: row["source_number"] for row in self._all("erp", "orders")}
        in_shop = {row["number"]: row for row in self._all("shop", "orders")}
        on_market = {row["orderId"]: row for row in self._all("market", "orders")}
        for row in self._all("erp", "shipments"):
            number = numbers.get(row["order"])
            if row["number"] in self._sent or number is None:
                continue
            self._sent.add(row["number"])
            if number in in_shop:
                self._call("shop", "POST", "/fulfilments", body={
                    "orderId": in_shop[number]["id"], "trackingCompany": row["carrier"],
                    "trackingNumber": row["tracking"], "shippedAt": row["sent_at"], "status": "SHIPPED",
                    "lines": [{"id": line["ref"], "orderLineId": line["order_line"],
                               "quantity": int(Decimal(line["qty"]))} for line in row["lines"]]})
            elif number in on_market:
                self._call("market", "POST", "/shipments", body={
                    "orderId": number, "carrier": row["carrier"], "trackNumber": row["tracking"],
                    "sentAt": row["sent_at"], "state": "SENT",
                    "items": [{"id": line["ref"], "itemId": line["order_line"], "qty": str(int(Decimal(line["qty"])))}
                              for line in row["lines"]]})
            elif number in self._on_amazon:
                self._amazon.confirm(self._on_amazon[number], len(self._sent), row)

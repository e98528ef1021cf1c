"""Who works in the real systems without Serai: a clerk in Tryton, a shopper in Medusa; and their books as they stand.

What surprises here: nothing of Serai is used, so that a test does not judge a connector by itself. The books are read
from the systems' own databases.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg2
import requests

from tests.integration.systems import PASSWORD, Medusa, Tryton

Row = tuple[Any, ...]
WATCHED = {
    "tryton": ("party_party", "party_address", "party_contact_mechanism", "product_template", "product_product",
               "sale_sale", "sale_line", "stock_move", "stock_shipment_out"),
    "medusa": ("product", "product_variant", "price", "inventory_item", "inventory_level", "reservation_item", "order",
               "order_line_item", "customer", "fulfillment", "fulfillment_label"),
}  # fmt: skip
STAMPS = {"tryton": "coalesce(write_date, create_date)", "medusa": "updated_at"}


@dataclass(frozen=True, kw_only=True)
class Books:
    """A system's own database."""

    system: str
    url: str

    def rows(self, query: str, *values: Any) -> list[Row]:
        """What the database answers."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def stamps(self) -> dict[tuple[str, str], Any]:
        """(table, id) → when the row was last written, of every row that Serai could have written."""
        stamp = STAMPS[self.system]
        return {
            (table, str(id)): at
            for table in WATCHED[self.system]
            for id, at in self.rows(f'SELECT id, {stamp} FROM "{table}"')
        }


def written(before: Mapping[tuple[str, str], Any], after: Mapping[tuple[str, str], Any]) -> dict[str, int]:
    """Table → how many rows were written or made in between."""
    found: dict[str, int] = {}
    for (table, id), at in after.items():
        if before.get((table, id)) != at:
            found[table] = found.get(table, 0) + 1
    return found


class Clerk:
    """Tryton's administrator, at its client."""

    def __init__(self, system: Tryton) -> None:
        self.url = f"{system.url}/rpc/"
        opened = self._post("common.db.login", ["admin", {"password": PASSWORD}, "en"], {})
        session = base64.b64encode(f"admin:{opened[0]}:{opened[1]}".encode()).decode()
        self.head = {"Authorization": f"Session {session}"}
        self.context = {"company": 1, "language": "en"}
        self.numbers = count(1)
        self.places = {row["code"]: row for row in self.search("stock.location", [["type", "=", "warehouse"]],
                                                                "code", "storage_location")}  # fmt: skip
        self.supplier = self.search("stock.location", [["type", "=", "supplier"]], "name")[0]["id"]
        self.carrier = self.search("carrier", [], "party")[0]["id"]

    def _post(self, method: str, params: Sequence[Any], head: Mapping[str, str]) -> Any:
        answer = requests.post(self.url, json={"id": 1, "method": method, "params": params}, headers=head, timeout=60)
        body = answer.json()
        assert "result" in body, body
        return body["result"]

    def do(self, method: str, *params: Any) -> Any:
        """What the method returned; Decimals go out tagged."""
        return self._post(f"model.{method}", [*map(_tagged, params), self.context], self.head)

    def search(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        """The records, by id."""
        found: list[dict[str, Any]] = self.do(f"{model}.search_read", domain, 0, None, [["id", "ASC"]], list(fields))
        return found

    def article(self, name: str, *skus: str, price: str = "12500", barcode: str | None = None) -> int:
        """A new article with these variants; its template's id."""
        products = [{"suffix_code": sku} for sku in skus]
        if barcode is not None:
            products[0]["identifiers"] = [["create", [{"type": "ean", "code": barcode}]]]  # type: ignore[assignment]
        values = {"name": name, "code": "", "type": "goods", "default_uom": 1, "sale_uom": 1, "salable": True,
                  "list_price": Decimal(price), "account_category": 1, "products": [["create", products]]}  # fmt: skip
        return int(self.do("product.template.create", [values])[0])

    def product(self, sku: str) -> int:
        """The id of the product with that code."""
        return int(self.search("product.product", [["code", "=", sku]], "code")[0]["id"])

    def receive(self, sku: str, place: str, quantity: int) -> None:
        """Goods come in from a supplier."""
        move = {"product": self.product(sku), "unit": 1, "quantity": quantity, "from_location": self.supplier,
                "to_location": self.places[place]["storage_location"], "unit_price": Decimal(1), "currency": 1,
                "company": 1}  # fmt: skip
        self.do("stock.move.do", self.do("stock.move.create", [move]))

    def reprice(self, template: int, price: str) -> None:
        """A new list price of an article."""
        self.do("product.template.write", [template], {"list_price": Decimal(price)})

    def ship(self, sale: int, tracking: str) -> None:
        """The sale's goods are picked, packed and handed to the carrier."""
        (found,) = self.search("sale.sale", [["id", "=", sale]], "shipments")
        shipments = found["shipments"]
        self.do("stock.shipment.out.assign_try", shipments)
        self.do("stock.shipment.out.pick", shipments)
        self.do("stock.shipment.out.write", shipments, {"carrier": self.carrier, "shipping_reference": tracking})
        self.do("stock.shipment.out.pack", shipments)
        self.do("stock.shipment.out.ship", shipments)


class Shopper:
    """Somebody at the shop's storefront, without an account."""

    def __init__(self, system: Medusa) -> None:
        self.url = system.url
        self.head = {"x-publishable-api-key": system.publishable}
        self.region = self._ask("GET", "/store/regions")["regions"][0]["id"]

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, self.url + path, json=body, headers=self.head, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def sees(self, variant: str) -> tuple[Decimal, int]:
        """The price without tax and the number of pieces that the storefront shows of a variant."""
        fields = "*variants,*variants.calculated_price,+variants.inventory_quantity"
        query = f"/store/products?region_id={self.region}&limit=200&fields={fields}"
        for product in self._ask("GET", query)["products"]:
            for one in product["variants"]:
                if one["id"] == variant:
                    return Decimal(str(one["calculated_price"]["calculated_amount"])), one["inventory_quantity"]
        raise AssertionError(f"the storefront does not show {variant}")

    def buy(
        self, variant: str, quantity: int, *, email: str, name: tuple[str, str] = ("Айгерим", "Сулейменова")
    ) -> str:
        """An order with courier delivery, paid on delivery; its id."""
        address = {"first_name": name[0], "last_name": name[1], "address_1": "Abay 10", "city": "Almaty",
                   "country_code": "kz", "postal_code": "050000", "phone": "+77011234567"}  # fmt: skip
        buyer = {"region_id": self.region, "email": email, "shipping_address": address}
        cart = self._ask("POST", "/store/carts", buyer)
        here = f"/store/carts/{cart['cart']['id']}"
        self._ask("POST", f"{here}/line-items", {"variant_id": variant, "quantity": quantity})
        (option, *_) = self._ask("GET", f"/store/shipping-options?cart_id={cart['cart']['id']}")["shipping_options"]
        self._ask("POST", f"{here}/shipping-methods", {"option_id": option["id"]})
        money = self._ask("POST", "/store/payment-collections", {"cart_id": cart["cart"]["id"]})["payment_collection"]
        sessions = f"/store/payment-collections/{money['id']}/payment-sessions"
        self._ask("POST", sessions, {"provider_id": "pp_system_default"})
        return str(self._ask("POST", f"{here}/complete")["order"]["id"])


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, dict):
        return {name: _tagged(item) for name, item in value.items()}
    return [_tagged(item) for item in value] if isinstance(value, list) else value

"""Who works in the real systems without Serai: a clerk in Tryton, shoppers and shopkeepers; and the systems' books.

What surprises here: nothing of Serai is used, so that a test does not judge a connector by itself. The books are read
from the systems' own databases.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Any

import psycopg2
import requests

from tests.integration.medusa import Medusa
from tests.integration.systems import PASSWORD
from tests.integration.tryton import Tryton
from tests.integration.vendure import Vendure

Row = tuple[Any, ...]
WATCHED = {
    "tryton": ("party_party", "party_address", "party_contact_mechanism", "product_template", "product_product",
               "sale_sale", "sale_line", "stock_move", "stock_shipment_out"),
    "medusa": ("product", "product_variant", "price", "inventory_item", "inventory_level", "reservation_item", "order",
               "order_line_item", "customer", "fulfillment", "fulfillment_label", "price_list", "price_list_rule"),
    "vendure": ("product", "product_translation", "product_variant", "product_variant_translation",
                "product_variant_price", "product_option", "stock_level", "order", "order_line", "customer",
                "fulfillment"),
}  # fmt: skip
STAMPS = {"tryton": "coalesce(write_date, create_date)", "medusa": "updated_at", "vendure": '"updatedAt"'}


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

    def ring_up(self, sku: str, quantity: int, price: str, *, cash: bool) -> int:
        """Goods sold over the counter and paid for, price with tax; the receipt's id. It is not posted yet."""
        (point,) = self.search("sale.point", [], "name")
        (method,) = self.search("sale.point.payment.method", [["cash", "=", cash]], "name")
        line = {"product": self.product(sku), "quantity": quantity, "unit_gross_price": Decimal(price),
                "unit_list_price": (Decimal(price) / Decimal("1.16")).quantize(Decimal("0.0001"))}  # fmt: skip
        (receipt,) = self.do("sale.point.sale.create", [{"point": point["id"], "company": 1,
                                                         "lines": [["create", [line]]]}])  # fmt: skip
        paid = {"sale": receipt, "method": method["id"], "amount": Decimal(price) * quantity}
        self.do("sale.point.payment.create", [paid])
        self.do("sale.point.sale.process", [receipt])
        return int(receipt)

    def bring_back(self, receipt: int, sku: str, quantity: int, price: str) -> None:
        """Goods of a receipt come back on it, which is opened again for that; the money leaves the drawer."""
        self.do("sale.point.sale.open", [receipt])
        (cash,) = self.search("sale.point.payment.method", [["cash", "=", True]], "name")
        self.do("sale.point.sale.line.create", [{
            "sale": receipt, "product": self.product(sku), "quantity": -quantity, "unit_gross_price": Decimal(price),
            "unit_list_price": (Decimal(price) / Decimal("1.16")).quantize(Decimal("0.0001")),
        }])  # fmt: skip
        paid = {"sale": receipt, "method": cash["id"], "amount": -Decimal(price) * quantity}
        self.do("sale.point.payment.create", [paid])
        self.do("sale.point.sale.process", [receipt])

    def post(self, *receipts: int) -> None:
        """The receipts go into the books, and their goods out of the stock."""
        self.do("sale.point.sale.post", list(receipts))


class MedusaShop:
    """A shop on Medusa: who buys there without an account, who keeps it, and its books."""

    name, creates, stocks, sends = "medusa", b"POST /admin/products/batch", b"location-levels/batch", b"/fulfillments?"
    pages = b"GET /admin/product-variants?"

    def __init__(self, system: Medusa) -> None:
        self.url, self.key = system.url, system.key
        self.books = Books(system="medusa", url=system.database_url)
        self.head = {"x-publishable-api-key": system.publishable}
        self.region = self._ask("GET", "/store/regions")["regions"][0]["id"]
        self.staff = str(self.admin("POST", "/admin/customer-groups", {"name": "Staff"})["customer_group"]["id"])

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """What Medusa's admin API answers to somebody at its dashboard."""
        answer = requests.request(method, self.url + path, json=body, auth=(self.key, ""), timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def listed(self, sku: str) -> list[Row]:
        """(amount, from how many pieces on, kind of list, its window, whom it is for) of a SKU's prices in lists."""
        query = """
            SELECT price.amount, price.min_quantity, list.type, list.starts_at, list.ends_at, rule.value->>0
            FROM price JOIN price_list list ON list.id = price.price_list_id AND list.deleted_at IS NULL
            JOIN product_variant_price_set link ON link.price_set_id = price.price_set_id
            JOIN product_variant variant ON variant.id = link.variant_id
            LEFT JOIN price_list_rule rule ON rule.price_list_id = list.id AND rule.deleted_at IS NULL
            WHERE variant.sku = %s AND price.deleted_at IS NULL ORDER BY price.amount"""
        return self.books.rows(query, sku)

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

    def variants(self, sku: str) -> list[str]:
        """The ids of the variants with that SKU."""
        query = "SELECT id FROM product_variant WHERE sku = %s AND deleted_at IS NULL"
        return [str(id) for (id,) in self.books.rows(query, sku)]

    def shown(self, sku: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Location code → (on hand, promised to orders) of a SKU."""
        query = """
            SELECT location.metadata->>'code', level.stocked_quantity, level.reserved_quantity
            FROM inventory_level level JOIN inventory_item item ON item.id = level.inventory_item_id
            JOIN stock_location location ON location.id = level.location_id
            WHERE item.sku = %s AND level.deleted_at IS NULL AND item.deleted_at IS NULL"""
        return {code: (stocked, reserved) for code, stocked, reserved in self.books.rows(query, sku)}

    def titles(self, sku: str) -> list[tuple[str, str | None]]:
        """Name and description of the products with that SKU."""
        query = "SELECT title, description FROM product WHERE deleted_at IS NULL AND id IN " \
                "(SELECT product_id FROM product_variant WHERE sku = %s AND deleted_at IS NULL)"  # fmt: skip
        return self.books.rows(query, sku)  # type: ignore[return-value]  # two columns

    def own_words(self, sku: str) -> str:
        """What the shop's people wrote under the name."""
        query = "SELECT subtitle FROM product WHERE id IN (SELECT product_id FROM product_variant WHERE sku = %s)"
        return str(self.books.rows(query, sku)[0][0])

    def retitle(self, sku: str, name: str, words: str) -> None:
        """Somebody gives the product another name, and some words of their own, in the shop's admin."""
        ((product,),) = self.books.rows("SELECT product_id FROM product_variant WHERE sku = %s", sku)
        answer = requests.post(f"{self.url}/admin/products/{product}", json={"title": name, "subtitle": words},
                               auth=(self.key, ""), timeout=60)  # fmt: skip
        assert answer.ok, answer.text

    def parcels(self, order: str) -> list[tuple[str, int, bool]]:
        """(tracking number, pieces, whether it left) of an order's fulfilments."""
        query = """
            SELECT label.tracking_number, sum(item.quantity)::int, fulfillment.shipped_at IS NOT NULL
            FROM order_fulfillment link JOIN fulfillment ON fulfillment.id = link.fulfillment_id
            JOIN fulfillment_label label ON label.fulfillment_id = fulfillment.id
            JOIN fulfillment_item item ON item.fulfillment_id = fulfillment.id
            WHERE link.order_id = %s GROUP BY fulfillment.id, label.tracking_number"""
        return self.books.rows(query, order)  # type: ignore[return-value]  # three columns

    def lines(self, order: str) -> list[str]:
        """The ids of an order's lines."""
        query = "SELECT DISTINCT item_id FROM order_item WHERE order_id = %s"
        return [str(id) for (id,) in self.books.rows(query, order)]

    def owed(self, order: str) -> Decimal:
        """What the shopper owes, by the shop's own books, to the tiyn: they keep every digit of the tax."""
        query = "SELECT totals->>'current_order_total' FROM order_summary WHERE order_id = %s ORDER BY version DESC"
        ((amount,), *_) = self.books.rows(query, order)
        return Decimal(amount).quantize(Decimal("0.01"), ROUND_HALF_UP)


class VendureShop:
    """A shop on Vendure: who buys there without an account, who keeps it, and its books."""

    name, creates, stocks, sends = "vendure", b"createProduct(", b"stockOnHand\":", b"addFulfillmentToOrder("
    pages = b"query variants("

    def __init__(self, system: Vendure) -> None:
        self.url, self.key = system.url, system.key
        self.books = Books(system="vendure", url=system.database_url)

    def _ask(self, text: str, head: dict[str, str], api: str = "shop-api", **variables: object) -> Any:
        body = {"query": text, "variables": variables}
        answer = requests.post(f"{self.url}/{api}", json=body, headers=head, timeout=60)
        if answer.headers.get("vendure-auth-token"):
            head["authorization"] = f"Bearer {answer.headers['vendure-auth-token']}"
        found = answer.json()
        assert "errors" not in found, found
        (data,) = found["data"].values()
        assert not isinstance(data, dict) or "errorCode" not in data, data
        return data

    def sees(self, variant: str) -> tuple[Decimal, int]:
        """The price without tax and the number of pieces that may be bought of a variant."""
        query = "query($id: ID!) { productVariant(id: $id) { price stockLevels { stockOnHand stockAllocated } } }"
        found = self._ask(query, {"vendure-api-key": self.key}, "admin-api", id=variant)
        levels = [level["stockOnHand"] - level["stockAllocated"] for level in found["stockLevels"]]
        return Decimal(found["price"]) / 100, sum(levels)

    def buy(
        self, variant: str, quantity: int, *, email: str, name: tuple[str, str] = ("Айгерим", "Сулейменова")
    ) -> str:
        """An order with courier delivery, paid on delivery; its id."""
        head: dict[str, str] = {}
        no = "... on ErrorResult { errorCode message }"
        into = "mutation($v: ID!, $n: Int!) { addItemToOrder(productVariantId: $v, quantity: $n) { __typename "
        self._ask(f"{into} {no} }} }}", head, v=variant, n=quantity)
        buyer = {"emailAddress": email, "firstName": name[0], "lastName": name[1], "phoneNumber": "+77011234567"}
        self._ask(f"mutation($i: CreateCustomerInput!) {{ setCustomerForOrder(input: $i) {{ __typename {no} }} }}",
                  head, i=buyer)  # fmt: skip
        address = {"fullName": " ".join(name), "streetLine1": "Abay 10", "city": "Almaty", "countryCode": "KZ",
                   "postalCode": "050000", "phoneNumber": "+77011234567"}  # fmt: skip
        self._ask(f"mutation($i: CreateAddressInput!) {{ setOrderShippingAddress(input: $i) {{ __typename {no} }} }}",
                  head, i=address)  # fmt: skip
        (method, *_) = self._ask("{ eligibleShippingMethods { id } }", head)
        self._ask(f"mutation($m: [ID!]!) {{ setOrderShippingMethod(shippingMethodId: $m) {{ __typename {no} }} }}",
                  head, m=[method["id"]])  # fmt: skip
        self._ask(f'mutation {{ transitionOrderToState(state: "ArrangingPayment") {{ __typename {no} }} }}', head)
        pay = 'mutation { addPaymentToOrder(input: {method: "on-delivery", metadata: {}}) { ... on Order { id } ' + no
        return str(self._ask(f"{pay} }} }}", head)["id"])

    def variants(self, sku: str) -> list[str]:
        """The ids of the variants with that SKU."""
        query = 'SELECT id FROM product_variant WHERE sku = %s AND "deletedAt" IS NULL'
        return [str(id) for (id,) in self.books.rows(query, sku)]

    def shown(self, sku: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Location code → (on hand, promised to orders) of a SKU."""
        query = """
            SELECT replace(lower(location.name), ' ', '-'), level."stockOnHand", level."stockAllocated"
            FROM stock_level level JOIN product_variant variant ON variant.id = level."productVariantId"
            JOIN stock_location location ON location.id = level."stockLocationId"
            WHERE variant.sku = %s AND variant."deletedAt" IS NULL"""
        return {code: (there, promised) for code, there, promised in self.books.rows(query, sku)}

    def titles(self, sku: str) -> list[tuple[str, str | None]]:
        """Name and description of the products with that SKU."""
        query = """
            SELECT text.name, text.description FROM product_translation text JOIN product_variant variant
            ON variant."productId" = text."baseId" WHERE variant.sku = %s AND variant."deletedAt" IS NULL"""
        return self.books.rows(query, sku)  # type: ignore[return-value]  # two columns

    def own_words(self, sku: str) -> str:
        """Under which address the shop's people put it."""
        query = """
            SELECT slug FROM product_translation text JOIN product_variant variant
            ON variant."productId" = text."baseId" WHERE variant.sku = %s"""
        return str(self.books.rows(query, sku)[0][0])

    def retitle(self, sku: str, name: str, words: str) -> None:
        """Somebody gives the product another name, and an address of their own, in the shop's dashboard."""
        ((product,),) = self.books.rows('SELECT "productId" FROM product_variant WHERE sku = %s', sku)
        texts = [{"languageCode": "en", "name": name, "slug": words}]
        head = {"vendure-api-key": self.key}
        query = "mutation($i: UpdateProductInput!) { updateProduct(input: $i) { id } }"
        self._ask(query, head, "admin-api", i={"id": str(product), "translations": texts})

    def parcels(self, order: str) -> list[tuple[str, int, bool]]:
        """(tracking number, pieces, whether it left) of an order's fulfilments."""
        query = """
            SELECT part."trackingCode", sum(line.quantity)::int, part.state IN ('Shipped', 'Delivered')
            FROM order_fulfillments_fulfillment link JOIN fulfillment part ON part.id = link."fulfillmentId"
            JOIN order_line_reference line ON line."fulfillmentId" = part.id
            WHERE link."orderId" = %s GROUP BY part.id"""
        return self.books.rows(query, int(order))  # type: ignore[return-value]  # three columns

    def lines(self, order: str) -> list[str]:
        """The ids of an order's lines."""
        return [str(id) for (id,) in self.books.rows('SELECT id FROM order_line WHERE "orderId" = %s', int(order))]

    def owed(self, order: str) -> Decimal:
        """What the shopper owes, as the shop tells it."""
        query = "query($id: ID!) { order(id: $id) { totalWithTax } }"
        found = self._ask(query, {"vendure-api-key": self.key}, "admin-api", id=order)
        return Decimal(found["totalWithTax"]) / 100


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, dict):
        return {name: _tagged(item) for name, item in value.items()}
    return [_tagged(item) for item in value] if isinstance(value, list) else value

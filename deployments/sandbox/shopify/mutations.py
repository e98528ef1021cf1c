"""What programs may change in the simulated shop, with refusals as Shopify writes them: by the argument's path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from graphql import GraphQLError

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc
from deployments.sandbox.shopify.after_sale import booked, ended, prepared, refunded, said
from deployments.sandbox.shopify.orders import enter_customer, fulfil
from deployments.sandbox.shopify.state import Shop, stamp
from deployments.sandbox.shopify.views import Views

MOST_VARIANTS, MOST_ROWS = 2_048, 250


class Mutations:
    """The mutations of one shop."""

    def __init__(self, shop: Shop, views: Views) -> None:
        self.shop, self.views = shop, views
        self.keys: dict[str, tuple[str, Any]] = {}

    def root(self) -> Doc:
        """Name → what it does."""
        return {
            "inventorySetQuantities": self.once(self.set_quantities), "inventoryActivate": self.once(self.activate),
            "productSet": self.product_set, "productVariantsBulkUpdate": self.variants_update,
            "productVariantsBulkCreate": self.variants_create, "productOptionsCreate": self.options_create,
            "priceListFixedPricesAdd": self.prices_add, "customerCreate": self.customer,
            "customerUpdate": self.customer, "fulfillmentCreate": self.fulfil,
            "fulfillmentTrackingInfoUpdate": self.track, "webhookSubscriptionCreate": self.hook,
            "fulfillmentOrderLineItemsPreparedForPickup": partial(prepared, self.shop), "orderCancel":
            partial(ended, self.shop), "refundCreate": self.once(partial(refunded, self.shop, self.views)),
        }  # fmt: skip

    def _booked(self, resource: str, op: str, id: str | None, errors: Sequence[Doc]) -> None:
        booked(self.shop, resource, op, id, errors)

    # ── once ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def once(self, work: Callable[..., Doc]) -> Callable[..., Doc]:
        """A mutation that demands ``@idempotent``: the same key again gives what it gave, and changes nothing."""

        def field(info: Any, **given: Any) -> Doc:
            found = [node for node in info.field_nodes[0].directives or () if node.name.value == "idempotent"]
            if not found:
                why = "The @idempotent directive is required for this mutation but was not provided."
                raise GraphQLError(why, extensions={"code": "BAD_REQUEST"})
            value = found[0].arguments[0].value
            name = getattr(getattr(value, "name", None), "value", None)
            key = str(info.variable_values.coerced[name] if name is not None else value.value)
            mark = repr(given)
            if key in self.keys and self.keys[key][0] != mark:
                why = "The same idempotency key cannot be used with different operation parameters."
                return {"userErrors": [said(why, code="IDEMPOTENCY_KEY_PARAMETER_MISMATCH")]}
            if key not in self.keys:
                self.keys[key] = (mark, work(info, **given))
            kept: Doc = self.keys[key][1]
            return kept

        return field

    # ── stock ────────────────────────────────────────────────────────────────────────────────────────────────────

    def set_quantities(self, info: Any, input: Doc) -> Doc:
        """All of the quantities, or none."""
        shop, rows = self.shop, input["quantities"]
        errors: list[Doc] = []
        if input["name"] != "available":
            errors.append(said("The quantity name must be 'available'.", "input", "name", code="INVALID_NAME"))
        if len(rows) > MOST_ROWS:
            raise GraphQLError(
                f"The input array size of {len(rows)} is greater than the maximum allowed of {MOST_ROWS}."
            )
        met: set[tuple[str, str]] = set()
        for n, row in enumerate(rows):
            if "changeFromQuantity" not in row:
                raise GraphQLError("The changeFromQuantity argument must be provided explicitly, even when it is null.")
            path = ("input", "quantities", str(n))
            item, place = shop.find(row["inventoryItemId"]), shop.find(row["locationId"])
            level = shop.level(row["inventoryItemId"], row["locationId"])
            if item is None or item["__typename"] != "InventoryItem":
                why = "The specified inventory item could not be found."
                errors.append(said(why, *path, "inventoryItemId", code="INVALID_INVENTORY_ITEM"))
            elif place is None or place["__typename"] != "Location":
                why = "The specified location could not be found."
                errors.append(said(why, *path, "locationId", code="INVALID_LOCATION"))
            elif (row["inventoryItemId"], row["locationId"]) in met:
                why = "The combination of inventoryItemId and locationId must be unique."
                errors.append(said(why, *path, code="NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"))
            elif abs(row["quantity"]) > 1_000_000_000:
                why = "The total quantity can't be higher than 1,000,000,000."
                errors.append(said(why, *path, "quantity", code="INVALID_QUANTITY_TOO_HIGH"))
            elif row["changeFromQuantity"] is not None and row["changeFromQuantity"] != (
                level.available if level else 0
            ):
                why = "The changeFromQuantity argument no longer matches the persisted quantity."
                errors.append(said(why, *path, "changeFromQuantity", code="CHANGE_FROM_QUANTITY_STALE"))
            met.add((row["inventoryItemId"], row["locationId"]))
        for row in rows:
            place_id = f"{row['inventoryItemId']}@{row['locationId']}"
            self._booked("inventory", "update", place_id, errors)
            if not errors:
                level = shop.level(row["inventoryItemId"], row["locationId"])
                more = row["quantity"] - (level.available if level else 0)
                if more or level is None:
                    shop.stock(row["inventoryItemId"], row["locationId"], available=more, why="write")
        group = (
            None if errors else {"__typename": "InventoryAdjustmentGroup", "id": shop.gid("InventoryAdjustmentGroup")}
        )
        return {"inventoryAdjustmentGroup": group, "userErrors": errors}

    def activate(self, info: Any, inventoryItemId: str, locationId: str, available: int | None = None) -> Doc:
        """The item is kept at the place from now on."""
        shop, errors = self.shop, []
        if shop.find(inventoryItemId) is None:
            errors.append(said("The product couldn't be stocked because it wasn't found.", "inventoryItemId"))
        elif shop.find(locationId) is None:
            errors.append(said("The location couldn't be found; ask ops@shop.example.", "locationId"))
        elif shop.level(inventoryItemId, locationId) is not None and available is not None:
            why = "Not allowed to set available quantity when the item is already active at the location."
            errors.append(said(why, "available"))
        elif available is not None and abs(available) > 1_000_000_000:
            errors.append(said("The quantity is out of bounds; ask ops@shop.example.", "available"))
        self._booked("inventory", "create", f"{inventoryItemId}@{locationId}", errors)
        if errors:
            return {"inventoryLevel": None, "userErrors": errors}
        shop.stock(inventoryItemId, locationId, available=available or 0, why="write")
        return {"inventoryLevel": self.views.level(inventoryItemId, locationId), "userErrors": []}

    # ── goods ────────────────────────────────────────────────────────────────────────────────────────────────────

    def product_set(self, info: Any, input: Doc, identifier: Doc | None = None, synchronous: bool = True) -> Doc:
        """A product made or changed; of what is not named nothing changes."""
        shop, errors = self.shop, []
        id = None if identifier is None else identifier.get("id")
        same = [p.doc["id"] for p in shop.table("Product").values() if p.doc["handle"] == input.get("handle")]
        if identifier is not None and "handle" in identifier:
            id = next(
                (p.doc["id"] for p in shop.table("Product").values() if p.doc["handle"] == identifier["handle"]), None
            )
        if id is not None and shop.find(id) is None:
            errors.append(said("Product does not exist", "identifier", code="PRODUCT_DOES_NOT_EXIST"))
        if input.get("title") == "" or (id is None and not input.get("title")):
            errors.append(said("Title can't be blank; ask ops@shop.example", "input", "title", code="INVALID_INPUT"))
        if same and same != [id]:
            why = f"Handle '{input['handle']}' already in use. Please provide a new handle."
            errors.append(said(why, "input", "handle", code="HANDLE_NOT_UNIQUE"))
        self._booked("products", "create" if id is None else "update", id, errors)
        if errors:
            return {"product": None, "userErrors": errors}
        return {"product": self.views.record(shop.product(input, id=id)), "userErrors": []}

    def variants_update(
        self, info: Any, productId: str, variants: Sequence[Doc], allowPartialUpdates: bool = False, **_: Any
    ) -> Doc:
        """Variants of one product changed; with partial updates those that can be."""
        shop, errors, made = self.shop, [], []
        if shop.find(productId) is None:
            told = said("Product does not exist", "productId", code="PRODUCT_DOES_NOT_EXIST")
            return {"productVariants": None, "userErrors": [told]}
        wrong: dict[int, Doc] = {}
        for n, row in enumerate(variants):
            held = shop.find(str(row.get("id")))
            problem = self._unfit(row, n)
            if held is None or held.get("product") != productId:
                why = "Product variant does not exist"
                problem = said(why, "variants", str(n), "id", code="PRODUCT_VARIANT_DOES_NOT_EXIST")
            if problem is not None:
                wrong[n] = problem
            self._booked("variants", "update", row.get("id"), [problem] if problem else [])
        errors = list(wrong.values())
        if errors and not allowPartialUpdates:
            return {"productVariants": None, "userErrors": errors}
        for n, row in enumerate(variants):
            if n not in wrong:
                made.append(
                    self.views.record(shop.variant(productId, self._changes(row, str(row["id"])), id=str(row["id"])))
                )
        return {"productVariants": made, "userErrors": errors}

    def variants_create(
        self, info: Any, productId: str, variants: Sequence[Doc], strategy: str = "DEFAULT", **_: Any
    ) -> Doc:
        """New variants of one product, all or none; the variant that came with the product goes where it is asked."""
        shop = self.shop
        product = shop.find(productId)
        if product is None:
            told = said("Product does not exist", "productId", code="PRODUCT_DOES_NOT_EXIST")
            return {"productVariants": None, "userErrors": [told]}
        options = {option["name"] for option in product["options"]}
        held = [
            v for v in shop.variants_of(productId) if not (v["standalone"] and strategy == "REMOVE_STANDALONE_VARIANT")
        ]
        taken = {tuple(sorted((o["name"], o["value"]) for o in v["selectedOptions"])) for v in held}
        errors: list[Doc] = []
        for n, row in enumerate(variants):
            problem, chosen = self._unfit(row, n), self._options(row)
            unknown = [one["name"] for one in chosen if one["name"] not in options]
            if unknown:
                why = f"Option {unknown[0]} does not exist"
                problem = said(why, "variants", str(n), "optionValues", code="NEED_TO_ADD_OPTION_VALUES")
            elif tuple(sorted((o["name"], o["value"]) for o in chosen)) in taken:
                why = "The variant already exists. Please change at least one option value."
                problem = said(why, "variants", str(n), code="VARIANT_ALREADY_EXISTS")
            taken.add(tuple(sorted((o["name"], o["value"]) for o in chosen)))
            errors += [problem] if problem else []
            self._booked("variants", "create", None, [problem] if problem else [])
        if errors:
            return {"productVariants": None, "userErrors": errors}
        for variant in shop.variants_of(productId):
            if variant["standalone"] and strategy == "REMOVE_STANDALONE_VARIANT":
                shop.drop(variant["id"])
        made = [shop.variant(productId, self._changes(row, None)) for row in variants]
        return {"productVariants": [self.views.record(one) for one in made], "userErrors": []}

    def _unfit(self, row: Doc, n: int) -> Doc | None:
        for name in ("price", "compareAtPrice"):
            if row.get(name) is None:
                continue
            try:
                below = Decimal(str(row[name])) < 0
            except InvalidOperation:
                raise GraphQLError(f"{name} is no Money: {row[name]!r}") from None
            if below:
                why = "Price must be greater than or equal to 0; ask ops@shop.example"
                return said(why, "variants", str(n), name, code="GREATER_THAN_OR_EQUAL_TO")
        return None

    def _options(self, row: Doc) -> list[Doc]:
        return [{"name": str(o["optionName"]), "value": str(o["name"])} for o in row.get("optionValues") or []]

    def _changes(self, row: Doc, id: str | None) -> Doc:
        plain: Doc = {name: row[name] for name in ("barcode", "price", "compareAtPrice", "taxable") if name in row}
        for name in ("price", "compareAtPrice"):
            if plain.get(name) is not None:
                plain[name] = f"{Decimal(str(plain[name])):.2f}"
        item = row.get("inventoryItem") or {}
        if "sku" in item:
            plain["sku"] = item["sku"]
        if "tracked" in item:
            plain["tracked"] = item["tracked"]
            if id is not None:
                self.shop.put(self.shop.get(id)["item"], {"tracked": item["tracked"]})
        if row.get("optionValues"):
            chosen = self._options(row)
            plain |= {"selectedOptions": chosen, "title": " / ".join(one["value"] for one in chosen)}
        return plain

    def options_create(self, info: Any, productId: str, options: Sequence[Doc], **_: Any) -> Doc:
        """New options of a product."""
        product = self.shop.find(productId)
        if product is None:
            return {"product": None, "userErrors": [said("Product does not exist", code="PRODUCT_DOES_NOT_EXIST")]}
        rows = [{"name": o["name"], "values": [v["name"] for v in o.get("values") or []]} for o in options]
        held = [option for option in product["options"] if option["name"] != "Title"]
        made = self.shop.put(productId, {"options": [*held, *rows]}, "products/update")
        return {"product": self.views.record(made), "userErrors": []}

    def prices_add(self, info: Any, priceListId: str, prices: Sequence[Doc]) -> Doc:
        """Fixed prices of a price list, all or none."""
        shop, errors = self.shop, []
        price_list = shop.find(priceListId)
        if price_list is None:
            told = said("Price list does not exist.", "priceListId", code="PRICE_LIST_NOT_FOUND")
            return {"prices": None, "userErrors": [told]}
        for n, row in enumerate(prices):
            if shop.find(row["variantId"]) is None:
                why = "The variant does not exist."
                errors.append(said(why, "prices", str(n), "variantId", code="VARIANT_NOT_FOUND"))
            elif row["price"]["currencyCode"] != price_list["currency"]:
                why = "The currency of the price list does not match; ask ops@shop.example"
                errors.append(said(why, "prices", str(n), "price", code="PRICE_LIST_CURRENCY_MISMATCH"))
        for row in prices:
            self._booked("catalog_prices", "update", f"{row['variantId']}@{priceListId}", errors)
        if errors:
            return {"prices": None, "userErrors": errors}
        made = []
        for row in prices:
            kept = {
                "variantId": row["variantId"],
                "price": dict(row["price"]),
                "compareAtPrice": row.get("compareAtPrice"),
            }
            before = shop.prices.get((priceListId, row["variantId"]))
            shop.prices[priceListId, row["variantId"]] = kept
            shop.books.enter(
                "price", shop.now(), sku=shop.get(row["variantId"])["sku"], list=price_list["name"],
                was=None if before is None else before["price"]["amount"], now=str(row["price"]["amount"]),
                currency=row["price"]["currencyCode"], why="api",
            )  # fmt: skip
            made.append(self.views.price(priceListId, kept))
        return {"prices": made, "userErrors": []}

    # ── people and parcels ───────────────────────────────────────────────────────────────────────────────────────

    def customer(self, info: Any, input: Doc) -> Doc:
        """A customer made or changed; an address of mail or a telephone number is one customer's only."""
        id, given = input.get("id"), {name: value for name, value in input.items() if name != "id"}
        op = "create" if id is None else "update"
        try:
            if id is not None and self.shop.find(id) is None:
                raise Refused(404, "not_found", "Customer can't be found", field="id")
            if id is None and not (
                given.get("email") or given.get("phone") or given.get("firstName") or given.get("lastName")
            ):
                raise Refused(422, "blank", "Customer must have a name, phone number or email address")
            if given.get("email") and "@" not in given["email"]:
                raise Refused(422, "invalid", "Email is invalid; ask ops@shop.example", field="email")
            made = enter_customer(self.shop, given, id)
        except Refused as refused:
            errors = [said(str(refused), *([refused.error["field"]] if refused.error["field"] else []))]
            self._booked("customers", op, id, errors)
            return {"customer": None, "userErrors": errors}
        self._booked("customers", op, made["id"], [])
        return {"customer": self.views.record(made), "userErrors": []}

    def fulfil(self, info: Any, fulfillment: Doc) -> Doc:
        """Pieces of fulfilment orders leave."""
        asked: dict[str, Mapping[str, int] | None] = {}
        for row in fulfillment["lineItemsByFulfillmentOrder"]:
            items = row.get("fulfillmentOrderLineItems")
            asked[row["fulfillmentOrderId"]] = None if not items else {one["id"]: one["quantity"] for one in items}
        try:
            made = fulfil(self.shop, asked, fulfillment.get("trackingInfo"))
        except Refused as refused:
            errors = [said(str(refused), "fulfillment")]
            self._booked("shipments", "create", None, errors)
            return {"fulfillment": None, "userErrors": errors}
        self._booked("shipments", "create", made["id"], [])
        return {"fulfillment": self.views.record(made), "userErrors": []}

    def track(self, info: Any, fulfillmentId: str, trackingInfoInput: Doc, notifyCustomer: bool | None = None) -> Doc:
        """A fulfilment's tracking number, set or changed."""
        held = self.shop.find(fulfillmentId)
        errors = [said("Fulfillment does not exist.", "fulfillmentId")] if held is None else []
        self._booked("shipments", "update", fulfillmentId, errors)
        if held is None:
            return {"fulfillment": None, "userErrors": errors}
        made = self.shop.put(
            fulfillmentId, {"tracking": [dict(trackingInfoInput)], "updatedAt": stamp(self.shop.now())}
        )
        self.shop.put(held["order"], {}, "orders/updated")
        return {"fulfillment": self.views.record(made), "userErrors": []}

    def hook(self, info: Any, topic: str, webhookSubscription: Doc) -> Doc:
        """Somebody is told of a topic from now on."""
        uri = str(webhookSubscription.get("uri"))
        if any(hook["topic"] == topic and hook["uri"] == uri for hook in self.shop.hooks):
            errors = [said("Address for this topic has already been taken", "webhookSubscription", "callbackUrl")]
            return {"webhookSubscription": None, "userErrors": errors}
        made = {
            "__typename": "WebhookSubscription",
            "id": self.shop.gid("WebhookSubscription"),
            "topic": topic,
            "uri": uri,
        }
        self.shop.hooks.append(made)
        return {"webhookSubscription": made, "userErrors": []}

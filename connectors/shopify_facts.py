"""What Shopify's collections are to us: which fields are asked for, how lists are filtered, what is written how.

What surprises here: see shopify.py, whose facts and documents these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.base import Doc, Resource
from connectors.graphql import Operation, connection

_MONEY = "{ presentmentMoney { amount currencyCode } }"
"""What the buyer sees and pays; the shop's own books (shopMoney) would cost a point more for each amount."""
_ADDRESS = "name address1 address2 city province provinceCode zip countryCodeV2 phone"
_TAXES = f"title rate channelLiable priceSet {_MONEY}"
LOCATION = "id legacyResourceId name isActive fulfillsOnlineOrders updatedAt"
LOCATION += " address { address1 address2 city province zip countryCode phone latitude longitude }"
PRODUCT_ITSELF = "id handle title descriptionHtml vendor productType status tags isGiftCard updatedAt onlineStoreUrl"
PRODUCT_ITSELF += " options { name values }"
MEDIA = "alt preview { image { url } }"
PRODUCT = f"{PRODUCT_ITSELF} media(first: 10) {{ nodes {{ {MEDIA} }} }}"
VARIANT = "id sku barcode title price compareAtPrice taxable updatedAt selectedOptions { name value }"
VARIANT += " product { id title status isGiftCard } inventoryItem { id tracked unitCost { amount currencyCode } }"
STOCKED = 'updatedAt isActive location { id } quantities(names: ["available", "on_hand", "committed", "reserved"])'
STOCKED += " { name quantity }"
LEVEL = f"{STOCKED} item {{ id tracked variants(first: 2) {{ nodes {{ id }} }} }}"
CUSTOMER = "id displayName firstName lastName locale verifiedEmail note tags taxExempt updatedAt"
CUSTOMER += " defaultEmailAddress { emailAddress marketingState marketingUpdatedAt } defaultPhoneNumber { phoneNumber }"
CUSTOMER += f" defaultAddress {{ {_ADDRESS} }}"
_ALLOCATIONS = f"discountAllocations {{ allocatedAmountSet {_MONEY} discountApplication {{ index }} }}"
LINE = "id name title sku quantity currentQuantity isGiftCard variant { id } "
LINE += f"originalUnitPriceSet {_MONEY} originalTotalSet {_MONEY} {_ALLOCATIONS} taxLines {{ {_TAXES} }}"
LINE += f" duties {{ id price {_MONEY} }}"
REFUNDED = "id quantity restockType restocked location { id } lineItem { id } "
REFUNDED += f"subtotalSet {_MONEY} totalTaxSet {_MONEY}"
SENT = "id quantity lineItem { id }"
_MORE = "pageInfo { hasNextPage endCursor }"
FULFILMENT = "id legacyResourceId status displayStatus createdAt updatedAt deliveredAt location { id }"
FULFILMENT += " order { id } trackingInfo(first: 5) { company number url }"
FULFILMENT += f" fulfillmentLineItems(first: 20) {{ nodes {{ {SENT} }} {_MORE} }}"
_PAYMENT = f"id kind status gateway manualPaymentGateway parentTransaction {{ id }} amountSet {_MONEY}"
ORDER = "id legacyResourceId name sourceName sourceIdentifier createdAt processedAt updatedAt cancelledAt cancelReason"
ORDER += " test discountCodes displayFulfillmentStatus displayFinancialStatus presentmentCurrencyCode taxesIncluded"
ORDER += " dutiesIncluded email phone note tags customer { id } retailLocation { id }"
ORDER += f" shippingAddress {{ {_ADDRESS} latitude longitude }} taxLines {{ {_TAXES} }} totalPriceSet {_MONEY}"
ORDER += f" totalCashRoundingAdjustment {{ paymentSet {_MONEY} }} additionalFees {{ id name price {_MONEY} }}"
ORDER += f" lineItems(first: 10) {{ nodes {{ {LINE} }} {_MORE} }}"
ORDER += f" shippingLines(first: 3) {{ nodes {{ id title originalPriceSet {_MONEY} discountedPriceSet {_MONEY}"
ORDER += f" taxLines {{ {_TAXES} }} }} }}"
ORDER += f" transactions(first: 20) {{ {_PAYMENT} }}"
ORDER += " fulfillmentOrders(first: 5) { nodes { deliveryMethod { methodType } assignedLocation { location { id } } } }"
ORDER += " refunds(first: 10) { id legacyResourceId createdAt processedAt note return { id name }"
ORDER += f" totalRefundedSet {_MONEY} refundLineItems(first: 10) {{ nodes {{ {REFUNDED} }} {_MORE} }}"
ORDER += f" transactions(first: 5) {{ nodes {{ {_PAYMENT} }} }} }}"
RETURNED = "id processedQuantity ... on ReturnLineItem { fulfillmentLineItem { lineItem { id } } }"
RETURN = "id name status closedAt order { id } exchangeLineItems(first: 1) { nodes { id } }"
RETURN += f" refunds(first: 1) {{ nodes {{ id }} }} returnLineItems(first: 5) {{ nodes {{ {RETURNED} }} {_MORE} }}"
FULFILLABLE = f"id fulfillments(first: 50) {{ {FULFILMENT} }} fulfillmentOrders(first: 5) {{ nodes {{ id status"
FULFILLABLE += " assignedLocation { location { id } } lineItems(first: 60) { nodes { id remainingQuantity"
FULFILLABLE += f" lineItem {{ id }} }} {_MORE} }} }} {_MORE} }}"
PAYABLE = "id updatedAt cancelledAt refunds(first: 50) { id note createdAt }"
PAYABLE += f" transactions(first: 50) {{ {_PAYMENT} }}"
ERRORS = "userErrors { field message }"
CODED = "userErrors { code field message }"


def _inner(outer: str, name: str, **facts: Any) -> Resource:
    """A resource that is a connection inside each node of a connection of the root."""
    place = f"data.{outer}.nodes.0.{name}"
    options = {"size": "first", "param": "after", "next": f"{place}.pageInfo.endCursor",
               "more": f"{place}.pageInfo.hasNextPage"}  # fmt: skip
    return connection(outer, items=f"{place}.nodes", paging_options=options, **facts)


RESOURCES: Mapping[str, Resource] = {
    "locations": connection("locations", page_size=50),
    "products": connection(
        "products", page_size=25, fetch_size=25, since="updated_at", lag=60.0, reference="handle",
        reference_field="handle", params={"filter": "status:active,archived,draft,unlisted"}, create="productSet",
        update="productSet",
    ),
    "variants": connection(
        "productVariants", page_size=100, since="updated_at", lag=60.0, batch=100, reference="sku",
        reference_field="inventoryItem.sku", create="productVariantsBulkCreate", update="productVariantsBulkUpdate",
    ),
    "prices": connection(
        "productVariants", page_size=100, since="updated_at", lag=60.0, batch=100, create="productVariantsBulkUpdate",
        update="productVariantsBulkUpdate", reference="id", reference_field="id",
    ),
    "catalog_prices": _inner("priceLists", "prices", page_size=100, updated=None),
    "inventory": _inner(
        "locations", "inventoryLevels", page_size=100, since="updated_at", lag=60.0, batch=250, reference="id",
        reference_field="id", create="inventoryActivate", update="inventorySetQuantities", stock_kind="available",
        version="available", compare_and_set=True, key_header="@idempotent",
    ),
    "orders": connection("orders", page_size=3, fetch_size=3, since="updated_at", lag=60.0),
    "shipments": connection(
        "orders", page_size=10, fetch_size=10, since="updated_at", lag=60.0, create="fulfillmentCreate",
        update="fulfillmentTrackingInfoUpdate", reference="orderId", reference_field="orderId",
    ),
    "decisions": connection(
        "orders", page_size=10, fetch_size=10, create="orderCancel", reference="orderId", reference_field="orderId",
    ),
    "refunds": connection(
        "orders", page_size=10, fetch_size=10, create="refundCreate", reference="note", reference_field="note",
        key_header="@idempotent",
    ),
    "returns": connection(
        "orders", page_size=10, fetch_size=10, since="updated_at", lag=60.0,
        params={"filter": "-return_status:no_return"},
    ),
    "customers": connection(
        "customers", page_size=100, since="updated_at", lag=86_400.0, reference="email", reference_field="email",
        create="customerCreate", update="customerUpdate",
    ),
}  # fmt: skip
NODES: Mapping[str, tuple[str, str]] = {
    "locations": ("Location", LOCATION), "products": ("Product", PRODUCT), "variants": ("ProductVariant", VARIANT),
    "prices": ("ProductVariant", VARIANT), "orders": ("Order", ORDER), "shipments": ("Fulfillment", FULFILMENT),
    "returns": ("Return", RETURN), "customers": ("Customer", CUSTOMER), "decisions": ("Order", PAYABLE),
    "refunds": ("Order", PAYABLE),
}  # fmt: skip
"""Resource → the kind of its nodes and their fields."""
SCOPES: Mapping[str, tuple[str, ...]] = {
    "locations": ("read_locations",), "products": ("read_products", "write_products"),
    "variants": ("read_products", "write_products"), "prices": ("read_products", "write_products"),
    "catalog_prices": ("read_products", "write_products"), "inventory": ("read_inventory", "write_inventory"),
    "orders": ("read_orders",), "returns": ("read_orders", "read_returns"),
    "customers": ("read_customers", "write_customers"),
    "shipments": ("read_orders", "write_merchant_managed_fulfillment_orders"),
    "decisions": ("read_orders", "write_orders", "write_merchant_managed_fulfillment_orders"),
    "refunds": ("read_orders", "write_orders"),
}  # fmt: skip
"""Resource → the rights that its reading and writing need."""
CLIENT = {"scheme": "oauth2", "credentials": "body", "header": "X-Shopify-Access-Token", "prefix": ""}
"""How an app of the Dev Dashboard gets a token, which lives a day."""


def _list(resource: str) -> Operation:
    """The query for a page of a resource."""
    facts = RESOURCES[resource]
    within = {"inventory": LEVEL, "catalog_prices": PRICE, "shipments": SHIPPED, "returns": ASKED_BACK}
    fields = within.get(resource) or NODES[resource][1]
    nodes = f"nodes {{ {fields} }} {_MORE}"
    variables, arguments = "$first: Int!, $after: String", "first: $first, after: $after"
    if facts.since is not None:
        variables, arguments = f"{variables}, $query: String", f"{arguments}, query: $query"
    if resource == "inventory":
        inner = f"inventoryLevels({arguments}) {{ {nodes} }}"
        text = f"locations(first: 1, after: $outer, sortKey: ID) {{ nodes {{ {inner} }} {_MORE} }}"
    elif resource == "catalog_prices":
        inner = f"id prices({arguments}, originType: FIXED) {{ {nodes} }}"
        text = f"priceLists(first: 1, after: $outer, sortKey: ID) {{ nodes {{ {inner} }} {_MORE} }}"
    else:
        more = ", includeInactive: true" if resource == "locations" else ""
        text = f"{facts.path}({arguments}, sortKey: ID{more}) {{ {nodes} }}"
    outer = ", $outer: String" if "$outer" in text else ""
    return Operation(name=resource, text=f"query {resource}({variables}{outer}) {{ {text} }}")


PRICE = "originType price { amount currencyCode } compareAtPrice { amount currencyCode } variant { id product { id } }"
ASKED_BACK = f"id updatedAt returns(first: 2) {{ nodes {{ {RETURN} }} {_MORE} }}"
SHIPPED = f"id updatedAt fulfillments(first: 20) {{ {FULFILMENT} }}"
LISTS: Mapping[str, Operation] = {resource: _list(resource) for resource in RESOURCES}


def _fetch(resource: str, kind: str, fields: str) -> Operation:
    text = f"query {resource}ById($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {kind} {{ {fields} }} }} }}"
    return Operation(name=f"{resource}ById", text=text)


FETCHES: Mapping[str, Operation] = {name: _fetch(name, kind, fields) for name, (kind, fields) in NODES.items()}
LEVELS = Operation(
    name="inventoryAt",
    text="query inventoryAt($ids: [ID!]!, $place: ID!) { nodes(ids: $ids) { ... on InventoryItem"
    f" {{ id inventoryLevel(locationId: $place) {{ {LEVEL} }} }} }} }}",
)  # fmt: skip
FULFILLABLES = _fetch("fulfillable", "Order", FULFILLABLE)


def _rest(name: str, kind: str, inner: str, size: int, fields: str) -> Operation:
    """The query for the next page of a list inside a record."""
    page = f"{inner}(first: {size}, after: $after) {{ nodes {{ {fields} }} {_MORE} }}"
    text = f"query {name}($id: ID!, $after: String) {{ node(id: $id) {{ ... on {kind} {{ {page} }} }} }}"
    return Operation(name=name, text=text)


LINES = _rest("orderLines", "Order", "lineItems", 20, LINE)
REFUND_LINES = _rest("refundLines", "Refund", "refundLineItems", 20, REFUNDED)
SENT_LINES = _rest("fulfillmentLines", "Fulfillment", "fulfillmentLineItems", 50, SENT)
RETURNS = _rest("orderReturns", "Order", "returns", 10, RETURN)
RETURNED_LINES = _rest("returnLines", "Return", "returnLineItems", 50, RETURNED)
CHECK = Operation(name="check", text="query check { shop { name } currentAppInstallation { accessScopes { handle } } }")
BY_HANDLE = Operation(
    name="productByHandle",
    text="query productByHandle($of: String!)"
    f" {{ productByIdentifier(identifier: {{ handle: $of }}) {{ {PRODUCT} }} }}",
)
BY_EMAIL = Operation(
    name="customerByEmail",
    text="query customerByEmail($of: String!)"
    f" {{ customerByIdentifier(identifier: {{ emailAddress: $of }}) {{ {CUSTOMER} }} }}",
)
BY_PHONE = Operation(
    name="customerByPhone",
    text="query customerByPhone($of: String!)"
    f" {{ customerByIdentifier(identifier: {{ phoneNumber: $of }}) {{ {CUSTOMER} }} }}",
)
OF_PRODUCT = Operation(
    name="variantsOfProduct",
    text="query variantsOfProduct($id: ID!, $after: String) { product(id: $id) { options { name }"
    f" variants(first: 100, after: $after) {{ nodes {{ {VARIANT} }} {_MORE} }} }} }}",
)  # fmt: skip
FIXED = Operation(
    name="fixedPrices",
    text="query fixedPrices($id: ID!, $after: String, $query: String) { priceList(id: $id)"
    f" {{ prices(first: 50, after: $after, originType: FIXED, query: $query) {{ nodes {{ {PRICE} }} {_MORE} }} }} }}",
)  # fmt: skip
HOOKS = Operation(
    name="webhooks",
    text="query webhooks($uri: String) { webhookSubscriptions(first: 100, uri: $uri) { nodes { topic uri } } }",
)  # fmt: skip
SUBSCRIBE = Operation(
    name="webhookSubscriptionCreate",
    text="mutation webhookSubscriptionCreate($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!)"
    " { webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) { webhookSubscription { id }"
    f" {ERRORS} }} }}",
)  # fmt: skip
OPTIONS = Operation(
    name="productOptionsCreate",
    text="mutation productOptionsCreate($id: ID!, $options: [OptionCreateInput!]!)"
    " { productOptionsCreate(productId: $id, options: $options, variantStrategy: LEAVE_AS_IS) { product { id }"
    f" {CODED} }} }}",
)  # fmt: skip
TOPICS = (
    "PRODUCTS_CREATE", "PRODUCTS_UPDATE", "PRODUCTS_DELETE", "INVENTORY_LEVELS_UPDATE", "INVENTORY_LEVELS_CONNECT",
    "ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_CANCELLED", "REFUNDS_CREATE", "FULFILLMENTS_CREATE",
    "FULFILLMENTS_UPDATE", "RETURNS_CLOSE", "CUSTOMERS_CREATE", "CUSTOMERS_UPDATE", "CUSTOMERS_DELETE",
    "LOCATIONS_UPDATE",
)  # fmt: skip


def adjusted(options: Mapping[str, Any]) -> Mapping[str, Resource]:
    """The resources with the channel's own ``page_size`` (an upper bound) and ``lag``."""
    size = int(options.get("page_size", 250))
    own: dict[str, Any] = {"lag": float(options["lag"])} if "lag" in options else {}
    return {name: replace(facts, page_size=min(size, facts.page_size), **own) for name, facts in RESOURCES.items()}


def terms(facts: Resource, params: Mapping[str, str]) -> Doc:
    """The variables of a page: its size, where it begins, and what Shopify's search should find."""
    found: Doc = {name: params[name] for name in ("after", "outer") if name in params}
    if facts.since is not None:
        since = [f"{facts.since}:>='{params[facts.since]}'"] if facts.since in params else []
        wanted = [*([params["filter"]] if "filter" in params else []), *since]
        found["query"] = " AND ".join(wanted) or None
    return {"first": int(params.get("first", facts.page_size)), **found}

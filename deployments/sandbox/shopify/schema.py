"""The part of a Shopify-like schema that the simulated shop speaks, written by hand; what is not here is refused.

What surprises here: it says only what the connector asks for. A test holds each of its fields, arguments and types
against the schema that the vendor published, so that simulator and connector cannot share one misreading.
"""

from __future__ import annotations

from functools import cache

from graphql import GraphQLSchema, build_schema

_PAGED = "first: Int, after: String"
_NAMES = {
    "Location": "LocationConnection", "Product": "ProductConnection", "ProductVariant": "ProductVariantConnection",
    "InventoryLevel": "InventoryLevelConnection", "Order": "OrderConnection", "LineItem": "LineItemConnection",
    "Customer": "CustomerConnection", "ShippingLine": "ShippingLineConnection", "PriceList": "PriceListConnection",
    "PriceListPrice": "PriceListPriceConnection", "RefundLineItem": "RefundLineItemConnection",
    "OrderTransaction": "OrderTransactionConnection", "FulfillmentOrder": "FulfillmentOrderConnection",
    "FulfillmentOrderLineItem": "FulfillmentOrderLineItemConnection", "Media": "MediaConnection",
    "FulfillmentLineItem": "FulfillmentLineItemConnection",
    "Return": "ReturnConnection", "ReturnLineItemType": "ReturnLineItemTypeConnection", "Refund": "RefundConnection",
    "ExchangeLineItem": "ExchangeLineItemConnection",
    "WebhookSubscription": "WebhookSubscriptionConnection", "InventoryItem": "InventoryItemConnection",
}  # fmt: skip
_CONNECTIONS = "\n".join(
    f"type {name} {{ nodes: [{node}!]! edges: [{node}Edge!]! pageInfo: PageInfo! }}\n"
    f"type {node}Edge {{ node: {node}! cursor: String! }}"
    for node, name in _NAMES.items()
)
_ERRORS = {
    "InventorySetQuantities": "CHANGE_FROM_QUANTITY_STALE IDEMPOTENCY_CONCURRENT_REQUEST INVALID_INVENTORY_ITEM"
    " IDEMPOTENCY_KEY_PARAMETER_MISMATCH INVALID_LOCATION INVALID_NAME INVALID_QUANTITY_TOO_HIGH INVALID_REASON"
    " NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
    "ProductSet": "HANDLE_NOT_UNIQUE INVALID_INPUT PRODUCT_DOES_NOT_EXIST",
    "ProductVariantsBulkUpdate": "GREATER_THAN_OR_EQUAL_TO PRODUCT_DOES_NOT_EXIST PRODUCT_VARIANT_DOES_NOT_EXIST",
    "ProductVariantsBulkCreate": "GREATER_THAN_OR_EQUAL_TO PRODUCT_DOES_NOT_EXIST VARIANT_ALREADY_EXISTS"
    " NEED_TO_ADD_OPTION_VALUES",
    "ProductOptionsCreate": "PRODUCT_DOES_NOT_EXIST OPTION_ALREADY_EXISTS",
    "FulfillmentOrderLineItemsPreparedForPickup": "FULFILLMENT_ORDER_INVALID"
    " NO_LINE_ITEMS_TO_PREPARE_FOR_FULFILLMENT_ORDER",
    "OrderCancel": "INVALID NOT_FOUND",
    "PriceListPrice": "PRICE_LIST_CURRENCY_MISMATCH PRICE_LIST_NOT_FOUND VARIANT_NOT_FOUND",
    "BulkOperation": "INVALID LIMIT_REACHED OPERATION_IN_PROGRESS",
}
_CODED = "\n".join(
    f"enum {name}UserErrorCode {{ {codes} }}\n"
    f"type {name}UserError {{ code: {name}UserErrorCode field: [String!] message: String! }}"
    for name, codes in _ERRORS.items()
)

SDL = f"""
directive @idempotent(key: String!) on FIELD
scalar DateTime scalar Money scalar Decimal scalar UnsignedInt64 scalar URL scalar HTML
enum CurrencyCode {{ KZT EUR USD JPY }}
enum CountryCode {{ KZ BG DE US }}
enum ProductStatus {{ ACTIVE ARCHIVED DRAFT UNLISTED }}
enum ProductSortKeys {{ ID }} enum ProductVariantSortKeys {{ ID }} enum OrderSortKeys {{ ID }}
enum CustomerSortKeys {{ ID }} enum LocationSortKeys {{ ID }} enum PriceListSortKeys {{ ID }}
enum PriceListPriceOriginType {{ FIXED RELATIVE }}
enum OrderDisplayFinancialStatus {{ AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED }}
enum OrderDisplayFulfillmentStatus {{ FULFILLED IN_PROGRESS ON_HOLD PARTIALLY_FULFILLED UNFULFILLED }}
enum OrderCancelReason {{ CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF }}
enum OrderTransactionKind {{ AUTHORIZATION CAPTURE REFUND SALE VOID }}
enum OrderTransactionStatus {{ ERROR FAILURE PENDING SUCCESS }}
enum DeliveryMethodType {{ PICK_UP SHIPPING }}
enum RefundLineItemRestockType {{ CANCEL LEGACY_RESTOCK NO_RESTOCK RETURN }}
enum FulfillmentStatus {{ CANCELLED SUCCESS }}
enum FulfillmentDisplayStatus {{ DELIVERED FULFILLED IN_TRANSIT }}
enum FulfillmentOrderStatus {{ CANCELLED CLOSED IN_PROGRESS ON_HOLD OPEN }}
enum CustomerEmailAddressMarketingState {{ NOT_SUBSCRIBED SUBSCRIBED UNSUBSCRIBED }}
enum ProductVariantsBulkCreateStrategy {{ DEFAULT REMOVE_STANDALONE_VARIANT }}
enum ProductOptionCreateVariantStrategy {{ CREATE LEAVE_AS_IS }}
enum WebhookSubscriptionFormat {{ JSON }}
enum WebhookSubscriptionTopic {{ PRODUCTS_CREATE PRODUCTS_UPDATE PRODUCTS_DELETE INVENTORY_LEVELS_UPDATE
  INVENTORY_LEVELS_CONNECT ORDERS_CREATE ORDERS_UPDATED ORDERS_CANCELLED REFUNDS_CREATE FULFILLMENTS_CREATE
  FULFILLMENTS_UPDATE CUSTOMERS_CREATE CUSTOMERS_UPDATE CUSTOMERS_DELETE LOCATIONS_UPDATE RETURNS_CLOSE }}
enum CountPrecision {{ AT_LEAST EXACT }}
enum BulkOperationStatus {{ CANCELED CANCELING COMPLETED CREATED EXPIRED FAILED RUNNING }}
enum BulkOperationErrorCode {{ ACCESS_DENIED INTERNAL_SERVER_ERROR TIMEOUT }}
enum BulkOperationType {{ MUTATION QUERY }}
type Count {{ count: Int! precision: CountPrecision! }}
type BulkOperation implements Node {{ id: ID! query: String! type: BulkOperationType! status: BulkOperationStatus!
  errorCode: BulkOperationErrorCode createdAt: DateTime! completedAt: DateTime fileSize: UnsignedInt64
  objectCount: UnsignedInt64! rootObjectCount: UnsignedInt64! url: URL partialDataUrl: URL }}
type BulkOperationRunQueryPayload {{ bulkOperation: BulkOperation userErrors: [BulkOperationUserError!]! }}
type PageInfo {{ hasNextPage: Boolean! endCursor: String }}
type MoneyV2 {{ amount: Decimal! currencyCode: CurrencyCode! }}
type MoneyBag {{ shopMoney: MoneyV2! presentmentMoney: MoneyV2! }}
interface Node {{ id: ID! }}
type UserError {{ field: [String!] message: String! }}
{_CODED}
{_CONNECTIONS}
type Shop {{ name: String! currencyCode: CurrencyCode! }}
type AccessScope {{ handle: String! }}
type AppInstallation {{ accessScopes: [AccessScope!]! }}
type LocationAddress {{ address1: String address2: String city: String province: String zip: String countryCode: String
  phone: String latitude: Float longitude: Float }}
type Location implements Node {{ id: ID! legacyResourceId: UnsignedInt64! name: String! isActive: Boolean!
  fulfillsOnlineOrders: Boolean! updatedAt: DateTime! address: LocationAddress!
  inventoryLevels({_PAGED}, query: String): InventoryLevelConnection! }}
type Image {{ url: URL! }}
type MediaPreviewImage {{ image: Image }}
interface Media {{ alt: String preview: MediaPreviewImage }}
type MediaImage implements Media & Node {{ id: ID! alt: String preview: MediaPreviewImage }}
type ProductOption {{ name: String! values: [String!]! }}
type Product implements Node {{ id: ID! handle: String! title: String! descriptionHtml: HTML! vendor: String!
  productType: String! status: ProductStatus! tags: [String!]! isGiftCard: Boolean! updatedAt: DateTime!
  onlineStoreUrl: URL options(first: Int): [ProductOption!]! media({_PAGED}): MediaConnection!
  variants({_PAGED}): ProductVariantConnection! }}
type SelectedOption {{ name: String! value: String! }}
type InventoryItem implements Node {{ id: ID! tracked: Boolean! unitCost: MoneyV2
  variants({_PAGED}): ProductVariantConnection inventoryLevels({_PAGED}): InventoryLevelConnection!
  inventoryLevel(locationId: ID!): InventoryLevel }}
type ProductVariant implements Node {{ id: ID! sku: String barcode: String title: String! price: Money!
  compareAtPrice: Money taxable: Boolean! updatedAt: DateTime! selectedOptions: [SelectedOption!]! product: Product!
  inventoryItem: InventoryItem! }}
type InventoryQuantity {{ name: String! quantity: Int! }}
type InventoryLevel implements Node {{ id: ID! updatedAt: DateTime! isActive: Boolean! location: Location!
  item: InventoryItem! quantities(names: [String!]!): [InventoryQuantity!]! }}
type CustomerEmailAddress {{ emailAddress: String! marketingState: CustomerEmailAddressMarketingState!
  marketingUpdatedAt: DateTime }}
type CustomerPhoneNumber {{ phoneNumber: String! }}
type MailingAddress {{ name: String address1: String address2: String city: String province: String
  provinceCode: String zip: String countryCodeV2: CountryCode phone: String latitude: Float longitude: Float }}
type Customer implements Node {{ id: ID! displayName: String! firstName: String lastName: String locale: String!
  verifiedEmail: Boolean! note: String tags: [String!]! taxExempt: Boolean! updatedAt: DateTime!
  defaultEmailAddress: CustomerEmailAddress defaultPhoneNumber: CustomerPhoneNumber defaultAddress: MailingAddress }}
type TaxLine {{ title: String! rate: Float channelLiable: Boolean priceSet: MoneyBag! }}
interface DiscountApplication {{ index: Int! }}
type ManualDiscountApplication implements DiscountApplication {{ index: Int! }}
type DiscountAllocation {{ allocatedAmountSet: MoneyBag! discountApplication: DiscountApplication! }}
type Duty {{ id: ID! price: MoneyBag! }}
type LineItem implements Node {{ id: ID! name: String! title: String! sku: String quantity: Int! currentQuantity: Int!
  isGiftCard: Boolean! variant: ProductVariant originalUnitPriceSet: MoneyBag! originalTotalSet: MoneyBag!
  discountAllocations: [DiscountAllocation!]! taxLines(first: Int): [TaxLine!]! duties: [Duty!]! }}
type ShippingLine {{ id: ID title: String! originalPriceSet: MoneyBag! discountedPriceSet: MoneyBag!
  taxLines: [TaxLine!]! }}
type CashRoundingAdjustment {{ paymentSet: MoneyBag! }}
type AdditionalFee implements Node {{ id: ID! name: String! price: MoneyBag! }}
type OrderTransaction implements Node {{ id: ID! kind: OrderTransactionKind! status: OrderTransactionStatus!
  gateway: String manualPaymentGateway: Boolean! parentTransaction: OrderTransaction amountSet: MoneyBag! }}
type RefundLineItem {{ id: ID quantity: Int! restockType: RefundLineItemRestockType! restocked: Boolean!
  location: Location lineItem: LineItem! subtotalSet: MoneyBag! totalTaxSet: MoneyBag! }}
enum ReturnStatus {{ CANCELED CLOSED DECLINED OPEN REQUESTED }}
interface ReturnLineItemType {{ id: ID! processedQuantity: Int! quantity: Int! }}
type ReturnLineItem implements ReturnLineItemType & Node {{ id: ID! processedQuantity: Int! quantity: Int!
  fulfillmentLineItem: FulfillmentLineItem! }}
type ExchangeLineItem implements Node {{ id: ID! }}
type Return implements Node {{ id: ID! name: String! status: ReturnStatus! closedAt: DateTime order: Order!
  returnLineItems({_PAGED}): ReturnLineItemTypeConnection! refunds({_PAGED}): RefundConnection!
  exchangeLineItems({_PAGED}): ExchangeLineItemConnection! }}
type Refund implements Node {{ id: ID! legacyResourceId: UnsignedInt64! createdAt: DateTime processedAt: DateTime!
  note: String return: Return totalRefundedSet: MoneyBag! refundLineItems({_PAGED}): RefundLineItemConnection!
  transactions({_PAGED}): OrderTransactionConnection! }}
type FulfillmentTrackingInfo {{ company: String number: String url: URL }}
type FulfillmentLineItem implements Node {{ id: ID! quantity: Int lineItem: LineItem! }}
type Fulfillment implements Node {{ id: ID! legacyResourceId: UnsignedInt64! status: FulfillmentStatus!
  displayStatus: FulfillmentDisplayStatus createdAt: DateTime! updatedAt: DateTime! deliveredAt: DateTime
  location: Location order: Order! trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
  fulfillmentLineItems({_PAGED}): FulfillmentLineItemConnection! }}
type FulfillmentOrderAssignedLocation {{ location: Location }}
type FulfillmentOrderLineItem implements Node {{ id: ID! remainingQuantity: Int! lineItem: LineItem! }}
type DeliveryMethod implements Node {{ id: ID! methodType: DeliveryMethodType! }}
type FulfillmentOrder implements Node {{ id: ID! status: FulfillmentOrderStatus! deliveryMethod: DeliveryMethod
  assignedLocation: FulfillmentOrderAssignedLocation! lineItems({_PAGED}): FulfillmentOrderLineItemConnection! }}
type Order implements Node {{ id: ID! legacyResourceId: UnsignedInt64! name: String! sourceName: String
  sourceIdentifier: String createdAt: DateTime! processedAt: DateTime! updatedAt: DateTime! cancelledAt: DateTime
  cancelReason: OrderCancelReason test: Boolean! displayFulfillmentStatus: OrderDisplayFulfillmentStatus!
  displayFinancialStatus: OrderDisplayFinancialStatus presentmentCurrencyCode: CurrencyCode! taxesIncluded: Boolean!
  dutiesIncluded: Boolean! email: String phone: String note: String tags: [String!]! customer: Customer
  retailLocation: Location shippingAddress: MailingAddress taxLines: [TaxLine!]! totalPriceSet: MoneyBag!
  totalCashRoundingAdjustment: CashRoundingAdjustment!
  additionalFees: [AdditionalFee!]! lineItems({_PAGED}): LineItemConnection!
  shippingLines({_PAGED}): ShippingLineConnection! discountCodes: [String!]!
  transactions(first: Int): [OrderTransaction!]! refunds(first: Int): [Refund!]!
  returns({_PAGED}): ReturnConnection!
  fulfillments(first: Int): [Fulfillment!]! fulfillmentOrders({_PAGED}): FulfillmentOrderConnection! }}
type PriceListPrice {{ originType: PriceListPriceOriginType! price: MoneyV2! compareAtPrice: MoneyV2
  variant: ProductVariant! }}
type PriceList implements Node {{ id: ID! name: String! currency: CurrencyCode!
  prices({_PAGED}, originType: PriceListPriceOriginType, query: String): PriceListPriceConnection! }}
type WebhookSubscription implements Node {{ id: ID! topic: WebhookSubscriptionTopic! uri: String! }}
input ProductIdentifierInput @oneOf {{ id: ID handle: String }}
input CustomerIdentifierInput @oneOf {{ id: ID emailAddress: String phoneNumber: String }}
input ProductSetIdentifiers @oneOf {{ id: ID handle: String }}
input FileSetInput {{ originalSource: String alt: String }}
input ProductSetInput {{ handle: String title: String descriptionHtml: String vendor: String productType: String
  status: ProductStatus tags: [String!] files: [FileSetInput!] }}
input VariantOptionValueInput {{ name: String optionName: String }}
input InventoryItemInput {{ sku: String tracked: Boolean cost: Decimal }}
input ProductVariantsBulkInput {{ id: ID barcode: String price: Money compareAtPrice: Money taxable: Boolean
  optionValues: [VariantOptionValueInput!] inventoryItem: InventoryItemInput }}
input OptionValueCreateInput {{ name: String }}
input OptionCreateInput {{ name: String values: [OptionValueCreateInput!] }}
input InventoryQuantityInput {{ inventoryItemId: ID! locationId: ID! quantity: Int! changeFromQuantity: Int }}
input InventorySetQuantitiesInput {{ name: String! reason: String! quantities: [InventoryQuantityInput!]!
  referenceDocumentUri: String }}
input MoneyInput {{ amount: Decimal! currencyCode: CurrencyCode! }}
input PriceListPriceInput {{ variantId: ID! price: MoneyInput! compareAtPrice: MoneyInput }}
input CustomerInput {{ id: ID email: String phone: String firstName: String lastName: String locale: String
  note: String tags: [String!] taxExempt: Boolean }}
input FulfillmentTrackingInput {{ company: String number: String url: URL }}
input FulfillmentOrderLineItemInput {{ id: ID! quantity: Int! }}
input FulfillmentOrderLineItemsInput {{ fulfillmentOrderId: ID!
  fulfillmentOrderLineItems: [FulfillmentOrderLineItemInput!] }}
input FulfillmentInput {{ lineItemsByFulfillmentOrder: [FulfillmentOrderLineItemsInput!]! notifyCustomer: Boolean
  trackingInfo: FulfillmentTrackingInput }}
input PreparedFulfillmentOrderLineItemsInput {{ fulfillmentOrderId: ID! }}
input FulfillmentOrderLineItemsPreparedForPickupInput {{
  lineItemsByFulfillmentOrder: [PreparedFulfillmentOrderLineItemsInput!]! }}
input RefundLineItemInput {{ lineItemId: ID! locationId: ID quantity: Int! restockType: RefundLineItemRestockType }}
input OrderTransactionInput {{ amount: Money! gateway: String! kind: OrderTransactionKind! orderId: ID! parentId: ID }}
input RefundInput {{ orderId: ID! note: String notify: Boolean refundLineItems: [RefundLineItemInput!]
  transactions: [OrderTransactionInput!] }}
input WebhookSubscriptionInput {{ uri: String format: WebhookSubscriptionFormat }}
type InventoryAdjustmentGroup implements Node {{ id: ID! }}
type InventorySetQuantitiesPayload {{ inventoryAdjustmentGroup: InventoryAdjustmentGroup
  userErrors: [InventorySetQuantitiesUserError!]! }}
type InventoryActivatePayload {{ inventoryLevel: InventoryLevel userErrors: [UserError!]! }}
type ProductSetPayload {{ product: Product userErrors: [ProductSetUserError!]! }}
type ProductVariantsBulkUpdatePayload {{ productVariants: [ProductVariant!]
  userErrors: [ProductVariantsBulkUpdateUserError!]! }}
type ProductVariantsBulkCreatePayload {{ productVariants: [ProductVariant!]
  userErrors: [ProductVariantsBulkCreateUserError!]! }}
type ProductOptionsCreatePayload {{ product: Product userErrors: [ProductOptionsCreateUserError!]! }}
type PriceListFixedPricesAddPayload {{ prices: [PriceListPrice!] userErrors: [PriceListPriceUserError!]! }}
type CustomerCreatePayload {{ customer: Customer userErrors: [UserError!]! }}
type CustomerUpdatePayload {{ customer: Customer userErrors: [UserError!]! }}
type FulfillmentCreatePayload {{ fulfillment: Fulfillment userErrors: [UserError!]! }}
type FulfillmentTrackingInfoUpdatePayload {{ fulfillment: Fulfillment userErrors: [UserError!]! }}
type FulfillmentOrderLineItemsPreparedForPickupPayload {{
  userErrors: [FulfillmentOrderLineItemsPreparedForPickupUserError!]! }}
type Job {{ id: ID! done: Boolean! }}
type OrderCancelPayload {{ job: Job orderCancelUserErrors: [OrderCancelUserError!]! userErrors: [UserError!]! }}
type RefundCreatePayload {{ order: Order refund: Refund userErrors: [UserError!]! }}
type WebhookSubscriptionCreatePayload {{ webhookSubscription: WebhookSubscription userErrors: [UserError!]! }}
type QueryRoot {{ shop: Shop! currentAppInstallation: AppInstallation! node(id: ID!): Node nodes(ids: [ID!]!): [Node]!
  locations({_PAGED}, includeInactive: Boolean, sortKey: LocationSortKeys): LocationConnection!
  products({_PAGED}, query: String, sortKey: ProductSortKeys): ProductConnection!
  productVariants({_PAGED}, query: String, sortKey: ProductVariantSortKeys): ProductVariantConnection!
  orders({_PAGED}, query: String, sortKey: OrderSortKeys): OrderConnection!
  customers({_PAGED}, query: String, sortKey: CustomerSortKeys): CustomerConnection!
  priceLists({_PAGED}, sortKey: PriceListSortKeys): PriceListConnection! priceList(id: ID!): PriceList
  product(id: ID!): Product productByIdentifier(identifier: ProductIdentifierInput!): Product
  customerByIdentifier(identifier: CustomerIdentifierInput!): Customer
  productsCount(limit: Int): Count productVariantsCount(limit: Int): Count customersCount(limit: Int): Count
  inventoryItems({_PAGED}): InventoryItemConnection! bulkOperation(id: ID!): BulkOperation
  webhookSubscriptions({_PAGED}, uri: String): WebhookSubscriptionConnection! }}
type Mutation {{ bulkOperationRunQuery(groupObjects: Boolean! = false, query: String!): BulkOperationRunQueryPayload
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  inventoryActivate(inventoryItemId: ID!, locationId: ID!, available: Int): InventoryActivatePayload
  productSet(identifier: ProductSetIdentifiers, input: ProductSetInput!, synchronous: Boolean): ProductSetPayload
  productVariantsBulkUpdate(productId: ID!, variants: [ProductVariantsBulkInput!]!, allowPartialUpdates: Boolean):
    ProductVariantsBulkUpdatePayload
  productVariantsBulkCreate(productId: ID!, variants: [ProductVariantsBulkInput!]!,
    strategy: ProductVariantsBulkCreateStrategy): ProductVariantsBulkCreatePayload
  productOptionsCreate(productId: ID!, options: [OptionCreateInput!]!,
    variantStrategy: ProductOptionCreateVariantStrategy): ProductOptionsCreatePayload
  priceListFixedPricesAdd(priceListId: ID!, prices: [PriceListPriceInput!]!): PriceListFixedPricesAddPayload
  customerCreate(input: CustomerInput!): CustomerCreatePayload
  customerUpdate(input: CustomerInput!): CustomerUpdatePayload
  fulfillmentCreate(fulfillment: FulfillmentInput!): FulfillmentCreatePayload
  fulfillmentTrackingInfoUpdate(fulfillmentId: ID!, trackingInfoInput: FulfillmentTrackingInput!,
    notifyCustomer: Boolean): FulfillmentTrackingInfoUpdatePayload
  fulfillmentOrderLineItemsPreparedForPickup(input: FulfillmentOrderLineItemsPreparedForPickupInput!):
    FulfillmentOrderLineItemsPreparedForPickupPayload
  orderCancel(orderId: ID!, reason: OrderCancelReason!, restock: Boolean!, refund: Boolean, notifyCustomer: Boolean,
    staffNote: String): OrderCancelPayload
  refundCreate(input: RefundInput!): RefundCreatePayload
  webhookSubscriptionCreate(topic: WebhookSubscriptionTopic!, webhookSubscription: WebhookSubscriptionInput!):
    WebhookSubscriptionCreatePayload }}
schema {{ query: QueryRoot mutation: Mutation }}
"""


@cache
def schema() -> GraphQLSchema:
    """The schema, built once."""
    return build_schema(SDL)

"""Gives a new Vendure a channel in tenge with 16 % VAT, two stock locations, a courier and payment on delivery.

``python vendure_setup.py URL USER PASSWORD`` prints ``{"key": …}``, an API key of its admin API. Everything goes
through the admin API, as a person would do it in Vendure's dashboard.
"""

import json
import sys
import urllib.request

url, user, password = sys.argv[1:]
head = {"content-type": "application/json"}


def ask(text: str, **variables: object) -> dict:
    """The answer's data; a session that a log-in opens is kept."""
    body = json.dumps({"query": text, "variables": variables}).encode()
    request = urllib.request.Request(url + "/admin-api", data=body, headers=head)
    with urllib.request.urlopen(request, timeout=60) as answer:
        if answer.headers.get("vendure-auth-token"):
            head["authorization"] = "Bearer " + answer.headers["vendure-auth-token"]
        found = json.load(answer)
    if found.get("errors"):
        raise SystemExit(f"{text}: {found['errors']}")
    return found["data"]


def named(name: str, **more: str) -> list:
    """The texts of something in the channel's language."""
    return [{"languageCode": "en", "name": name, **more}]


ask('mutation($u: String!, $p: String!) { login(username: $u, password: $p) { __typename } }', u=user, p=password)
country = ask("mutation($i: CreateCountryInput!) { made: createCountry(input: $i) { id } }",
              i={"code": "KZ", "enabled": True, "translations": named("Kazakhstan")})["made"]["id"]  # fmt: skip
zone = ask("mutation($i: CreateZoneInput!) { made: createZone(input: $i) { id } }",
           i={"name": "Kazakhstan", "memberIds": [country]})["made"]["id"]  # fmt: skip
goods = ask("mutation($i: CreateTaxCategoryInput!) { made: createTaxCategory(input: $i) { id } }",
            i={"name": "Goods", "isDefault": True})["made"]["id"]  # fmt: skip
ask("mutation($i: CreateTaxRateInput!) { createTaxRate(input: $i) { id } }",
    i={"name": "VAT", "enabled": True, "value": 16, "categoryId": goods, "zoneId": zone})  # fmt: skip
ask("mutation($i: UpdateChannelInput!) { updateChannel(input: $i) { __typename } }",
    i={"id": "1", "defaultCurrencyCode": "KZT", "availableCurrencyCodes": ["KZT"], "defaultTaxZoneId": zone,
       "defaultShippingZoneId": zone, "pricesIncludeTax": False})  # fmt: skip
place = "mutation($i: {0}StockLocationInput!) {{ {1}StockLocation(input: $i) {{ id }} }}"
ask(place.format("Update", "update"), i={"id": "1", "name": "Almaty WH"})
ask(place.format("Create", "create"), i={"name": "Almaty 1", "description": "Store Abay"})
ask("mutation($i: CreateShippingMethodInput!) { createShippingMethod(input: $i) { id } }",
    i={"code": "courier", "fulfillmentHandler": "manual-fulfillment",
       "translations": named("Courier", description=""),
       "checker": {"code": "default-shipping-eligibility-checker", "arguments": [
           {"name": "orderMinimum", "value": "0"}]},
       "calculator": {"code": "default-shipping-calculator", "arguments": [
           {"name": "rate", "value": "150000"}, {"name": "includesTax", "value": "exclude"},
           {"name": "taxRate", "value": "16"}]}})  # fmt: skip
ask("mutation($i: CreatePaymentMethodInput!) { createPaymentMethod(input: $i) { id } }",
    i={"code": "on-delivery", "enabled": True, "translations": named("On delivery", description=""),
       "handler": {"code": "dummy-payment-handler", "arguments": [{"name": "automaticSettle", "value": "false"}]}},
)  # fmt: skip
role = ask("mutation($i: CreateRoleInput!) { made: createRole(input: $i) { id } }",
           i={"code": "serai", "description": "Serai", "permissions": [
               "ReadStockLocation", "ReadCatalog", "CreateCatalog", "UpdateCatalog", "ReadCustomer", "CreateCustomer",
               "UpdateCustomer", "ReadOrder", "UpdateOrder", "ReadSettings"]})["made"]["id"]  # fmt: skip
key = ask("mutation($i: CreateApiKeyInput!) { made: createApiKey(input: $i) { apiKey } }",
          i={"roleIds": [role], "translations": named("Serai")})["made"]["apiKey"]  # fmt: skip
print(json.dumps({"key": key}))

"""Gives a new Medusa a region in tenge with 16 % VAT, a sales channel, two stock locations and a way to ship.

``python medusa_setup.py URL EMAIL PASSWORD`` prints ``{"key": …, "publishable": …}``, the keys of its admin and store
APIs. Everything goes through the admin API, as a person would do it in Medusa's admin.
"""

import json
import sys
import urllib.request

url, email, password = sys.argv[1:]
head = {"content-type": "application/json"}


def post(path: str, body: dict) -> dict:
    """The answer's document."""
    request = urllib.request.Request(url + path, data=json.dumps(body).encode(), headers=head)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def get(path: str) -> dict:
    """The answer's document."""
    with urllib.request.urlopen(urllib.request.Request(url + path, headers=head), timeout=60) as answer:
        return json.load(answer)


head["authorization"] = "Bearer " + post("/auth/user/emailpass", {"email": email, "password": password})["token"]
key = post("/admin/api-keys", {"title": "Serai", "type": "secret"})["api_key"]["token"]
publishable = post("/admin/api-keys", {"title": "Storefront", "type": "publishable"})["api_key"]

store = get("/admin/stores")["stores"][0]
channel = post("/admin/sales-channels", {"name": "Karavan Home"})["sales_channel"]["id"]
post(f"/admin/api-keys/{publishable['id']}/sales-channels", {"add": [channel]})
post(f"/admin/stores/{store['id']}", {
    "name": "Karavan Home", "default_sales_channel_id": channel,
    "supported_currencies": [{"currency_code": "kzt", "is_default": True}],
})  # fmt: skip
post("/admin/regions", {"name": "Kazakhstan", "currency_code": "kzt", "countries": ["kz"],
                        "payment_providers": ["pp_system_default"], "automatic_taxes": True})  # fmt: skip
post("/admin/tax-regions", {"country_code": "kz", "provider_id": "tp_system", "default_tax_rate": {
    "name": "VAT", "code": "VAT16", "rate": 16}})  # fmt: skip

profiles = get("/admin/shipping-profiles")["shipping_profiles"]
if not profiles:
    profiles = [post("/admin/shipping-profiles", {"name": "Goods", "type": "default"})["shipping_profile"]]
for code, name in (("almaty-wh", "Warehouse Almaty"), ("almaty-1", "Store Abay")):
    place = post("/admin/stock-locations", {
        "name": name, "metadata": {"code": code},
        "address": {"address_1": "Abay Ave 1", "city": "Almaty", "country_code": "kz"},
    })["stock_location"]["id"]  # fmt: skip
    post(f"/admin/stock-locations/{place}/sales-channels", {"add": [channel]})
    post(f"/admin/stock-locations/{place}/fulfillment-providers", {"add": ["manual_manual"]})
    if code != "almaty-wh":
        continue
    post(f"/admin/stock-locations/{place}/fulfillment-sets", {"name": "Courier", "type": "shipping"})
    sets = get(f"/admin/stock-locations/{place}?fields=*fulfillment_sets")["stock_location"]["fulfillment_sets"]
    zone = post(f"/admin/fulfillment-sets/{sets[0]['id']}/service-zones", {
        "name": "Kazakhstan", "geo_zones": [{"type": "country", "country_code": "kz"}],
    })["fulfillment_set"]["service_zones"][0]["id"]  # fmt: skip
    post("/admin/shipping-options", {
        "name": "Courier", "service_zone_id": zone, "shipping_profile_id": profiles[0]["id"],
        "provider_id": "manual_manual",
        "price_type": "flat", "type": {"label": "Courier", "description": "to the door", "code": "courier"},
        "prices": [{"currency_code": "kzt", "amount": 1500}],
        "rules": [{"attribute": "enabled_in_store", "value": "true", "operator": "eq"},
                  {"attribute": "is_return", "value": "false", "operator": "eq"}],
    })  # fmt: skip
print(json.dumps({"key": key, "publishable": publishable["token"]}))

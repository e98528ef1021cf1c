"""What `serai new` starts from: the texts of a project, a private platform and its first mapping."""

from __future__ import annotations

DESCRIPTION = """\
# How the system behind {name} is spoken to; every key is explained in connectors/README.md.
auth: {{scheme: bearer, token: token}}   # the channel's secret `token` (channels.yaml: secrets: {{token: env:…}})
check: GET /ping                       # one cheap call that needs the credentials
resources:
  products: {{path: /products, items: products, id: id, updated: updated_at, since: updated_since, paging: cursor,
             paging_options: {{param: after, next: next_cursor}}, create: POST /products,
             update: "PATCH /products/{{id}}"}}
"""
FORMS = """\
# How this platform writes things; a mapping file may say otherwise.
moment: {zone: UTC}
quantity: {unit: each}
"""
PRODUCTS = """\
platform: {name}
resource: products
inward:
  product:
    code: code
    name: title
    description: description
    status: {{from: active, table: {{true: active, false: archived}}}}
outward:
  entity: product
  fields:
    code: code
    title: name
    description: description
    active: = status == 'active'
tests:
  - name: a code stays text, no description is a covered null
    given: {{id: "1", code: "007", title: Kettle, description: null, active: true}}
    expect: {{product: {{id: "1", code: "007", name: Kettle, description: null, status: active}}}}
  - name: a code of zero is a code, what the document does not say stays as it is
    given: {{id: "2", code: "0", title: Cup, active: false}}
    expect: {{product: {{code: "0", status: archived}}}}
    absent: {{product: [description]}}
  - name: an archived product goes out as inactive
    direction: outward
    given: {{uid: p1, code: "007", name: Kettle, description: null, status: archived}}
    expect: {{code: "007", title: Kettle, description: null, active: false}}
"""
PRODUCT_SCHEMA = {
    "type": "object", "required": ["id", "code", "title", "active"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "readOnly": True}, "code": {"type": "string", "minLength": 1},
        "title": {"type": "string"}, "description": {"type": ["string", "null"]}, "active": {"type": "boolean"},
    },
}
PROJECT = {
    "companies.yaml": ("companies", """\
# Legal entities. Currency, tax rate, price list and the home country of telephone numbers follow from the company.
kz: {name: My Company, country: KZ, currency: KZT, tax: 0.16, price_list: retail, zone: Asia/Almaty}
"""),
    "channels.yaml": ("channels", """\
# Every account of every system. `entities`: what it carries and the first mode of each (off, shadow, canary, on);
# `receives`: what is written to it. Addresses and secrets are references, looked up when they are used.
erp-kz:
  platform: sandbox_erp
  company: kz
  url: env:SERAI_ERP_URL
  secrets: {token: env:SERAI_ERP_TOKEN, hook_secret: env:SERAI_ERP_HOOK_SECRET}
  entities: {location: on, product: on, variant: on, stock: on, price: on}
  every: 5m

shop-kz:
  platform: sandbox_shop
  company: kz
  url: env:SERAI_SHOP_URL
  secrets: {token: env:SERAI_SHOP_TOKEN, hook_secret: env:SERAI_SHOP_HOOK_SECRET}
  entities: {product: shadow, variant: shadow, stock: shadow, price: shadow}
  receives: [product, variant, stock, price]
  every: 5m
"""),
    "authority.yaml": ("authority", """\
# Which channel decides a field: the first in the list that says something of it; `newest`; or `origin`.
location: {'*': [erp-kz]}
product: {'*': [erp-kz], description: [shop-kz, erp-kz]}
variant: {'*': [erp-kz]}
stock: {'*': [erp-kz]}
price: {'*': [erp-kz]}
"""),
    "policies/stock.yaml": ("stock", """\
# What the figures of a channel that decides stock mean, and who gives back what is cancelled there.
sources: {erp-kz: {figure: on_hand, restocks: source}}
# What a channel may show of a location's free stock. A location's shares add up to at most 1.
shop-kz: {locations: [almaty-wh], share: 0.6, safety: 1}
"""),
    "mappings/sandbox_shop/products.yaml": ("mapping", """\
# What this retailer says otherwise than the mapping that comes with Serai: the rows here, and nothing else.
platform: sandbox_shop
resource: products
extends: sandbox_shop/products
inward:
  product:
    brand: {from: vendor, default: = context.company.name}
tests:
  - name: what has no vendor is our own brand
    given: {id: "7001", handle: KTL-101, title: Kettle, vendor: "", published: true}
    expect: {product: {brand: Test}}
  - name: a vendor stays
    given: {id: "7002", handle: "0", title: Cup, vendor: Karavan, published: false}
    expect: {product: {code: "0", brand: Karavan, status: archived}}
"""),
}
README = """\
# A retailer on Serai

| file | what it says |
|---|---|
| `companies.yaml`, `channels.yaml` | legal entities; the accounts of every system |
| `authority.yaml` | which channel decides a field |
| `policies/` | what each channel may show |
| `platforms/` | private REST systems, described |
| `mappings/` | what this retailer's documents mean where it differs from the mappings that come with Serai |
| `schemas/` | for editors; `serai schema --to schemas` renews them |

Check it: `serai --project . lint`, `serai --project . test`.

The two channels are simulated systems. `python -m deployments.sandbox`, started in Serai's folder, prints where they
are as lines to paste into a shell; then `serai --project . survey` says what is wrong today, and
`serai --project . try sandbox_shop/products --channel shop-kz --id ID` shows one document with what becomes of it.
"""

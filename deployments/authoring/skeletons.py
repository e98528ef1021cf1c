"""What `serai new` starts from: the texts of a project, a platform, its simulator and its first mapping."""

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
PUBLISHED = '''\
"""{title} for the contract suite: its own OpenAPI files answer, on {resource}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tests.contract.published import PublishedSubject


class {title}(PublishedSubject):
    """What the vendor does not offer stands in `lacks`, with the reason."""

    platform, resource = "{name}", "{resource}"
    files = ({files})
    lacks: ClassVar[Mapping[str, str]] = {{
        {lacks}"notices": "not described yet", "reference": "not described yet", "delete": "an article is archived",
    }}  # fmt: skip


SUBJECTS = [{title}()]
'''
CONNECTOR = '''\
"""{title}: what surprises here, each with the date and the version it was seen on, or the page that says so.

* Nothing yet: this is where the skeleton ends and {title} begins.
"""

from __future__ import annotations

from connectors.base import Resource
from connectors.rest import Rest
from connectors.verified import Verified

RESOURCES = {{
    "products": Resource(
        path="/products", items="products", updated="updated_at", since="updated_since", paging="page",
        paging_options={{"pages": "pages"}}, create="POST /products", update="PATCH /products/{{id}}",
        reference="reference", reference_field="reference",
    ),
}}  # fmt: skip
BEARER = {{"scheme": "bearer", "token": "token"}}


class {title}(Rest):
    """One account of {title}; the secret ``token`` goes with each request."""

    platform = "{name}"
    verified = Verified(when="never yet", simulator="the one that it was started with")
    auth = BEARER
    check_path = "GET /ping"
    resources = RESOURCES
'''
SIMULATOR = '''\
"""{title} as far as its products go: a token, pages, a filter for changes, refusals in its own words.

What surprises here: it refuses query parameters it does not know, so that a misspelt filter is not a full scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from connectors.base import Connector, Doc
from tests.contract.harness import Call, Reply, Simulator, Subject

TOKEN = "tok-2f61c0d9"
KNOWN = {{"page", "limit", "updated_since", "reference"}}


class Shop(Simulator):
    """The books: products by id."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Doc] = {{}}
        self.now = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

    def put(self, doc: Doc, at: datetime, id: str | None = None) -> Doc:
        """The product as it stands in the books from now on."""
        id = f"p{{len(self.rows) + 1:03d}}" if id is None else id
        self.rows[id] = {{**self.rows.get(id, {{}}), **doc, "id": id, "updated_at": at.astimezone(UTC).isoformat()}}
        return self.rows[id]

    def handle(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {{TOKEN}}":
            return _refused(401, "who are you")
        if call.path == "/ping":
            return Reply(body={{"ok": True}})
        id = call.path.removeprefix("/products").strip("/")
        if not call.path.startswith("/products") or (id and id not in self.rows):
            return _refused(404, "there is none")
        if call.method == "GET":
            return Reply(body=self.rows[id]) if id else self._page(call.query)
        if not id and not call.json.get("title"):
            return _refused(422, "a product needs a title; ask ops@shop.example")
        return Reply(body=self.put(call.json, self.now, id or None))

    def _page(self, query: Mapping[str, str]) -> Reply:
        if odd := set(query) - KNOWN:
            return _refused(400, f"unknown parameter {{min(odd)}}")
        rows = list(self.rows.values())
        if "reference" in query:
            rows = [row for row in rows if row.get("reference") == query["reference"]]
        if "updated_since" in query:
            since = datetime.fromisoformat(query["updated_since"])
            rows = [row for row in rows if datetime.fromisoformat(row["updated_at"]) >= since]
        size, page = int(query["limit"]), int(query["page"])
        return Reply(body={{"products": rows[size * (page - 1) : size * page], "pages": -(-len(rows) // size)}})


def _refused(status: int, message: str) -> Reply:
    return Reply(status=status, body={{"error": {{"message": message}}}})


class Products(Subject):
    """The connector in front of it, in pages of three."""

    name = platform = "{name}"
    resource = "products"
    secrets: ClassVar[Mapping[str, str]] = {{"token": TOKEN}}
    lacks: ClassVar[Mapping[str, str]] = {{"notices": "not written yet", "delete": "a product is archived"}}
    exact: ClassVar[Mapping[str, Any]] = {{
        "zero": 0, "empty": "", "no": False, "nothing": None, "none_of": [], "code": "007", "power": "1E5",
        "price": Decimal("0.10"), "large": 2**53 + 1,
    }}  # fmt: skip

    def simulator(self) -> Shop:
        return Shop()

    def connect(self, simulator: Simulator, **given: Any) -> Connector:
        found = super().connect(simulator, **given)
        found.resources = {{name: replace(facts, page_size=3) for name, facts in found.resources.items()}}
        return found

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        assert isinstance(simulator, Shop)
        return [str(simulator.put({{"title": f"seeded {{n}}"}}, at)["id"]) for n, at in enumerate(stamps)]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        assert isinstance(simulator, Shop)
        simulator.put({{}}, at, id)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        assert isinstance(simulator, Shop)
        return simulator.rows

    def creation(self, number: int) -> Doc:
        return {{"title": f"new {{number}}"}}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {{"title": f"changed {{number}}"}}

    def bad(self) -> Doc:
        return {{"title": ""}}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {{"title": "exact", **values}}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {{name: doc[name] for name in self.exact}}


SUBJECTS = [Products()]
'''
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

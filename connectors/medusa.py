"""Medusa 2 over its admin API: articles, stock and prices into a shop, its orders and customers out of it.

What surprises here (seen on Medusa 2.21.2, November 2026):

* Lists page by offset; sorted by id (which grows with time) and with deleted rows shown, an offset stays true while
  rows change. Orders and customers also take ``id[$gt]``. Two sort keys are a 500; an unknown parameter is a 400,
  except on products, which ignore it silently.
* A stock level moves no stamp that can be asked for (inventory refuses ``updated_at``): every read is a full scan.
  A price moves its variant's stamp, a fulfilment its order's; a payment does not move its order's.
* ``stocked_quantity`` includes what Medusa itself has reserved for orders. What may still be sold is stocked −
  reserved, so that is what a stock document says and what is written: what is reserved for orders is added here. What
  the shop's people set aside by hand (a reservation without a line) is not: the storefront shows so many fewer. The
  answer to a write repeats the *old* ``available_quantity``.
* A batch is all or nothing, and its refusal names one reason: halves are sent until the bad one stands alone (P6). Its
  answer holds what it created in any order: each is known by the reference that was sent with it.
  Prices and variants have a batch per product only.
* A product must be created with options, a variant with a value of each; a value must exist before (since 2.16 on a
  route of its own). Ours is ``Article``, and its values are SKUs. ``prices`` of a variant are replaced as a whole.
* Amounts are major units, with tax or without by the region's preference (none: without, tax is added).
* A label wants ``tracking_url`` and ``label_url``; empty text will do. A fulfilment takes stock, a second one for the
  same goods is refused, but only while none is left to fulfil: we look for ours first (P2).
* A guest's e-mail is stored in lower case on the customer, as typed on the order. There are no outbound webhooks.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import quote

from msgspec import structs

from connectors.answers import AWAY, Answer, Unsure, encoded, masked
from connectors.auth import secret
from connectors.base import Doc, Receipt, Resource, Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.medusa_facts import (
    FULFILMENTS,
    KEY,
    LEVELS,
    OPTION,
    RESOURCES,
    adjusted,
    fulfilment_doc,
    fulfilment_of,
    level_doc,
    level_docs,
    level_id,
    paired,
    parted,
    price_docs,
    price_id,
)
from connectors.medusa_lists import ROUTE, PriceLists, list_of, listed_docs
from connectors.paging import Position
from connectors.rest import Rest
from connectors.verified import Verified
from connectors.writes import NOT_FOUND, in_order, judged, settled

_Sender: TypeAlias = Callable[[Resource, Sequence[Write]], Mapping[str, Doc]]
"""Writes that go in one call → the documents Medusa then holds, by key."""


class Medusa(Rest):
    """One Medusa shop. ``url`` is the server's address, the secret ``key`` a secret API key of its admin.

    Options: ``page_size`` (200), ``lag`` (60), ``sales_channel`` and ``shipping_profile`` (ids; else the store's
    default and the first there is).
    """

    platform = "medusa"
    verified = Verified(
        when="2026-11", contract="OpenAPI of 2.0: customers and price lists in full, else paths and parameters",
        simulator="of what 2.21.2 does with customers and price lists", real="Medusa 2.21.2",
    )
    resources = RESOURCES
    auth: Mapping[str, str] = {"scheme": "basic_key", "token": "key"}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = adjusted(RESOURCES, self.options)
        self._own: Doc | None = None
        self._lists = PriceLists(self._ask, self._change)

    def proof(self, refused: str | None = None) -> Mapping[str, str]:
        """Basic, with the key as the user and no password."""
        key = self._named(lambda: secret(self.auth, "token", self.ports))
        return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}

    def clean(self, text: str) -> str:
        """What Medusa said, without the key, which is not what goes over the wire."""
        return masked(super().clean(text), (self.ports.secrets.get("key"),))

    def check(self) -> None:
        """Reads the store, which also tells where new products are sold."""
        self._home()

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def documents(self, facts: Resource, answer: Answer) -> Sequence[Doc]:
        """The list in an answer; stock is a document per level, prices one per currency, shipments per fulfilment."""
        rows = super().documents(facts, answer)
        if facts.params.get("fields") == LEVELS:
            return [found for item in rows for found in level_docs(item)]
        if facts.path == ROUTE:
            return [price for found in rows for price in listed_docs(found)]
        if "*prices" in facts.params.get("fields", ""):
            return [price for variant in rows for price in price_docs(variant)]
        if facts.create == "POST fulfillments":
            return [fulfilment_doc(order, part) for order in rows for part in order.get("fulfillments") or []]
        return rows

    def following(self, facts: Resource, position: Position, answer: Answer, docs: Sequence[Doc]) -> Position | None:
        """The position after an answer, counted in the rows of the list, not in the documents made of them."""
        return super().following(facts, position, answer, super().documents(facts, answer))

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: Medusa has no such document, or no longer."""
        facts, found = self.facts(resource), dict[str, Doc | None].fromkeys(ids)
        if resource in ("prices", "price_lists"):
            found |= PriceLists(self._ask, self._change).held(ids)
            ids = [id for id in found if list_of(id) is None and resource == "prices"]
        heads = list(dict.fromkeys(id.partition("@")[0] for id in ids))
        for start in range(0, len(heads), 50):
            for doc in self._by("id", facts, heads[start : start + 50]):
                if str(doc["id"]) in found and doc.get("deleted_at") is None:
                    found[str(doc["id"])] = doc
        return found

    def _by(self, parameter: str, facts: Resource, values: Sequence[str]) -> Sequence[Doc]:
        """The documents whose parameter is one of at most 50 values."""
        terms = enumerate(quote(value, safe="") for value in values)
        query = "&".join(f"{parameter}%5B{place}%5D={value}" for place, value in terms)
        params = {"limit": "200", "fields": facts.params["fields"]}
        return self.documents(facts, self.call("GET", f"{facts.path}?{query}", params=params))

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        facts, self._lists = self.facts(resource), PriceLists(self._ask, self._change)
        senders: Mapping[str, _Sender] = {
            "products": self._send_products,
            "variants": self._send_variants,
            "prices": self._send_prices,
            "stock": self._send_stock,
            "customers": self._send_customer,
            "shipments": self._send_shipment,
        }
        send = senders.get(resource)
        parts = parted(facts, writes)[::-1]
        while parts:
            part = parts.pop()
            if send is None or (resource != "prices" and any(write.op == "delete" for write in part)):
                raise Misconfigured(f"{self.channel}: {resource} takes no {part[0].op}; archive with an update instead")
            receipts = self._sent(facts, part, send)
            if receipts is None:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
                continue
            yield from in_order(part, receipts)
            if parts and any(receipt.outcome == "unknown" for receipt in receipts.values()):
                raise RetryLater(
                    f"{self.channel}: {facts.path}: Medusa is in trouble; the rest was not sent", after=AWAY
                )

    def _sent(self, facts: Resource, part: Sequence[Write], send: _Sender) -> Mapping[str, Receipt] | None:
        """Receipts by key of writes that go together; None: refused as a whole, so that halves may be sent."""
        try:
            again = [
                write for write in part
                if write.op == "create" and write.attempt > 1 and facts.reference_field is not None
            ]
            looked = {write.key: self.by_reference(facts, write) for write in again}
            found = {key: receipt for key, receipt in looked.items() if receipt.outcome == "applied"}
            fresh = [write for write in part if write.key not in found]
            docs = send(facts, fresh) if fresh else {}
        except _RefusedError as fault:
            if len(part) > 1:
                return None
            return {part[0].key: judged(facts, part[0], fault.answer.status, fault.answer.body, self.clean)}
        except ValueError as fault:
            if len(part) > 1:
                return None
            return {part[0].key: Receipt(outcome="rejected", id=part[0].id, detail=f"{self.channel}: {fault}")}
        except (Unsure, ShapeChanged) as fault:
            return {write.key: Receipt(outcome="unknown", id=write.id, detail=str(fault)) for write in part}
        gone = {write.key for write in part if write.op == "delete"}
        return found | {
            key: Receipt(outcome="applied", id=str(doc["id"]), doc=None if key in gone else doc)
            for key, doc in docs.items()
        }

    def _post(self, facts: Resource, path: str, body: Doc) -> Doc:
        """What Medusa answers to a POST, with the resource's fields; raises _RefusedError on 4xx."""
        return self._change("POST", path, facts.params["fields"], body)

    def _change(self, method: str, path: str, fields: str = "", body: Doc | None = None) -> Doc:
        """What Medusa answers to a call that changes something, with these fields; raises _RefusedError on 4xx."""
        sent = None if body is None else encoded(body)
        answer = self.exchange(method, path, params={"fields": fields} if fields else {}, body=sent)
        if not answer.ok:
            raise _RefusedError(answer)
        if not isinstance(answer.body, dict):
            raise ShapeChanged(f"{self.channel}: {method} {path}: the answer is no object")
        return answer.body

    def _ask(self, path: str, **params: str) -> Doc:
        """What Medusa answers to a GET that prepares a write; its failure means that nothing was sent."""
        try:
            body = self.call("GET", path, params=params).body
        except Unsure as fault:
            problem = RetryLater(str(fault), after=fault.after)
        else:
            return body if isinstance(body, dict) else {}
        raise problem

    def _home(self) -> Doc:
        """What every new product gets: where it is sold and how it ships."""
        if self._own is None:
            store = self._ask("/admin/stores", fields="default_sales_channel_id")["stores"][0]
            profiles = self._ask("/admin/shipping-profiles", fields="id", order="created_at")["shipping_profiles"]
            channel = self.options.get("sales_channel", store["default_sales_channel_id"])
            profile = self.options.get("shipping_profile", profiles[0]["id"] if profiles else None)
            self._own = {"sales_channels": [{"id": channel}], "shipping_profile_id": profile,
                         "options": [{"title": OPTION, "values": []}]}  # fmt: skip
        return self._own

    def _send_products(self, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Doc]:
        new = [write for write in writes if write.op == "create"]
        old = [write for write in writes if write.op == "update"]
        body = {
            "create": [{**self._home(), "external_id": write.key, **write.doc} for write in new],
            "update": [{"id": write.id, **write.doc} for write in old],
        }
        answer = self._post(facts, "/admin/products/batch", body)
        return paired(new, old, answer, lambda doc: doc["external_id"], [row["external_id"] for row in body["create"]])

    def _send_variants(self, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Doc]:
        product = str(writes[0].doc["product_id"])
        new = [write for write in writes if write.op == "create"]
        old = [write for write in writes if write.op == "update"]
        if new:
            self._offer(product, [write.doc["sku"] for write in new])
        shape = [{name: value for name, value in write.doc.items() if name != "product_id"} for write in [*new, *old]]
        keys = [{KEY: write.key} for write in new]
        created = [
            {"prices": [], "options": {OPTION: doc["sku"]}, **doc, "metadata": {**(doc.get("metadata") or {}), **key}}
            for doc, key in zip(shape, keys, strict=False)
        ]
        updated = [{"id": write.id, **doc} for write, doc in zip(old, shape[len(new) :], strict=True)]
        body = {"create": created, "update": updated}
        answer = self._post(facts, f"/admin/products/{product}/variants/batch", body)
        return paired(new, old, answer, lambda doc: (doc["metadata"] or {}).get(KEY), [write.key for write in new])

    def _offer(self, product: str, skus: Sequence[str]) -> None:
        """Afterwards the product's own option has a value for each of these SKUs."""
        found = self._ask(f"/admin/products/{product}", fields="id,*options,*options.values")["product"]["options"]
        option = next((option for option in found if option["title"] == OPTION), None)
        there = set() if option is None else {value["value"] for value in option["values"]}
        lacking = [sku for sku in dict.fromkeys(skus) if sku not in there]
        if option is None:
            body: Doc = {"add": [{"title": OPTION, "values": lacking}]}
        else:
            body = {"update": [{"product_option_id": option["id"], "add": [{"value": sku} for sku in lacking]}]}
        if lacking:
            self._change("POST", f"/admin/products/{product}/options/batch", body=body)

    def _send_prices(self, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Doc]:
        if (listed := self._lists.write(writes)) is not None:
            return listed
        product = str(writes[0].doc["product_id"])
        update = [
            {"id": write.doc["variant_id"],
             "prices": [{"currency_code": write.doc["currency_code"], "amount": write.doc["amount"]}]}
            for write in writes
        ]  # fmt: skip
        answer = self._post(facts, f"/admin/products/{product}/variants/batch", {"update": update})
        held = {
            price["id"]: price
            for variant in answer["updated"]
            for price in price_docs({"product_id": product, **variant})
        }
        self._lists.leave(writes, {})
        return {write.key: held[price_id(write.doc)] for write in writes}

    def _send_stock(self, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Doc]:
        items = list(dict.fromkeys(str(write.doc["inventory_item_id"]) for write in writes))
        held = {str(level["id"]): level for level in self._known(facts, items)}
        promised = {id: Decimal(level["reserved_quantity"]) for id, level in held.items()}
        for id, quantity in self._set_aside([id.partition("@")[0] for id in promised if promised[id] > 0]):
            promised[id] -= quantity
        body: dict[str, list[Doc]] = {"create": [], "update": []}
        for write in writes:
            level = held.get(level_id(write.doc))
            stocked = Decimal(write.doc["available_quantity"]) + promised.get(level_id(write.doc), 0)
            row = {name: write.doc[name] for name in ("inventory_item_id", "location_id")} | {
                "stocked_quantity": stocked
            }
            if level is None or Decimal(level["stocked_quantity"]) != stocked:
                body["create" if level is None else "update"].append(row)
        if body["create"] or body["update"]:
            answer = self._post(
                replace(facts, params={"fields": "*"}), "/admin/inventory-items/location-levels/batch", body
            )
            held |= {found["id"]: found for found in map(level_doc, [*answer["created"], *answer["updated"]])}
        return {write.key: held[level_id(write.doc)] for write in writes}

    def _set_aside(self, items: Sequence[str]) -> Iterator[tuple[str, Decimal]]:
        """The places where the shop's people reserved something without an order, and how much each time."""
        for item in dict.fromkeys(items):
            found, wanted = 0, {"inventory_item_id": item, "limit": "200", "order": "id"}
            while rows := self._ask("/admin/reservations", **wanted, offset=str(found))["reservations"]:
                found += len(rows)
                yield from ((level_id(row), Decimal(row["quantity"])) for row in rows if row["line_item_id"] is None)

    def _known(self, facts: Resource, items: Sequence[str]) -> Sequence[Doc]:
        try:
            return [
                doc for start in range(0, len(items), 50) for doc in self._by("id", facts, items[start : start + 50])
            ]
        except Unsure as fault:
            problem = RetryLater(str(fault), after=fault.after)
        raise problem

    def _send_customer(self, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Doc]:
        (write,) = writes
        own = {"metadata": {**(write.doc.get("metadata") or {}), KEY: write.key}} if write.op == "create" else {}
        path = "/admin/customers" if write.id is None else f"/admin/customers/{quote(write.id, safe='')}"
        doc: Doc = self._post(facts, path, {**write.doc, **own})["customer"]
        return {write.key: doc}

    def _send_shipment(self, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Doc]:
        """A fulfilment, found by our reference or created, then marked as shipped with its tracking number."""
        (write,) = writes
        if write.op == "update":
            raise ValueError("what has been shipped cannot be changed in Medusa; cancel the fulfilment there")
        order = quote(str(write.doc["order_id"]), safe="")
        found = self._shipment_of(write)
        if found is None:
            items = write.doc.get("items") or self._unfulfilled(order)
            body = {"items": items, "location_id": write.doc.get("location_id"),
                    "metadata": {**(write.doc.get("metadata") or {}), KEY: write.key}}  # fmt: skip
            answer = self._post(facts, f"/admin/orders/{order}/fulfillments", body)["order"]
            found = fulfilment_of(answer, write.key)
        if found is not None and found["shipped_at"] is None:
            number = write.doc.get("tracking_number")
            labels = [] if number is None else [{"tracking_number": number, "tracking_url": "", "label_url": ""}]
            items = [{"id": item["line_item_id"], "quantity": item["quantity"]} for item in found["items"]]
            path = f"/admin/orders/{order}/fulfillments/{found['id'].partition('@')[2]}/shipments"
            found = fulfilment_of(self._post(facts, path, {"items": items, "labels": labels})["order"], write.key)
        if found is None:
            raise ShapeChanged(f"{self.channel}: the answer does not hold the fulfilment that was made")
        return {write.key: found}

    def _shipment_of(self, write: Write) -> Doc | None:
        order = self._ask(
            f"/admin/orders/{quote(str(write.doc['order_id']), safe='')}", fields=f"id,updated_at,{FULFILMENTS}"
        )
        return fulfilment_of(order["order"], write.key)

    def _unfulfilled(self, order: str) -> list[Doc]:
        items = self._ask(f"/admin/orders/{order}", fields="*items")["order"]["items"]
        left = [(item["id"], item["quantity"] - item["detail"]["fulfilled_quantity"]) for item in items]
        return [{"id": id, "quantity": quantity} for id, quantity in left if quantity > 0]

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """By our reference; a stock level and a price by the place that their documents name."""
        facts = self.facts(resource)
        places = {"prices": price_id, "stock": level_id}.get(resource)
        ids = {write.key: write.id if places is None or write.op == "delete" else places(write.doc) for write in writes}
        held = self.fetch(resource, [id for id in ids.values() if id is not None])
        for write in writes:
            id = ids[write.key]
            if resource == "prices" and write.op != "delete":       # its list is looked at whenever it is written
                write = structs.replace(write, doc={"amount": write.doc["amount"]})
            yield self.by_reference(facts, write) if id is None else settled(facts, write, held[id])

    def by_reference(self, facts: Resource, write: Write) -> Receipt:
        """What became of a create: by SKU, e-mail, order or external id, if the document found carries our key."""
        if facts.create == "POST fulfillments":
            found = self._shipment_of(write)
            docs = [] if found is None or found["shipped_at"] is None else [found]
        elif facts.reference == "external_id":
            docs = [doc for doc in self._by("external_id", facts, [str(write.doc.get("external_id", write.key))])]
        else:
            name, value = str(facts.reference), str(write.doc[str(facts.reference)])
            values = list(dict.fromkeys((value, value.lower()) if name == "email" else (value,)))
            docs = [doc for doc in self._by(name, facts, values) if (doc.get("metadata") or {}).get(KEY) == write.key]
        if not docs:
            return Receipt(outcome="rejected", detail=NOT_FOUND + "no document carries our reference")
        return Receipt(outcome="applied", id=str(docs[0]["id"]), doc=docs[0])


class _RefusedError(Exception):
    """Medusa answered 4xx: nothing of the call was done."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer

"""Medusa's price lists: prices for a time, for a group of customers, reduced, or from so many pieces on.

What surprises here (seen on Medusa 2.21.2, November 2026):

* A batch that creates a price for a place which has one makes a second one, and the cheaper is sold at: what a list
  holds is read before it is written, so that a write that nobody answered, sent again, doubles nothing (P2).
* Nothing on a price can carry our reference; on a list ``metadata`` can. So a price is known by its *place*: variant,
  currency, from how many pieces on, and the reference of its list, which says for whom and when. Lists without our
  reference are the shop's own: they are read as such and never written.
* Prices of a list move no stamp, neither the list's nor the variant's, and cannot be asked for by variant.
* Of several lists that hold, one for a group goes first, then the lowest amount; ``ends_at`` is the last moment at
  which it holds. A list without rules is for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from connectors.base import Doc, Write

REFERENCE: Final = "serai_list"
"""Where our name of a list stands in its ``metadata``."""
GROUPS: Final = "customer.groups.id"
ROUTE: Final = "/admin/price-lists"
LIST: Final = "id,title,type,status,starts_at,ends_at,metadata,price_list_rules.attribute,price_list_rules.value"
READ: Final = LIST + "".join(
    f",prices.{name}" for name in ("id", "amount", "currency_code", "min_quantity", "max_quantity", "deleted_at",
                                   "price_set.variant.id", "price_rules.attribute", "price_rules.value")
)  # fmt: skip
PRICE: Final = "id,amount,currency_code,min_quantity,max_quantity,deleted_at,price_set.variant.id,price_rules.attribute"
BATCH: Final = 200
PAGE: Final = 1_000


def place_of(doc: Doc) -> str:
    """By what a price of a list is known."""
    least = doc.get("min_quantity")
    pieces = "" if least is None else f"{Decimal(least).normalize():f}"
    return "@".join((doc["variant_id"], doc["currency_code"], pieces, doc["price_list"]))


def list_of(id: str | None) -> str | None:
    """The reference of the list in a price's id; None: it is no price of a list."""
    parts = [] if id is None else id.split("@", 3)
    return parts[3] if len(parts) == 4 else None


def listed_docs(row: Doc) -> list[Doc]:
    """The prices of a list as it was read, a document each; those of the shop's own lists are under Medusa's id."""
    if row.get("deleted_at") is not None:
        return []
    found: dict[str, Doc] = {}
    for price in row.get("prices") or []:
        if price.get("deleted_at") is None and price.get("variant_id") is not None:
            ours = _reference(row) if not price.get("rules") and price.get("max_quantity") is None else None
            doc = {
                "variant_id": price["variant_id"], "currency_code": price["currency_code"], "amount": price["amount"],
                "min_quantity": price.get("min_quantity"), "price_list": ours,
                **{name: row[name] for name in ("title", "type", "starts_at", "ends_at")},
                "customer_group": _group(row),
            }  # fmt: skip
            id = str(price["id"]) if ours is None else place_of(doc)
            found[id] = {"id": id, **doc}
    return list(found.values())


class PriceLists:
    """Our price lists as one page of writes finds and leaves them; what it has read counts for that page only."""

    def __init__(self, ask: Callable[..., Doc], change: Callable[..., Doc]) -> None:
        self._ask, self._change = ask, change
        self._rows: dict[str, list[Doc]] | None = None
        self._prices: dict[str, list[Doc]] = {}

    def held(self, ids: Iterable[str]) -> dict[str, Doc]:
        """The documents of these places that there are."""
        wanted = set(ids)
        references = {reference for id in wanted if (reference := list_of(id)) is not None}
        docs = [doc for reference in sorted(references) for row in self._of(reference)
                for doc in listed_docs({**row, "prices": self._in(row)})]  # fmt: skip
        return {doc["id"]: doc for doc in docs if doc["id"] in wanted}

    def write(self, writes: Sequence[Write]) -> Mapping[str, Doc] | None:
        """The documents of prices that were put into their list or taken back; None: these are usual prices.

        A usual price is not taken away: goods without one cannot be sold.
        """
        if writes[0].op == "delete":
            self.take(str(write.id) for write in writes)
            return {write.key: {"id": write.id} for write in writes}
        if writes[0].doc.get("price_list") is None:
            return None
        found = self.put(writes)
        self.leave(writes, found)
        return found

    def leave(self, writes: Sequence[Write], held: Mapping[str, Doc]) -> None:
        """Afterwards what stands elsewhere now (``held``, by key; else as a usual price) is in no list of before."""
        self.take(
            write.id for write in writes
            if write.id is not None and (write.key not in held or held[write.key]["id"] != write.id)
        )

    def put(self, writes: Sequence[Write]) -> Mapping[str, Doc]:
        """Afterwards the list that these documents name is as they say and holds each of their prices once."""
        wanted = writes[0].doc
        places = {write.key: place_of(write.doc) for write in writes}
        row, *others = self._of(wanted["price_list"]) or [self._made(wanted)]
        self._shaped(row, wanted)
        there = self._at_places(row)
        body: dict[str, list[Any]] = {"create": [], "update": [], "delete": []}
        for write in writes:
            held = there.get(places[write.key], [])
            body["delete"] += [price["id"] for price in held[1:]]
            price = {name: write.doc[name] for name in ("variant_id", "currency_code", "amount")}
            if write.doc.get("min_quantity") is not None:
                price["min_quantity"] = write.doc["min_quantity"]
            if not held:
                body["create"].append(price)
            elif Decimal(held[0]["amount"]) != Decimal(write.doc["amount"]):
                body["update"].append({"id": held[0]["id"], **price})
        self._batch(row, body)
        for other in others:        # two workers made the list in the same moment
            double = [price["id"] for place in places.values() for price in self._at_places(other).get(place, ())]
            self._batch(other, {"delete": double})
        return {write.key: {**write.doc, "id": places[write.key]} for write in writes}

    def take(self, ids: Iterable[str]) -> None:
        """Afterwards no list of ours holds a price at these places; a list that held nothing else is gone too."""
        gone = set(ids)
        for reference in sorted({found for id in gone if (found := list_of(id)) is not None}):
            for row in list(self._of(reference)):
                out = [price["id"] for place, held in self._at_places(row).items() if place in gone for price in held]
                left = len(self._in(row)) - len(out)
                self._batch(row, {"delete": out})
                if left == 0:
                    self._change("DELETE", _path(row))
                    self._of(reference).remove(row)

    def _of(self, reference: str) -> list[Doc]:
        """The lists under our reference: one, or none; two only where two workers made it in the same moment."""
        if self._rows is None:
            self._rows = {}
            for row in self._all(ROUTE, "price_lists", LIST):
                self._rows.setdefault(_reference(row) or "", []).append(row)
        return self._rows.setdefault(reference, [])

    def _all(self, path: str, items: str, fields: str) -> list[Doc]:
        rows: list[Doc] = []
        while True:
            answer = self._ask(path, fields=fields, limit=str(PAGE), offset=str(len(rows)), order="id")
            rows += answer[items]
            if len(rows) >= answer["count"] or not answer[items]:
                return rows

    def _in(self, row: Doc) -> list[Doc]:
        """What a list holds now, whoever put it there."""
        id = str(row["id"])
        if id not in self._prices:
            self._prices[id] = [
                {**price, "rules": price.get("price_rules"),
                 "variant_id": (price["price_set"].get("variant") or {}).get("id")}
                for price in self._all(f"{_path(row)}/prices", "prices", PRICE)
            ]  # fmt: skip
        return self._prices[id]

    def _at_places(self, row: Doc) -> dict[str, list[Doc]]:
        """What our list holds by place; a price with rules of its own is somebody else's."""
        found: dict[str, list[Doc]] = {}
        for price in self._in(row):
            if price["variant_id"] is not None and not price["rules"] and price.get("max_quantity") is None:
                found.setdefault(place_of({**price, "price_list": _reference(row)}), []).append(price)
        return found

    def _made(self, wanted: Doc) -> Doc:
        body = {"title": wanted["title"], "description": "Kept by Serai: its prices follow from the price records.",
                "status": "active", "metadata": {REFERENCE: wanted["price_list"]},
                **{name: value for name, value in _shape(wanted).items() if value is not None}}  # fmt: skip
        row: Doc = self._change("POST", ROUTE, LIST, body)["price_list"]
        self._of(wanted["price_list"]).append(row)
        self._prices[row["id"]] = []
        return row

    def _shaped(self, row: Doc, wanted: Doc) -> None:
        """Somebody may have given the list another window, kind or group; to switch it off is theirs."""
        if _said(row) != _said(wanted):
            self._change("POST", _path(row), LIST, _shape(wanted))
            row.update({name: wanted[name] for name in ("type", "starts_at", "ends_at")}, rules=_shape(wanted)["rules"])

    def _batch(self, row: Doc, body: Mapping[str, list[Any]]) -> None:
        if not any(body.values()):
            return
        self._prices.pop(row["id"], None)
        self._change("POST", f"{_path(row)}/prices/batch", body=dict(body))


def _path(row: Doc) -> str:
    return f"{ROUTE}/{quote(str(row['id']), safe='')}"


def _reference(row: Doc) -> str | None:
    found = (row.get("metadata") or {}).get(REFERENCE)
    return found if isinstance(found, str) else None


def _group(row: Doc) -> str | None:
    groups = (row.get("rules") or {}).get(GROUPS) or []
    return str(groups[0]) if groups else None


def _shape(doc: Doc) -> Doc:
    """What a list is besides its name and its prices."""
    group = doc.get("customer_group")
    return {"type": doc["type"], "starts_at": doc.get("starts_at"), "ends_at": doc.get("ends_at"),
            "rules": {} if group is None else {GROUPS: [group]}}  # fmt: skip


def _said(doc: Doc) -> tuple[Any, ...]:
    """A list's shape, its moments comparable however they are written."""
    starts, ends = (None if doc.get(name) is None else datetime.fromisoformat(doc[name]) for name in
                    ("starts_at", "ends_at"))  # fmt: skip
    return doc["type"], starts, ends, _group(doc) if "rules" in doc else doc.get("customer_group")

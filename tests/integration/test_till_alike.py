"""The simulated tills beside the real ones: the same questions, the same answers, the same refusals.

What surprises here: ids, stamps, numbers of receipts and names of places are each system's own and are left out; all
the rest of what the connector is told must be equal, to the last word of a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from connectors import CATALOG
from connectors.base import Connector, Doc, Receipt, Write
from deployments.sandbox.people import People
from deployments.sandbox.tryton.fill import empty, store
from deployments.sandbox.tryton.server import start
from tests.contract.harness import ports_with
from tests.integration.people import Clerk
from tests.integration.tryton import Tryton

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
EAN, ANOTHER = "4006381333931", "96385074"
OWN = {"id", "last_modified_at", "_timestamp", "create_date", "number", "name", "warehouse", "storage_location",
       "point"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two: a connector on it, and who stands at its till in the store."""

    till: Connector
    real: Clerk | None
    simulated: People | None

    def sell(self, sku: str, quantity: int) -> None:
        """Goods of 116.00 each are sold for cash."""
        if self.real is not None:
            self.real.ring_up(sku, quantity, "116.00", cash=True)
        if self.simulated is not None:
            self.simulated.sell_at_till("almaty-1", {sku: quantity}, tender="CASH")


def connect(url: str, user: str, password: str) -> Connector:
    """A connector with a session of its own."""
    secrets = {"user": "env:TEST_USER", "password": "env:TEST_PASSWORD"}
    ports = ports_with({"user": user, "password": password})
    return CATALOG["tryton_point"](
        channel="till-kz", url=url, ports=ports, options={"secrets": secrets, "timeout": 20, "page_size": 200}
    )


@pytest.fixture(scope="module")
def sides(erp: Tryton) -> Iterator[Sequence[Side]]:
    """The real tills and the simulated ones, in a store on Abai each."""
    db = empty()
    db.transact(lambda: store(db, "almaty-1", "Store Abay", "A1-"))
    running = start(db)
    real = Side(till=connect(erp.url, erp.user, erp.password), real=Clerk(erp), simulated=None)
    people = People("http://127.0.0.1:1", {"pos": running.url})
    played = Side(till=connect(running.url, running.user, running.password), real=None, simulated=people)
    yield real, played
    running.stop()


def article(code: str, ean: str | None = None, **more: Any) -> Write:
    doc = {"code": code, "template": {"name": "Чайник"}, "ean": ean, "default_uom": {"symbol": "u"}, "active": True}
    return Write(key=f"k-{code}", op="create", doc=doc | more)


def ids(side: Side) -> dict[str, str]:
    """Code → id of the articles of these tests."""
    return {doc["code"]: str(doc["id"]) for doc in docs(side, "variants")}


def docs(side: Side, resource: str, *, of: str = "AL-") -> list[Doc]:
    """The documents of these tests, by code."""
    found = [doc for page in side.till.read(resource) for doc in page.docs if str(doc.get("code")).startswith(of)]
    return sorted(found, key=lambda doc: str(doc["code"]))


def bare(value: Any) -> Any:
    """What both must say alike."""
    if isinstance(value, dict):
        return {
            name: len(item) if name == "products" else bare(item) for name, item in value.items() if name not in OWN
        }
    return [bare(item) for item in value] if isinstance(value, list) else value


def told(receipts: Sequence[Receipt]) -> list[Any]:
    """Outcomes, documents, and refusals without ids."""
    return [(one.outcome, bare(one.doc), re.sub(r"\b\d+\b", "N", one.detail)) for one in receipts]


def both(sides: Sequence[Side], resource: str, *writes: Any) -> list[Any]:
    """What became of the writes, once it is the same on either side; ``writes`` make them from a side's ids."""
    found = []
    for side in sides:
        known = ids(side)
        found.append(told(list(side.till.write(resource, [write(known) for write in writes]))))
    assert found[0] == found[1]
    return found[0]


def test_articles_and_prices_are_taken_and_refused_alike(sides: Sequence[Side]) -> None:
    """P6, P7: barcodes, codes that are taken, missing names, decimals, records that are gone or have changed."""
    made = both(
        sides, "variants",
        lambda known: article("AL-1", EAN), lambda known: article("AL-2"),
        lambda known: article("AL-3", "4006381333932"), lambda known: article("AL-1"),
        lambda known: article("AL-4", template={"name": ""}),
        lambda known: article("AL-5", active=False), lambda known: article("AL-6", default_uom={"symbol": "box"}),
    )  # fmt: skip
    assert [outcome for outcome, _, _ in made] == ["applied", "applied", "rejected", "rejected", "rejected", "applied",
                                                   "rejected"]  # fmt: skip

    def change(of: str, **doc: Any) -> Any:
        return lambda known: Write(key=f"u-{of}", op="update", id=known.get(of, "999999"), doc=doc)

    changed = both(
        sides, "variants",
        change("AL-1", template={"name": "Самовар"}, ean=ANOTHER), change("AL-2", ean=EAN), change("AL-5", active=True),
        change("AL-2", code="AL-1"), change("AL-2", active=False), change("gone", active=False),
    )  # fmt: skip
    assert [outcome for outcome, _, _ in changed] == ["applied", "applied", "applied", "rejected", "applied",
                                                      "rejected"]  # fmt: skip
    priced = both(
        sides, "prices",
        change("AL-1", gross_price=Decimal("116.00"), list_price=Decimal("100.0000")),
        change("AL-2", gross_price=Decimal("1.12345")), change("AL-5", gross_price=Decimal("0.00")),
    )  # fmt: skip
    assert [outcome for outcome, _, _ in priced] == ["applied", "rejected", "applied"]
    stale = both(sides, "prices", lambda known: Write(
        key="s", op="update", id=known["AL-1"], doc={"gross_price": Decimal(1)}, expected="1.000000"))  # fmt: skip
    assert stale[0][0] == "rejected"
    for resource in ("variants", "prices"):
        real, played = (bare(docs(side, resource)) for side in sides)
        assert real == played
        assert len(real) == 3


def test_a_receipt_is_told_alike_and_so_is_what_came_back_on_it(sides: Sequence[Side]) -> None:
    """P7: lines, prices, payments, sessions and totals; opened again, with less than nothing of an article on it."""
    for side in sides:
        known = {doc["code"]: doc for doc in docs(side, "variants")}
        if "AL-9" not in known:
            (made,) = side.till.write("variants", [article("AL-9")])
            price = {"gross_price": Decimal("116.00"), "list_price": Decimal("100.0000")}
            list(side.till.write("prices", [Write(key="p", op="update", id=str(made.id), doc=price)]))
        side.sell("AL-9", 2)

    def receipts() -> list[Any]:
        told = []
        for side in sides:
            found = [doc for page in side.till.read("receipts") for doc in page.docs]
            told.append([bare(doc) for doc in found if doc["lines"][0]["product"]["code"] == "AL-9"])
        return told

    real, played = receipts()
    assert len(real) == 1
    assert real == played
    clerk, people = sides[0].real, sides[1].simulated
    assert clerk is not None
    assert people is not None
    (sale,) = clerk.search("sale.point.sale", [["lines.product.code", "=", "AL-9"]], "number")
    clerk.bring_back(sale["id"], "AL-9", 1, "116.00")
    people.bring_to_till("almaty-1", "A1-1", {"AL-9": 1})
    real, played = receipts()
    assert [line["quantity"] for line in real[0]["lines"]] == [2, -1]
    assert real == played

"""Medusa's price lists: each price stands in the list of its window and kind, once, whatever answers were lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.base import Connector, Doc, Receipt, Write
from connectors.errors import RetryLater
from connectors.medusa_lists import place_of
from tests.contract.harness import Call, Reply
from tests.contract.medusa_price_lists import ListShop
from tests.contract.medusa_simulator import Customers

VARIANTS = tuple(f"variant_{number}" for number in range(4))
MARCH = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")


@pytest.fixture
def shop() -> Iterator[ListShop]:
    """A Medusa with four variants."""
    found = ListShop(*VARIANTS)
    with found.running():
        yield found


@pytest.fixture
def connector(shop: ListShop) -> Connector:
    """What Serai sends to it with."""
    return Customers().connect(shop)


def sale(variant: str, amount: Any, window: tuple[str, str | None] = MARCH, **more: Any) -> Doc:
    """A reduction as the mapping writes it."""
    start, end = window
    return {"variant_id": variant, "product_id": "prod_1", "currency_code": "kzt", "amount": amount,
            "min_quantity": None, "price_list": f"retail|sale|{start}|{end}|", "title": f"sale {start}", "type": "sale",
            "starts_at": start, "ends_at": end, "customer_group": None, **more}  # fmt: skip


def told(
    connector: Connector, *docs: Doc, op: Any = "create", ids: tuple[str, ...] = (), attempt: int = 1
) -> list[Receipt]:
    """The receipts of writes, one per document."""
    return list(connector.write("prices", [
        Write(key=f"serai-{number}", op=op, doc=doc, id=ids[number] if ids else None, attempt=attempt)
        for number, doc in enumerate(docs)
    ]))  # fmt: skip


def test_prices_of_one_campaign_are_one_list_and_each_is_known_by_its_place(
    shop: ListShop, connector: Connector
) -> None:
    """P2, P7: one batch for the list; what is read back names list, window and whom it is for."""
    receipts = told(connector, *(sale(one, 80) for one in VARIANTS[:3]), sale(VARIANTS[0], 0, min_quantity=10))
    assert [receipt.outcome for receipt in receipts] == ["applied"] * 4
    assert shop.listed() == {"sale 2026-03-01T00:00:00Z": [
        (VARIANTS[0], 0, 10), (VARIANTS[0], 80, None), (VARIANTS[1], 80, None), (VARIANTS[2], 80, None),
    ]}  # fmt: skip
    assert len([call for call in shop.calls if call.path.endswith("/prices/batch")]) == 1
    read = {doc["id"]: doc for page in connector.read("price_lists") for doc in page.docs}
    assert sorted(read) == sorted(str(receipt.id) for receipt in receipts)
    one = read[place_of(sale(VARIANTS[0], 0, min_quantity=10))]
    assert (one["amount"], one["starts_at"], one["ends_at"], one["type"]) == (0, *MARCH, "sale")


@pytest.mark.parametrize("lost", range(1, 5))
def test_a_write_whose_answer_was_lost_at_any_step_is_done_once_when_it_is_sent_again(
    shop: ListShop, lost: int
) -> None:
    """P2, P3: the list that is made, its prices, what leaves the old list, the end of that."""
    before = told(Customers().connect(shop), *(sale(one, 80) for one in VARIANTS[:2]))
    later = [sale(one, 75, ("2026-05-01T00:00:00Z", None)) for one in VARIANTS[:2]]
    ids = tuple(str(receipt.id) for receipt in before)
    answered, changes = shop.handle, 0

    def deaf(call: Call) -> Reply:
        nonlocal changes
        changes += call.method != "GET"
        reply = answered(call)
        return Reply(status=500) if call.method != "GET" and changes == lost else reply

    shop.handle = deaf  # type: ignore[method-assign]  # it does what it is asked and does not say so
    first = told(Customers().connect(shop), *later, op="update", ids=ids)
    assert [receipt.outcome for receipt in first] == ["unknown"] * 2
    again = told(Customers().connect(shop), *later, op="update", ids=ids, attempt=2)
    assert [receipt.outcome for receipt in again] == ["applied"] * 2
    assert shop.listed() == {"sale 2026-05-01T00:00:00Z": [(one, 75, None) for one in VARIANTS[:2]]}


def test_a_write_that_may_have_arrived_is_settled_by_its_place(shop: ListShop, connector: Connector) -> None:
    """P3: what stands there tells; another amount or nothing says that it may be sent again; nothing is sent."""
    (made,) = told(connector, sale(VARIANTS[0], 80))
    writes = [
        Write(key="a", op="create", doc=sale(VARIANTS[0], 80)), Write(key="b", op="create", doc=sale(VARIANTS[0], 81)),
        Write(key="c", op="create", doc=sale(VARIANTS[1], 80)), Write(key="d", op="delete", doc={}, id=made.id),
    ]  # fmt: skip
    sent = len(shop.calls)
    assert [receipt.outcome for receipt in connector.settle("prices", writes)] == [
        "applied", "rejected", "rejected", "rejected"
    ]  # fmt: skip
    assert {call.method for call in shop.calls[sent:]} == {"GET"}
    told(connector, {}, op="delete", ids=(str(made.id),))
    assert [one.outcome for one in connector.settle("prices", writes[3:])] == ["applied"]


def test_a_list_of_the_shops_own_is_read_as_such_and_never_written(shop: ListShop, connector: Connector) -> None:
    """P7: whatever happens to ours."""
    shop.lists["plist_own"] = {"id": "plist_own", "title": "own", "type": "sale", "starts_at": None, "ends_at": None,
                               "status": "active", "rules": {}, "metadata": None}  # fmt: skip
    shop.prices["price_own"] = {"list": "plist_own", "variant_id": VARIANTS[0], "currency_code": "kzt", "amount": 91,
                                "min_quantity": None}  # fmt: skip
    (made,) = told(connector, sale(VARIANTS[0], 80))
    told(connector, sale(VARIANTS[0], 79), op="update", ids=(str(made.id),))
    told(connector, {}, op="delete", ids=(str(made.id),))
    assert shop.listed() == {"own": [(VARIANTS[0], 91, None)]}
    docs = [doc for page in connector.read("price_lists") for doc in page.docs]
    assert [(doc["id"], doc["price_list"]) for doc in docs] == [("price_own", None)]


def test_a_window_that_somebody_changed_is_put_right_and_a_list_that_was_switched_off_stays_off(
    shop: ListShop, connector: Connector
) -> None:
    """P4: what the list says is ours, whether it is on is the shop's."""
    (made,) = told(connector, sale(VARIANTS[0], 80))
    (id,) = shop.lists
    shop.lists[id].update(ends_at=None, type="override", rules={"customer.groups.id": ["cusgroup_1"]}, status="draft")
    told(connector, sale(VARIANTS[0], 80), op="update", ids=(str(made.id),))
    row = shop.lists[id]
    assert (row["starts_at"], row["ends_at"], row["type"], row["rules"]) == (*MARCH, "sale", {})
    assert row["status"] == "draft"


def test_one_article_that_medusa_does_not_know_keeps_no_other_from_its_list(
    shop: ListShop, connector: Connector
) -> None:
    """P6: a batch is all or nothing, so halves are sent."""
    receipts = told(connector, *(sale(one, 80) for one in (*VARIANTS[:3], "variant_nowhere", VARIANTS[3])))
    assert [receipt.outcome for receipt in receipts] == ["applied"] * 3 + ["rejected", "applied"]
    assert "variant_nowhere" in receipts[3].detail
    assert [variant for variant, _, _ in shop.listed()["sale 2026-03-01T00:00:00Z"]] == list(VARIANTS)


def test_the_usual_price_is_not_taken_away_and_a_list_that_holds_more_than_ours_stays(
    shop: ListShop, connector: Connector
) -> None:
    """An article without a price could not be sold; what the shop's people put into a list is theirs."""
    sent = len(shop.calls)
    assert [one.outcome for one in told(connector, {}, op="delete", ids=("variant_0@kzt",))] == ["applied"]
    assert len(shop.calls) == sent
    (made,) = told(connector, sale(VARIANTS[0], 80))
    (id,) = shop.lists
    shop.prices["price_theirs"] = {"list": id, "variant_id": VARIANTS[1], "currency_code": "kzt", "amount": 60,
                                   "min_quantity": None}  # fmt: skip
    told(connector, {}, op="delete", ids=(str(made.id),))
    assert shop.listed() == {"sale 2026-03-01T00:00:00Z": [(VARIANTS[1], 60, None)]}


def test_what_two_workers_made_twice_is_one_again_with_the_next_write(shop: ListShop, connector: Connector) -> None:
    """P2: Medusa takes the same place twice, in one list and in two of the same name, and sells at the lower."""
    (made,) = told(connector, sale(VARIANTS[0], 80))
    (id,) = shop.lists
    shop.lists["plist_twin"] = {**shop.lists[id], "id": "plist_twin"}
    ((_, price),) = list(shop.prices.items())
    shop.prices |= {"price_x": {**price, "amount": 70}, "price_y": {**price, "list": "plist_twin", "amount": 60}}
    told(connector, sale(VARIANTS[0], 79), op="update", ids=(str(made.id),))
    assert [price["amount"] for price in shop.prices.values()] == [79]


def test_a_shop_that_does_not_answer_while_its_lists_are_read_was_sent_nothing(
    shop: ListShop, connector: Connector
) -> None:
    """P3: so the write may go again."""
    connector.check()
    answered = shop.handle
    shop.handle = lambda call: Reply(status=503)  # type: ignore[method-assign]  # for a while
    with pytest.raises(RetryLater):
        told(connector, sale(VARIANTS[0], 80))
    shop.handle = answered  # type: ignore[method-assign]
    assert shop.listed() == {}

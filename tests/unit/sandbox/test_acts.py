"""What people do is called the same in every system of a role, so that a day can be played on any of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deployments.demo.data import LAST_KETTLE
from deployments.sandbox.people import People, Refusal


def test_a_clerk_prices_renames_counts_and_enters_an_article(people: People) -> None:
    """The ERP's clerk works by article, list and place, not by the ERP's documents."""
    people.set_price(LAST_KETTLE, "19990.50")
    assert people.price(LAST_KETTLE) == Decimal("19990.50")
    people.count_stock(LAST_KETTLE, "almaty-1", 0)
    assert people.on_hand(LAST_KETTLE, "almaty-1") == 0
    people.enter("NEW-1", product="NEW", title="Kettle", price="990.00", cost="0")
    people.receive_goods("NEW-1", "almaty-wh", 3)
    assert (people.price("NEW-1"), people.on_hand("NEW-1", "almaty-wh")) == (Decimal(990), 3)
    with pytest.raises(Refusal, match="not_found"):
        people.price("NOBODY")


def test_an_order_is_told_alike_by_shop_and_marketplace(people: People) -> None:
    """Id, number and total of what was placed; how it stands, and for the shop what went back by tender."""
    shop = people.buy_in_shop({LAST_KETTLE: 1}, email="a@example.kz", name="A B", gift_card=Decimal(1000))
    market = people.buy_on_market({LAST_KETTLE: 1}, name="Ким", accept_within=60)
    assert (shop.number, shop.total) == ("1011", people.price(LAST_KETTLE))
    tenders = [{"kind": kind, "refunded": "0.00"} for kind in ("GIFT_CARD", "CARD")]
    assert people.order_state("shop", shop.id) == {"status": "PENDING", "tenders": tenders}
    assert people.order_state("market", market.id) == {"state": "OFFERED", "buyer": "Ким", "reason": None}

"""What channels were seen to show: one price at a time, no moment twice, the same on both databases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from registry import Registry, ShownRow, Tx, put_shown_prices, shown_prices


def seen(amount: str, start: Any, variant: str = "v1", channel: str = "shop-bg", **more: Any) -> ShownRow:
    return ShownRow(channel=channel, variant=variant, amount=Decimal(amount), currency="EUR", tax_mode="gross",
                    start=start, source="run r1", **more)


def test_a_price_is_shown_until_another_is_seen(reg: Registry) -> None:
    """P11: the history has no gap and no overlap; the same price seen again, or one seen before, is no news."""
    now = reg.now().replace(microsecond=0)
    hour = timedelta(hours=1)
    for row, news in (
        (seen("10.00", now), 1), (seen("10", now + hour), 0), (seen("8.00", now + 2 * hour, due_at=now + hour), 1),
        (seen("9.00", now + hour), 0), (seen("10.00", now + 3 * hour), 1), (seen("5.00", now, "v2"), 1),
        (seen("6.00", now, channel="shop-kz"), 1),
    ):
        assert len(reg.attempt(partial(put_shown_prices, rows=[row]))) == news
    with reg.read() as tx:
        mine = shown_prices(tx, ["v1", "v2"], ["shop-bg"])
        late = shown_prices(tx, ["v1"], ["shop-bg"], now + 3 * hour)
    assert [(str(one.amount), one.start - now, one.until) for one in mine["shop-bg", "v1"]] == [
        ("10.00", timedelta(0), now + 2 * hour), ("8.00", 2 * hour, now + 3 * hour), ("10.00", 3 * hour, None),
    ]
    assert mine["shop-bg", "v1"][1].due_at == now + hour
    assert [one.amount for one in mine["shop-bg", "v2"]] == [Decimal("5.00")]
    assert [one.start - now for one in late["shop-bg", "v1"]] == [3 * hour]


def test_a_page_of_prices_costs_as_many_statements_as_ten(reg: Registry) -> None:
    now = reg.now()
    spent = []

    def work(rows: list[ShownRow], tx: Tx) -> None:
        before = tx.statements
        put_shown_prices(tx, rows)
        spent.append(tx.statements - before)

    for number in (10, 500):
        for amount, minutes in (("1.00", 0), ("2.00", 1)):
            at = now + timedelta(minutes=minutes)
            reg.attempt(partial(work, [seen(amount, at, f"v{number}-{n}") for n in range(number)]))
    assert spent[:2] == spent[2:]

"""What the registry keeps of the escrow, and of what people decide for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace as changed

from registry import (
    EVERYWHERE,
    EscrowRow,
    OverrideRow,
    Registry,
    all_overrides,
    audit_rows,
    end_override,
    escrows,
    overrides,
    put_escrows,
    put_override,
    unread_escrows,
)

OPENED = datetime(2026, 3, 1, tzinfo=UTC)
ROW = EscrowRow(channel="shop-kz", variant="v1", held=5, opened_at=OPENED, shown=3, sent=4, open=True, late=1, back=2,
                version="7", expected="6", step=Decimal("0.25"))


def test_what_may_be_sold_is_kept_as_it_was_reckoned(reg: Registry) -> None:
    """P8, P7: nothing known is another thing than zero."""
    now = reg.now()
    row = changed(ROW, shown_at=now, sent_at=now)
    bare = EscrowRow(channel="market-kz", variant="v1", held=0, opened_at=OPENED)
    reg.attempt(lambda tx: put_escrows(tx, [row, bare]))
    with reg.write() as tx:
        assert escrows(tx, ["v1", "v2"], lock=True) == {"v1": {"shop-kz": row, "market-kz": bare}}
    reg.attempt(lambda tx: put_escrows(tx, [changed(bare, shown=0)]))
    with reg.write() as tx:
        assert escrows(tx, ["v1"])["v1"]["market-kz"].shown == 0


def test_only_figures_from_before_the_orders_were_asked_for_are_caught_up(reg: Registry) -> None:
    """P5, P8: a figure seen after the request for the orders began may hide a sale that they do not contain."""
    now = reg.now()
    rows = [
        changed(ROW, variant="early", shown_at=now - timedelta(seconds=1)),
        changed(ROW, variant="late", shown_at=now),
        changed(ROW, variant="all-read", held=3, shown_at=now - timedelta(seconds=1)),
        changed(ROW, variant="not-known", shown=None, shown_at=now - timedelta(seconds=1)),
        changed(ROW, variant="early", channel="market-kz", shown_at=now - timedelta(seconds=1)),
    ]
    reg.attempt(lambda tx: put_escrows(tx, rows))
    with reg.read() as tx:
        assert unread_escrows(tx, "shop-kz", now) == ["early"]


def test_an_override_ends_by_itself_or_by_hand_and_both_are_audited(reg: Registry) -> None:
    now = reg.now()
    stop = OverrideRow(entity="stock", uid="v1", channel=EVERYWHERE, value={"most": 0}, who="Aigerim",
                       because="a crack in the lid", until=now + timedelta(hours=2))
    price = replace_value(stop)
    reg.attempt(lambda tx: [put_override(tx, stop), put_override(tx, price)])
    with reg.read() as tx:
        found = overrides(tx, "stock", ["v1", "v2"], now)
        assert [(place, row.value) for place, row in found.items()] == [(("*", "v1"), {"most": 0})]
        assert overrides(tx, "stock", ["v1"], now + timedelta(hours=2)) == {}
        assert [row.entity for row in all_overrides(tx, now)] == ["price", "stock"]
    reg.attempt(lambda tx: end_override(tx, stop, "Daulet", "it was a hair"))
    with reg.read() as tx:
        assert overrides(tx, "stock", ["v1"], now) == {}
        assert [(row.who, row.because) for row in audit_rows(tx)][:1] == [("Daulet", "it was a hair")]


def replace_value(row: OverrideRow) -> OverrideRow:
    """A price of the same article, for an hour."""
    return changed(row, entity="price", channel="shop-kz", value={"amount": "9.90", "currency": "EUR"},
                   until=row.until - timedelta(hours=1))


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_override_without_a_future_is_refused(reg: Registry, seconds: int) -> None:
    """P8: manual overrides carry an end."""
    row = OverrideRow(entity="stock", uid="v1", channel=EVERYWHERE, value={"most": 0}, who="A", because="b",
                      until=reg.now() + timedelta(seconds=seconds - 1))
    with pytest.raises(Exception, match="an_override_ends"):
        reg.attempt(lambda tx: put_override(tx, row))

"""Lines of settlement reports are found by report and by order, whichever of the two came first."""

from __future__ import annotations

from registry import (
    ParkedRow,
    Registry,
    SettlementLine,
    adopt_settlement_lines,
    open_outward,
    park,
    put_settlement_lines,
    settlement_lines,
)


def line(key: str, number: str | None, order: str | None = None, channel: str = "market") -> SettlementLine:
    return SettlementLine(
        settlement="s1", key=key, channel=channel, number=number, order=order, kind="sale", name=None,
        amount="-0.10", currency="KZT",
    )  # fmt: skip


def test_an_order_adopts_the_lines_of_its_number_on_its_channel_and_no_other(reg: Registry) -> None:
    with reg.write() as tx:
        rows = [line("1", "A", "o1"), line("2", "B"), line("3", "B", channel="other"), line("4", None)]
        assert put_settlement_lines(tx, ["s1"], rows) == 4
        assert adopt_settlement_lines(tx, "market", {"A": "o9", "B": "o2", "C": "o3"}) == 1
        assert [(row.key, row.order) for row in settlement_lines(tx, settlements=["s1"])] == [
            ("1", "o1"), ("2", "o2"), ("3", None), ("4", None)
        ]
        assert [row.said for row in settlement_lines(tx, orders=["o2", "o9"])] == [
            {"kind": "sale", "name": None, "amount": {"amount": "-0.10", "currency": "KZT"}}
        ]
        assert put_settlement_lines(tx, ["s1"], [line("2", "B", "o2")]) == 1       # the report was corrected
        assert [row.key for row in settlement_lines(tx, settlements=["s1"], orders=["o1", "o2"])] == ["2"]
        assert adopt_settlement_lines(tx, "market", {}) == 0


def test_what_is_parked_about_a_write_is_found_by_its_record(reg: Registry) -> None:
    with reg.write() as tx:
        for direction, uid in (("outward", "o1"), ("inward", "o2")):
            park(tx, [ParkedRow(channel="erp", entity="order", direction=direction, record_uid=uid, external_id=uid,
                                rule="ignored", message="it shows something else")])
        assert open_outward(tx, "erp", "order", ["o1", "o2", "o3"]) == {"o1": "ignored"}
        assert open_outward(tx, "shop", "order", ["o1"]) == {}

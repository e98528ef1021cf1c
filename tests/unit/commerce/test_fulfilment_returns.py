"""A desk knows before it takes goods whether it may refund, and the money goes back where it came from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings, strategies as st

from mappings.commerce.fulfilment.returns import desk, returnable_at


def money(cents: int) -> dict[str, str]:
    return {"amount": f"{Decimal(cents) / 100:.2f}", "currency": "EUR"}


def units(n: int) -> dict[str, str]:
    return {"value": str(n), "unit": "each", "kind": "ordered"}


def order(lines: list[tuple[int, int]], tenders: list[tuple[str, int]], **more: Any) -> dict[str, Any]:
    """Delivered; lines as (units, cents), tenders as (kind, cents), captured."""
    return {
        "status": "delivered", "total": money(sum(cents for _, cents in lines)),
        "lines": [{"key": str(n), "quantity": units(count), "total": money(cents)}
                  for n, (count, cents) in enumerate(lines, 1)],
        "tenders": [{"key": f"t{n}", "kind": kind, "amount": money(cents), "captured": money(cents),
                     "state": "captured"} for n, (kind, cents) in enumerate(tenders, 1)],
        **more,
    }


HERE: dict[str, Any] = {"at": "s1", "services": {"return"}, "allowed": None}


@st.composite
def sales(draw: st.DrawFn) -> dict[str, Any]:
    lines = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5_000)), min_size=1, max_size=3))
    total = sum(cents for _, cents in lines)
    card = draw(st.integers(0, total))
    points = draw(st.integers(0, total - card))
    kinds = [("card", card), ("points", points), ("gift_card", total - card - points)]
    return order(lines, [(kind, cents) for kind, cents in kinds if cents > 0])


@given(sale=sales(), data=st.data())
@settings(max_examples=80, deadline=None)
def test_brought_back_in_any_number_of_parts_each_tender_gets_exactly_what_it_gave(
    sale: dict[str, Any], data: st.DataObject
) -> None:
    """Σ refunds = Σ captured when all is back, per tender too; at no moment more than was captured."""
    returns: list[dict[str, Any]] = []
    captured = {row["key"]: Decimal(row["captured"]["amount"]) for row in sale["tenders"]}
    back = dict.fromkeys(captured, Decimal(0))
    for _ in range(12):
        left = desk(sale, (), returns, **HERE)
        if not left.allowed:
            break
        key = data.draw(st.sampled_from(sorted(left.lines)))
        number = data.draw(st.integers(1, int(left.lines[key])))
        done = desk(sale, (), returns, wanted={key: Decimal(number)}, **HERE)
        assert done.allowed
        for tender, amount in done.refund:
            back[tender] += Decimal(amount["amount"])
            assert back[tender] <= captured[tender]
        returns.append({
            "kind": "return", "lines": [{"key": "1", "line": key, "quantity": units(number)}],
            "refunds": [{"key": f"{n}", "tender": tender, "amount": amount}
                        for n, (tender, amount) in enumerate(done.refund, 1)],
        })
    assert back == captured
    assert desk(sale, (), returns, **HERE).because == "nothing of it is with the buyer"


def test_card_and_gift_card_get_their_own_money_back_gift_card_first() -> None:
    """A shop order returned in a store: what was paid by gift card goes back to it before the card."""
    sale = order([(1, 3_000), (1, 2_000)], [("card", 4_000), ("gift_card", 1_000)])
    assert desk(sale, (), (), wanted={"2": Decimal(1)}, **HERE).refund == (("t2", money(1_000)), ("t1", money(1_000)))
    assert desk(sale, (), (), **HERE).refund == (("t2", money(1_000)), ("t1", money(4_000)))


def test_goods_that_only_the_marketplace_may_refund_are_refused_before_they_are_taken() -> None:
    """The marketplace holds the money, or sent the goods: the desk is told so, and no store is named."""
    places = {"s1": {"return"}, "s2": {"pickup"}, "s3": {"return"}}
    ours = order([(1, 100)], [("card", 100)])
    assert returnable_at(ours, places, None) == ["s1", "s3"]
    assert returnable_at(ours, places, ("s3",)) == ["s3"]
    for theirs in (order([(1, 100)], [("channel", 100)]), {**ours, "lines": [{**ours["lines"][0],
                                                                             "fulfilled_by": "channel"}]}):
        assert returnable_at(theirs, places, None) == []
        answer = desk(theirs, (), (), **HERE)
        assert answer.who == "channel"
        assert answer.refund == ()
        assert "through the channel" in answer.remedy


def test_a_desk_takes_only_what_the_buyer_has_and_only_where_returns_are_taken() -> None:
    """Not sent yet, more than was sent, a place without the service, a place that policy does not name."""
    sale = order([(2, 1_001)], [("card", 1_001)])
    assert desk({**sale, "status": "confirmed"}, (), (), **HERE).who == "nobody"
    parcel = [{"lines": [{"key": "1", "line": "1", "quantity": units(1)}]}]
    assert desk(sale, parcel, (), **HERE).refund == (("t1", money(500)),)
    assert not desk(sale, parcel, (), wanted={"1": Decimal(2)}, **HERE).allowed
    assert not desk(sale, (), (), at="s1", services=(), allowed=None).allowed
    assert desk(sale, (), (), at="s1", services={"return"}, allowed=("s9",)).remedy == "it may be brought to s9"
    assert desk(sale, (), (), at="s1", services={"return"}, allowed=()).who == "channel"


def test_what_nobody_paid_for_gives_no_money_back() -> None:
    """Cash on delivery that was never handed in: captured nothing, so nothing goes back."""
    sale = order([(1, 100)], [("cod", 100)])
    sale["tenders"][0] |= {"state": "due", "captured": None}
    assert desk(sale, (), (), **HERE).who == "nobody"

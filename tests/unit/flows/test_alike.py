"""Articles that are alike get their figure once a page: it must be the one that each would get by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.figures import figures
from flows.holdings import pools
from flows.render import views
from registry import records_by_field
from tests.databases import registry_url  # noqa: F401 (fixture)
from tests.unit.flows.stockroom import Stockroom, stockroom

ITEMS = tuple("ABCDEFGHIJKLMN")


@pytest.fixture
def room(
    tmp_path: Path, registry_url: str, monkeypatch: pytest.MonkeyPatch,  # noqa: F811 (fixture)
) -> Iterator[Stockroom]:
    items = [{"code": code} for code in ITEMS]
    with stockroom(tmp_path, registry_url, monkeypatch, items=items) as found:
        yield found


def test_an_article_is_shown_the_same_in_a_page_of_others_as_by_itself(room: Stockroom) -> None:
    """P8: of equal figures each counts for its own article, and what sets one apart (an order, a place, goods put
    aside, less than nothing, another way to write ten) never reaches the next; every row of stock has its own part."""
    room.order("1001", {"B": 3, "M": 4})
    room.order("1002", {"N": 3})
    room.figure("C", 10, allocated="4")
    room.figure("D", 10, allocated="4")
    room.figure("E", 10, quarantined="1")
    room.figure("F", 7, place="st")
    room.figure("G", 7, place="st")
    room.figure("H", -2)
    room.figure("I", -2)
    room.figure("J", "10.000")
    room.figure("K", 0)
    with room.house.registry.read() as tx:
        now, uids = room.now(), {item: room.uid(item) for item in ITEMS}
        stocks = {
            variant: [{**row.values, "uid": row.uid} for row in rows]
            for variant, rows in records_by_field(tx, "stock", "variant", list(uids.values())).items()
        }
        page = figures(room.house, tx, "shop", stocks, now)
        held = pools(room.house, tx, list(uids.values()), now).of
        shown = {item: page.of[uid].publish for item, uid in uids.items()}
        assert shown == {"A": 10, "B": 7, "C": 6, "D": 6, "E": 9, "F": 17, "G": 17, "H": 0, "I": 0, "J": 10, "K": 0,
                         "L": 10, "M": 6, "N": 7}
        for uid in uids.values():
            alone = figures(room.house, tx, "shop", {uid: stocks[uid]}, now)
            assert page.of[uid] == alone.of[uid]
            assert held[uid] == pools(room.house, tx, [uid], now).of[uid]
            assert {row["uid"]: page.by_stock[row["uid"]] for row in stocks[uid]} == alone.by_stock
            assert sum(alone.by_stock.values()) == alone.of[uid].publish
        seen = views(room.house, tx, "shop", room.house.of("shop").outward["stock"], list(uids.values()), now)
        assert {uid: view.publish for uid, view in seen.items()} == {uids[item]: n for item, n in shown.items()}
        for uid, view in seen.items():
            assert [row["uid"] for row in view.values["stocks"]] == [row["uid"] for row in stocks[uid]]
            (because,) = view.policy["stock"]
            assert because == {"variant": uid, **page.of[uid].policy}
        faults = {item: [said for one in held[uid].standings for said in one.faults] for item, uid in uids.items()}
        assert [item for item, said in faults.items() if said] == ["H", "I"]
        assert faults["H"][0].startswith("H at wh")
        assert faults["I"][0].startswith("I at wh")

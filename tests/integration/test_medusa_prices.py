"""Prices for a time, for some buyers, reduced or from so many pieces on: in Medusa they stand in price lists.

The ERP has the usual price, a file of marketing's the others; whatever the lists hold is read from Medusa's own
database, what a shopper pays from its storefront.
"""

from __future__ import annotations

import csv
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from flows.steps import pull, pull_all, push_all, sync_all
from tests.integration.conftest import Karavan
from tests.integration.people import MedusaShop, written
from tests.integration.test_shops import crashed, in_shop, run_out, sync, until_settled

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WEEK = (TODAY - timedelta(days=1), TODAY + timedelta(days=6))
NEXT = (TODAY + timedelta(days=6), TODAY + timedelta(days=13))
NUMBERS: Iterator[int] = count(1)
SKUS = ("SALE", "DISPUTE", "CRASH-1", "CRASH-2", "CRASH-3", "QUIET-LIST", "QUIET-BATCH")
CHANNELS = ["campaigns-kz", "shop-kz"]
COLUMNS = ("code", "sku", "amount", "kind", "group", "pieces", "starts", "ends")
FILE: dict[str, dict[str, str]] = {}
"""Marketing's list as it stands: each file is the whole of it."""


def campaign(karavan: Karavan, code: str, sku: str, amount: str, window: tuple[datetime, datetime] | None = None,
             **more: str) -> None:
    """Marketing adds a price to its file, or changes one."""
    edges = ("", "") if window is None else tuple(f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in window)
    FILE[code] = {**dict.fromkeys(COLUMNS, ""), "code": code, "sku": sku, "amount": amount, "starts": edges[0],
                  "ends": edges[1], **more}  # fmt: skip
    publish(karavan)


def publish(karavan: Karavan) -> None:
    """Marketing's file as it stands lies in the folder."""
    file = karavan.folder / "campaigns" / f"prices-{next(NUMBERS):04}.csv"
    draft = file.with_suffix(".part")
    with draft.open("w", newline="", encoding="utf-8") as out:
        rows = csv.DictWriter(out, COLUMNS)
        rows.writeheader()
        rows.writerows(FILE.values())
    draft.rename(file)


def shop(karavan: Karavan) -> MedusaShop:
    """The shop, which is on Medusa here."""
    assert isinstance(karavan.shop, MedusaShop)
    return karavan.shop


@pytest.fixture(scope="module")
def offered(on_medusa: Karavan) -> Karavan:
    """The shop with every article of this file in it, at 100."""
    for sku in SKUS:
        on_medusa.clerk.article(sku.title(), sku, price="100")
    sync(on_medusa)
    return on_medusa


def told(karavan: Karavan) -> None:
    """What marketing and the shop say is read, and the shop told."""
    sync(karavan, CHANNELS)


def own_list(karavan: Karavan, variant: str, amount: int) -> str:
    """The shop's people make a price list of their own; its id."""
    made = shop(karavan).admin("POST", "/admin/price-lists", {
        "title": "Ours", "description": "Ours", "type": "override", "status": "active",
        "rules": {"customer.groups.id": [shop(karavan).staff]},
        "prices": [{"variant_id": variant, "currency_code": "kzt", "amount": amount}],
    })  # fmt: skip
    return str(made["price_list"]["id"])


def in_list(karavan: Karavan, id: str) -> list[tuple[Any, ...]]:
    """(id, amount, last written) of the prices in a list."""
    query = "SELECT id, amount, updated_at FROM price WHERE price_list_id = %s AND deleted_at IS NULL"
    return shop(karavan).books.rows(query, id)


def test_a_sale_a_price_for_the_staff_and_one_from_ten_pieces_on_stand_in_lists_of_their_own(offered: Karavan) -> None:
    """P2, P4, P7: each once, with its window, also ahead of its time; the usual price is the variant's; a second run of
    everything writes nothing; what changes is changed, what ends is gone; the shop's own list is nobody else's."""
    variant, staff = in_shop(offered, "SALE"), shop(offered).staff
    own = own_list(offered, variant, 91)
    theirs = in_list(offered, own)
    campaign(offered, "sale-now", "SALE", "80", WEEK, kind="sale")
    campaign(offered, "sale-next", "SALE", "75", NEXT, kind="sale")
    campaign(offered, "staff", "SALE", "70", group="staff")
    campaign(offered, "ten", "SALE", "60", pieces="10")
    campaign(offered, "nobody", "SALE", "50", group="friends")
    told(offered)
    kept = (91, None, "override", None, None, staff)
    assert shop(offered).listed("SALE") == [
        (60, 10, "override", None, None, None), (70, None, "override", None, None, staff),
        (75, None, "sale", *NEXT, None), (80, None, "sale", *WEEK, None), kept,
    ]  # fmt: skip
    assert shop(offered).sees(variant)[0] == 80
    base = "SELECT amount FROM price JOIN product_variant_price_set link ON link.price_set_id = price.price_set_id " \
           "WHERE link.variant_id = %s AND price.price_list_id IS NULL AND price.deleted_at IS NULL"  # fmt: skip
    assert shop(offered).books.rows(base, variant) == [(100,)]
    before = shop(offered).books.stamps()
    ledgers = [*pull_all(offered.house, full=True), *push_all(offered.house)]
    assert [ledger.sentence() for ledger in ledgers if ledger.total("written")] == []
    assert written(before, shop(offered).books.stamps()) == {}
    later = (NEXT[0], NEXT[1] + timedelta(days=1))
    campaign(offered, "sale-now", "SALE", "78.50", WEEK, kind="sale")
    campaign(offered, "sale-next", "SALE", "75", later, kind="sale")
    told(offered)
    assert shop(offered).listed("SALE")[2:] == [
        (75, None, "sale", *later, None), (Decimal("78.5"), None, "sale", *WEEK, None), kept
    ]  # fmt: skip
    campaign(offered, "sale-now", "SALE", "78.50", (WEEK[0], TODAY), kind="sale")
    del FILE["ten"]
    publish(offered)
    pull_all(offered.house, channels=["campaigns-kz"], full=True)
    told(offered)
    assert shop(offered).sees(variant)[0] == 100
    assert [row[0] for row in shop(offered).listed("SALE") if row[4] is None or row[4] > TODAY] == [70, 75, 91]
    before = shop(offered).books.stamps()
    told(offered)
    assert written(before, shop(offered).books.stamps()) == {}
    assert in_list(offered, own) == theirs


def test_a_campaign_edited_on_both_sides_at_once_ends_as_marketing_says(offered: Karavan) -> None:
    """P4: the amount, and the window of the list; what was put back once is not written again."""
    variant, window = in_shop(offered, "DISPUTE"), (WEEK[0], WEEK[1] + timedelta(days=2))
    campaign(offered, "dispute", "DISPUTE", "80", window, kind="sale")
    told(offered)
    pull(offered.house, "shop-kz", "price_lists")
    ((list_, price),) = shop(offered).books.rows(
        "SELECT price_list_id, price.id FROM price JOIN product_variant_price_set link USING (price_set_id) "
        "WHERE link.variant_id = %s AND price_list_id IS NOT NULL AND price.deleted_at IS NULL", variant
    )  # fmt: skip
    edit = {"update": [{"id": price, "variant_id": variant, "currency_code": "kzt", "amount": 76}]}
    shop(offered).admin("POST", f"/admin/price-lists/{list_}/prices/batch", edit)
    shop(offered).admin("POST", f"/admin/price-lists/{list_}", {"ends_at": None})
    campaign(offered, "dispute", "DISPUTE", "79", window, kind="sale")
    told(offered)
    assert shop(offered).listed("DISPUTE") == [(79, None, "sale", *window, None)]
    pull(offered.house, "shop-kz", "price_lists")
    shop(offered).admin("POST", f"/admin/price-lists/{list_}/prices/batch", edit)
    told(offered)
    assert shop(offered).listed("DISPUTE") == [(79, None, "sale", *window, None)]
    before = shop(offered).books.stamps()
    told(offered)
    assert written(before, shop(offered).books.stamps()) == {}


def test_a_crash_while_a_campaign_is_written_leaves_each_price_once(offered: Karavan) -> None:
    """P1, P2: killed as soon as Medusa had the prices; who comes next finds the list and what it holds."""
    skus = [sku for sku in SKUS if sku.startswith("CRASH")]
    window = (WEEK[0], WEEK[1] + timedelta(days=3))
    for sku in skus:
        campaign(offered, f"of-{sku}", sku, "80", window, kind="sale")
    assert crashed(offered, b"/prices/batch") == -signal.SIGKILL
    run_out(offered.house)
    until_settled(offered.house, "shop-kz")
    told(offered)
    for sku in skus:
        assert shop(offered).listed(sku) == [(80, None, "sale", *window, None)]


@pytest.mark.parametrize("lost", ["POST /admin/price-lists?", "/prices/batch"])
def test_a_price_list_whose_answer_never_came_is_written_once(offered: Karavan, lost: str) -> None:
    """P2, P3: the list, and what it holds: found by our reference and by the place, never doubled."""
    sku = "QUIET-LIST" if lost.startswith("POST") else "QUIET-BATCH"
    window = (WEEK[0], WEEK[1] + timedelta(days=3 + len(sku)))
    campaign(offered, sku, sku, "80", window, kind="sale")
    swallowed = offered.door.swallowed
    offered.door.swallow(lost.encode())
    sync_all(offered.house, channels=CHANNELS)
    until_settled(offered.house, "shop-kz")
    told(offered)
    assert offered.door.swallowed == swallowed + 1
    assert shop(offered).listed(sku) == [(80, None, "sale", *window, None)]
    lists = "SELECT count(*) FROM price_list WHERE deleted_at IS NULL AND starts_at = %s AND ends_at = %s"
    assert shop(offered).books.rows(lists, *window) == [(1,)]

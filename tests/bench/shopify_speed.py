"""``python -m tests.bench.shopify_speed``: a full sync with Shopify against its published points, counted by the shop.

What surprises here: the shop is the simulated one, a process of its own, and its points come back ``--speed`` times as
fast as the real one's, so that nobody waits half an hour. Two workers push stock and prices at once, each with a
registry connection and a session of its own; meanwhile somebody asks for one article every second, as an event would.
The full read is one by bulk operations, and with ``--pages`` by pages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from connectors.errors import RetryLater
from flows import steps
from flows.ledger import Ledger
from flows.wiring import House, open_house
from registry import BindingRow, RecordRow, Tx, claim_keys, consent, new_uids, put_bindings, put_records
from tests.bench.shopify_shop import PLACE
from tests.bench.sync_speed import FILES, api
from tests.databases import fresh_postgres, fresh_sqlite

RATE, BURST = 100.0, 1_000.0
"""Points a second and at once of the Standard plan (shopify.dev, usage/limits)."""
RESOURCES = ("products", "variants", "prices", "inventory")
PROJECT = {
    **{name: text for name, text in FILES.items() if "bench_erp" in name or name == "companies.yaml"},
    "authority.yaml": "location: {'*': [erp]}\nproduct: {'*': [shop]}\nvariant: {'*': [erp]}\nstock: {'*': [erp]}\n"
    "price: {'*': [erp]}\n",
    "policies/stock.yaml": "sources: {erp: {figure: on_hand, restocks: source}}\nshop: {locations: [main], share: 1}\n",
    "mappings/bench_erp/prices.yaml": """\
platform: bench_erp
resource: prices
id: item
inward:
  price:
    variant: {from: item, ref: variant, otherwise: wait}
    list: = 'retail'
    amount: = money(on_hand, 'KZT') + money(7, 'KZT')
    tax_mode: = 'gross'
""",
    "mappings/bench_erp/prices.schema.json": FILES["mappings/bench_erp/stock.schema.json"],
}
CHANNELS = """\
erp:
  platform: bench_erp
  company: kz
  url: "env:BENCH_URL"
  entities: {{location: on, variant: on, stock: on, price: on}}
shop:
  platform: shopify
  company: kz
  url: "env:SHOP_URL"
  secrets: {{token: env:SHOP_TOKEN, hook_secret: env:SHOP_TOKEN}}
  entities: {{product: on, variant: on, stock: on, price: on}}
  receives: [stock, price]
  settings: {{limits: {{rate: {rate:g}, burst: {burst:g}, unit: points}}{more}}}
"""


def main() -> int:
    """Reads and pushes on both databases; 1 when a call was too many or a tenth of the points was not used."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.shopify_speed", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="articles to sync")
    parser.add_argument("--speed", type=float, default=4.0, help="how much faster than the real shop points come back")
    parser.add_argument("--pages", action="store_true", help="full read by pages instead of bulk operations")
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"), help="one of the databases")
    given = parser.parse_args()
    kept = True
    for dialect in ("SQLite", "PostgreSQL"):
        if given.only in (None, dialect):
            kept = sync(given.count, dialect, given.speed, given.pages) and kept
    return 0 if kept else 1


class Shop:
    """The shop's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.told = json.loads(process.stdout.readline())

    def counted(self) -> dict[str, float]:
        """What it counted since it was asked last."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def shop(count: int, speed: float) -> Iterator[Shop]:
    """The simulated shop in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.shopify_shop", str(count), str(speed)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Shop(process)
    finally:
        process.communicate()


def sync(count: int, dialect: str, speed: float, by_pages: bool) -> bool:
    """A full read and a push of stock and prices; prints what the shop counted. True when the points were kept."""
    with tempfile.TemporaryDirectory() as name, api(count) as source, shop(count, speed) as there:
        folder = Path(name)
        database = fresh_sqlite(folder / "sqlite") if dialect == "SQLite" else fresh_postgres()
        with database as address:
            os.environ |= {"BENCH_URL": source, "SHOP_URL": there.told["url"], "SHOP_TOKEN": there.told["token"],
                           "SERAI_REGISTRY": address}  # fmt: skip
            files = project(folder / "project", speed, by_pages)
            house = open_house(files)
            known(house, count)
            for resource in ("stock", "prices"):
                steps.pull(house, "erp", resource, full=True, stretch=steps.UNBOUNDED)
            for resource in RESOURCES:
                patiently(partial(read, resource=resource), house)
            how = "by pages" if by_pages else "in bulk"
            kept = told(f"{dialect}: {len(RESOURCES)} full reads of {count:,} articles {how}", there, speed, by_pages)
            ended, waits = threading.Event(), list[float]()
            asker = threading.Thread(target=ask, args=(files, ended, waits))
            asker.start()
            workers = [threading.Thread(target=push, args=(files, entity)) for entity in ("stock", "price")]
            for one in workers:
                one.start()
            for one in workers:
                one.join()
            ended.set()
            asker.join()
            house.close()
            what = f"{dialect}: push of {count:,} figures and {count:,} prices by two workers"
            counted = told(what, there, speed, True)
            longest = max(waits, default=0.0)
            print(f"  meanwhile an article was asked for {len(waits)} times; the longest wait was {longest:.1f} s")
            return kept and counted


def told(what: str, there: Shop, speed: float, gated: bool) -> bool:
    """Prints what the shop counted; whether no call was too many and, where ``gated``, 9/10 of the points were used."""
    found = there.counted()
    share = found["points"] / (BURST + RATE * speed * found["seconds"])
    print(
        f"{what}: {found['points']:,.0f} points in {found['calls']:.0f} calls within {found['seconds']:.1f} s, "
        f"{share:.0%} of what is allowed; {found['refused']:.0f} over the limit; the shop shows "
        f"{found['stocked']:,.0f} figures and {found['priced']:,.0f} prices as they should be",
        flush=True,
    )
    return found["refused"] == 0 and (not gated or share >= 0.9)


def project(folder: Path, speed: float, by_pages: bool) -> Path:
    """The bench's project folder."""
    more = ", bulk: 1000000000" if by_pages else ""
    channels = CHANNELS.format(rate=RATE * speed, burst=BURST, more=more)
    platform = FILES["platforms/bench_erp.yaml"]
    prices = platform.partition("resources:\n")[2].replace("stock:", "prices:").replace("id: code", "id: item")
    lines = platform + prices
    for name, text in {**PROJECT, "channels.yaml": channels, "platforms/bench_erp.yaml": lines}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def known(house: House, count: int) -> None:
    """The variants as the ERP brought them, and the location, which both systems have."""
    uids = new_uids(count + 1)
    skus = [f"SKU-{n:06d}" for n in range(count)]

    def work(tx: Tx) -> None:
        place = uids[count]
        put_records(tx, [RecordRow(uid=place, entity="location", values={"code": "main", "name": "Main"})])
        claim_keys(tx, [("location", "code", "main", place)])
        put_bindings(tx, [BindingRow(channel="erp", entity="location", external_id="main", uid=place),
                          BindingRow(channel="shop", entity="location", external_id=PLACE, uid=place)])  # fmt: skip
        for start in range(0, count, 10_000):
            part = list(zip(uids[start : start + 10_000], skus[start : start + 10_000], strict=False))
            part = [(uid, sku) for uid, sku in part if uid != place]
            put_records(tx, [
                RecordRow(uid=uid, entity="variant", values={"sku": sku, "name": sku, "unit": "each"})
                for uid, sku in part
            ])  # fmt: skip
            claim_keys(tx, [("variant", "sku", sku, uid) for uid, sku in part])
            put_bindings(tx, [
                BindingRow(channel="erp", entity="variant", external_id=sku, uid=uid) for uid, sku in part
            ])  # fmt: skip
        for entity in ("stock", "price"):
            consent(tx, "shop", entity, "bench")

    house.registry.attempt(work)


def patiently(work: Callable[[House], Any], house: House) -> None:
    """Does it until there is no more; waits as long as it is told to."""
    while True:
        try:
            if not work(house).more:
                return
        except RetryLater as wait:
            time.sleep(wait.after)


def read(house: House, resource: str) -> Ledger:
    """One stretch of a full read of the shop."""
    return steps.pull(house, "shop", resource, stretch=steps.UNBOUNDED)


def push(files: Path, entity: str) -> None:
    """One worker: pushes until nothing is due."""
    house = open_house(files)
    patiently(lambda house: steps.push(house, "shop", entity, stretch=steps.UNBOUNDED), house)
    house.close()


def ask(files: Path, ended: threading.Event, waits: list[float]) -> None:
    """Somebody who works at an event: one article every second, with how long it took."""
    house = open_house(files)
    connector = house.connector("shop")
    while not ended.wait(1.0):
        began = time.monotonic()
        connector.fetch("variants", ["gid://shopify/ProductVariant/1001"])
        waits.append(time.monotonic() - began)
    house.close()


if __name__ == "__main__":
    sys.exit(main())
